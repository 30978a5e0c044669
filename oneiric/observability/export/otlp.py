"""Export spans and metrics with the OpenTelemetry protocol, from a thread that nobody waits for."""

from __future__ import annotations

import math
import os
import time
from contextlib import suppress
from functools import partial
from random import uniform
from typing import TYPE_CHECKING, Protocol
from uuid import uuid4

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from oneiric._version import __version__
from oneiric.core.concurrency import renew_after_fork
from oneiric.core.service_identity import service_identity
from oneiric.observability.events import SpansLost
from oneiric.observability.export.otlp_metrics import MetricProducer
from oneiric.observability.export.otlp_options import OtlpOptions, OtlpPlan, Target, resolve
from oneiric.observability.export.otlp_spans import SpanQueue, encode
from oneiric.observability.export.otlp_wire import Refused, Unavailable, sender
from oneiric.observability.export.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from opentelemetry.sdk.trace import ReadableSpan
    from prometheus_client import Metric as Family

    from oneiric.core.observers import Observers
    from oneiric.observability.events import SpanLoss
    from oneiric.observability.export.deadline import Deadline

NAME = "otlp"
"""Stands for the exporter in reports and names its thread."""
FIRST_BACKOFF_SECONDS = 1.0
LONGEST_BACKOFF_SECONDS = 30.0
LONGEST_RETRY_AFTER_SECONDS = 300.0

_pause = partial(time.sleep, 0.0005)  # a thread that waits for the interpreter gets it in a pause, not after 5 ms


class OtlpExporter(Worker):
    """Exports what *options* ask for, in a daemon thread; whoever ends a span only puts it into a queue.

    While a collector takes nothing, spans wait, the newest up to the queue's limit, and it is tried again after a time
    that grows. What is lost is reported as :class:`SpansLost`, every failed request as a failed hook.

    Args:
        options: What to export, and where to.
        collect: Returns the families of metrics; called in the exporter's thread.
        observers: Notified of losses and failures.

    Attributes:
        tracer_provider: Whose spans are exported; None where spans are not.

    Raises:
        ValueError: An option, or a standard environment variable, is wrong.
        OSError: A file that they name cannot be read.
    """

    def __init__(self, options: OtlpOptions, collect: Callable[[], Iterable[Family]], observers: Observers) -> None:
        super().__init__(NAME, self, observers)
        plan = resolve(options, os.environ)
        self._spans = None if plan.traces is None else _Spans(plan, plan.traces, self, observers)
        self._parts: list[_Part] = [] if self._spans is None else [self._spans]
        self.tracer_provider: TracerProvider | None = None
        if self._spans is not None:
            self.tracer_provider = TracerProvider(resource=_resource(options), shutdown_on_exit=False)
            self.tracer_provider.add_span_processor(self._spans.queue)
        if plan.metrics is not None:
            self._parts.append(_Metrics(plan, plan.metrics, options, collect, observers))

    def start(self) -> None:
        """Start to export; idempotent, and to be called again in a forked child."""
        if self._parts:
            super().start()

    def join(self) -> None:
        """Wait until it has stopped, and report what could not be exported before its time was over; idempotent."""
        super().join()
        for part in self._parts:
            part.close()

    def due_in(self) -> float:
        """Return in how many seconds something is to be exported."""
        return min((part.line.due_in() for part in self._parts), default=math.inf)

    def do(self, *, everything: bool, deadline: Deadline) -> bool:
        """Export what is due, or everything, and return whether the collector took it."""
        parts = [part for part in self._parts if everything or part.is_due()]
        shares = range(len(parts), 0, -1)  # what comes first may use half of the time
        exported = [self._export(part, deadline, share) for part, share in zip(parts, shares, strict=True)]
        return all(exported)

    def _export(self, part: _Part, deadline: Deadline, share: int) -> bool:
        try:
            part.export(deadline.within(deadline.remaining / share))
        except Exception as error:  # noqa: BLE001 - isolation is the job
            part.line.failed(error)
            self._observers.hook_failed(NAME, error)
            return False
        part.line.succeeded()
        return True


class _Part(Protocol):
    """Spans, or metrics."""

    line: _Line

    def is_due(self) -> bool:
        """Whether it is to be exported now."""

    def export(self, deadline: Deadline) -> None:
        """Export all there is; what it raises means that it is to be done again, later."""

    def close(self) -> None:
        """Let go of everything."""


class _Line:
    """The connection for one signal, and when it is used next."""

    def __init__(self, target: Target, interval: float) -> None:
        self._sender = sender(target)
        self._interval = interval
        self._failures = 0
        self._due = time.monotonic() + interval

    @property
    def is_up(self) -> bool:
        """Whether the last request was answered."""
        return self._failures == 0

    def due_in(self) -> float:
        return self._due - time.monotonic()

    def send(self, payload: bytes, deadline: Deadline) -> bytes:
        deadline.step()  # nothing is begun for which there is no time
        return self._sender.send(payload, deadline)

    def succeeded(self) -> None:
        self._failures = 0
        self._due = time.monotonic() + self._interval

    def failed(self, error: Exception) -> None:
        backoff = min(FIRST_BACKOFF_SECONDS * 2.0 ** min(self._failures, 10), LONGEST_BACKOFF_SECONDS)
        asked = error.retry_after if isinstance(error, Unavailable) else 0.0
        self._failures += 1
        wait = max(uniform(backoff / 2, backoff), min(asked, LONGEST_RETRY_AFTER_SECONDS))  # noqa: S311 - no secret
        self._due = time.monotonic() + wait

    def close(self) -> None:
        self._sender.close()


class _Spans:
    def __init__(self, plan: OtlpPlan, target: Target, worker: Worker, observers: Observers) -> None:
        self.line = _Line(target, plan.traces_interval)
        self._batch = plan.max_batch_spans
        self._observers = observers
        self._under_way = 0
        self.queue = SpanQueue(limit=plan.max_queued_spans, batch=self._batch, worker=worker, lost=self._tell)
        renew_after_fork(self._renew)

    def is_due(self) -> bool:
        return self.line.due_in() <= 0 or (self.line.is_up and len(self.queue) >= self._batch)

    def export(self, deadline: Deadline) -> None:
        for _ in range(len(self.queue) // self._batch + 1):  # what is added meanwhile is left for the next time
            self._export(self.queue.take(self._batch), deadline)

    def close(self) -> None:
        under_way, self._under_way = self._under_way, 0  # closed again while a request hangs, it reports nothing twice
        self._tell("stopped", under_way + self.queue.close())
        self.line.close()

    def _export(self, spans: Sequence[ReadableSpan], deadline: Deadline) -> None:
        if not spans:
            return
        self._under_way = len(spans)
        try:
            self._send(spans, deadline)
        except Refused:
            self._tell("refused", len(spans))
            raise
        except Exception:
            self.queue.put_back(spans)
            raise
        finally:
            self._under_way = 0

    def _send(self, spans: Sequence[ReadableSpan], deadline: Deadline) -> None:
        payload, wrong = encode(spans, pause=_pause)
        body = self.line.send(payload, deadline) if payload else b""
        self._tell("invalid", wrong)
        self._tell("refused", _rejected_spans(body))

    def _tell(self, reason: SpanLoss, spans: int) -> None:
        if spans > 0:
            self._observers.notify(SpansLost(spans=spans, reason=reason))

    def _renew(self) -> None:
        self._under_way = 0


class _Metrics:
    def __init__(
        self,
        plan: OtlpPlan,
        target: Target,
        options: OtlpOptions,
        collect: Callable[[], Iterable[Family]],
        observers: Observers,
    ) -> None:
        self.line = _Line(target, plan.metrics_interval)
        self._options = options
        self._collect = collect
        self._observers = observers
        self._producer: MetricProducer | None = self._new_producer()
        renew_after_fork(self._renew)

    def is_due(self) -> bool:
        return self.line.due_in() <= 0

    def export(self, deadline: Deadline) -> None:
        if self._producer is None:
            self._producer = self._new_producer()
        for payload in self._producer.requests():
            if rejected := _rejected_points(self.line.send(payload, deadline)):
                self._observers.hook_failed(NAME, ValueError(f"the collector rejected {rejected} data points"))

    def close(self) -> None:
        self.line.close()

    def _new_producer(self) -> MetricProducer:
        return MetricProducer(
            self._collect,
            resource=dict(_resource(self._options).attributes or {}),
            version=__version__,
            failed=partial(self._observers.hook_failed, NAME),
            pause=_pause,
        )

    def _renew(self) -> None:
        self._producer = None  # a child is another instance, and counts from now on


def _resource(options: OtlpOptions) -> Resource:
    """Return what the environment and *options* say of this process, with a name and an identity in any case."""
    own = options.resource_attributes
    name = service_identity(options.service_name or own.get("service.name"), default=options.fallback_service_name).name
    found = Resource.create({**own, "service.name": name})
    if "service.instance.id" not in (found.attributes or {}):
        found = found.merge(Resource({"service.instance.id": str(uuid4())}))
    return found


def _rejected_spans(body: bytes) -> int:
    """Return how many spans the collector says that it rejected; 0 where it says nothing that can be understood."""
    with suppress(DecodeError):  # foreign bytes, perhaps cut off
        return int(ExportTraceServiceResponse.FromString(body).partial_success.rejected_spans)
    return 0


def _rejected_points(body: bytes) -> int:
    """Return how many data points the collector says that it rejected; 0 likewise."""
    with suppress(DecodeError):
        return int(ExportMetricsServiceResponse.FromString(body).partial_success.rejected_data_points)
    return 0
