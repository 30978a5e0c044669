"""The queue of spans that have ended: which it keeps, which it loses, whom it wakes."""

from __future__ import annotations

import signal
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Decision, StaticSampler

from oneiric.observability.export.otlp_spans import SLICE, SpanQueue, encode
from oneiric.observability.export.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.sdk.trace.sampling import Sampler
    from opentelemetry.trace import Tracer

    from oneiric.core.observers import Observers
    from oneiric.observability.export.deadline import Deadline


@dataclass
class Queued:
    """A queue of three spans, what it told, and how often its worker looked."""

    observers: Observers
    lost: list[tuple[str, int]] = field(default_factory=list)
    looked: int = 0

    def __post_init__(self) -> None:
        """Make the queue."""
        self.worker = Worker("test", self, self.observers)
        self.queue = SpanQueue(limit=3, batch=2, worker=self.worker, lost=lambda *told: self.lost.append(told))
        self.sampled, self.unsampled = self._tracer(ALWAYS_ON), self._tracer(StaticSampler(Decision.RECORD_ONLY))

    def due_in(self) -> float:
        """Return that nothing is ever due."""
        return 1000.0

    def do(self, *, everything: bool, deadline: Deadline) -> bool:
        """Count that it was asked."""
        del everything, deadline
        self.looked += 1
        return True

    def end(self, *names: str) -> None:
        """End a sampled span of each name."""
        for name in names:
            self.sampled.start_span(name).end()

    def names(self) -> list[str]:
        """Take everything, and return the names."""
        return [span.name for span in self.queue.take(100)]

    def _tracer(self, sampler: Sampler) -> Tracer:
        provider = TracerProvider(sampler, shutdown_on_exit=False)
        provider.add_span_processor(self.queue)
        return provider.get_tracer("app")


@pytest.fixture
def queued(observers: Observers) -> Iterator[Queued]:
    """A queue of three spans."""
    queued = Queued(observers)
    yield queued
    queued.worker.stop()


def test_the_oldest_are_lost_and_told(queued: Queued) -> None:
    """A full queue keeps the newest, and tells each loss at once."""
    queued.end("a", "b", "c", "d", "e")
    assert queued.lost == [("queue_full", 1), ("queue_full", 1)]
    assert queued.names() == ["c", "d", "e"]


def test_what_is_put_back_is_the_oldest(queued: Queued) -> None:
    """Spans that could not be sent are sent before later ones, and lost before them."""
    queued.end("a", "b")
    taken = queued.queue.take(2)
    queued.end("c", "d")
    queued.queue.put_back(taken)
    assert queued.lost == [("queue_full", 1)]
    assert queued.names() == ["b", "c", "d"]


def test_what_was_not_sampled_is_not_kept(queued: Queued) -> None:
    """A span that is recorded but outside the sample is no loss and takes no room."""
    queued.unsampled.start_span("a").end()
    assert (len(queued.queue), queued.lost) == (0, [])


def test_a_closed_queue_keeps_nothing(queued: Queued) -> None:
    """What waited is returned by number, what ends later is told as lost, and what was taken is not told twice."""
    queued.end("a", "b", "c")
    taken = queued.queue.take(1)
    assert queued.queue.close() == 2
    queued.end("d")
    queued.queue.put_back(taken)
    assert (queued.lost, len(queued.queue)) == ([("stopped", 1)], 0)


def test_spans_may_end_in_a_signal_handler(queued: Queued) -> None:
    """A handler that ends spans while the same thread does neither hangs nor loses any uncounted."""
    handled = 0

    def handle(*_: object) -> None:
        nonlocal handled
        handled += 1
        queued.end("handler")

    before = signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    try:
        for _ in range(2000):
            queued.end("main")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert handled > 0
    assert sum(count for _, count in queued.lost) == 2000 + handled - len(queued.queue)


def test_spans_that_cannot_be_encoded_cost_themselves_only(queued: Queued) -> None:
    """A name that is no Unicode is left out and counted, among spans that are sent, with a pause for every few."""
    queued.end("a", "\ud800", "b")
    spans = queued.queue.take(3)
    pauses: list[None] = []
    payload, wrong = encode(spans * SLICE, pause=lambda: pauses.append(None))
    request = ExportTraceServiceRequest.FromString(payload)
    names = [span.name for each in request.resource_spans for scope in each.scope_spans for span in scope.spans]
    assert (names, wrong, len(pauses)) == (["a", "b"] * SLICE, SLICE, 3)
