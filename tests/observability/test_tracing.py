"""The tracing sink: spans of operations, span events of resolutions."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any

import pytest
from opentelemetry import context, trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from oneiric.core import events
from oneiric.core.observers import Observers
from oneiric.observability.catalogue import CATALOGUE
from oneiric.observability.tracing import TracingSink, recording_trace

SWAP = events.Swap(domain="adapter", key="cache", previous_provider="memory")
RESOLVED = events.Resolved(domain="adapter", key="cache", provider="redis", duration=0.1, candidates=1, shadowed=0)


class Traced:
    """A seam with a tracing sink, and the spans that ended."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.observers = Observers()
        self.observers.add(TracingSink(CATALOGUE, version="1", provider=self.provider))

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        """The spans that ended, the first that ended first."""
        return self._exporter.get_finished_spans()


@pytest.fixture
def traced() -> Traced:
    """A fresh provider and sink."""
    return Traced()


def test_an_operation_is_a_span(traced: Traced) -> None:
    """A swap is a span whose attributes are the operation's fields as they were when it ended."""
    with traced.observers.operation(SWAP) as running:
        running.update(provider="redis")
    (span,) = traced.spans
    assert span.name == "oneiric.lifecycle.swap"
    assert dict(span.attributes or {}) == {
        "oneiric.domain": "adapter",
        "oneiric.key": "cache",
        "oneiric.provider": "redis",
        "oneiric.previous_provider": "memory",
        "oneiric.forced": False,
        "oneiric.outcome": "success",
    }
    assert span.status.status_code is trace.StatusCode.UNSET


def test_the_span_is_current_while_the_body_runs(traced: Traced) -> None:
    """An operation inside another is its child, and a resolution an event on the span that is current."""
    check = events.HealthCheck(domain="adapter", key="cache", provider="redis", phase="swap", check="health")
    with traced.observers.operation(SWAP):
        traced.observers.notify(RESOLVED)
        with traced.observers.operation(check):
            pass
    inner, outer = traced.spans
    assert inner.parent == outer.context
    assert [(event.name, (event.attributes or {})["oneiric.provider"]) for event in outer.events] == [
        ("oneiric.resolver.decision", "redis")
    ]
    assert not trace.get_current_span().is_recording()


def test_a_failure_sets_the_status_and_records_the_error(traced: Traced) -> None:
    """A failed operation has an error status and an exception event with redacted text, and no stack trace."""
    with pytest.raises(ValueError, match="hunter2"), traced.observers.operation(SWAP):
        raise ValueError("token=hunter2")
    (span,) = traced.spans
    assert (span.status.status_code, span.status.description) == (trace.StatusCode.ERROR, "token=***")
    (event,) = span.events
    assert dict(event.attributes or {}) == {"exception.type": "ValueError", "exception.message": "token=***"}
    assert (span.attributes or {})["oneiric.reason"] == "other"


def test_a_cancellation_is_not_an_error(traced: Traced) -> None:
    """A cancelled operation says so in its outcome and has no error status."""
    with pytest.raises(asyncio.CancelledError), traced.observers.operation(SWAP):
        raise asyncio.CancelledError
    (span,) = traced.spans
    assert span.status.status_code is trace.StatusCode.UNSET
    assert (span.attributes or {})["oneiric.outcome"] == "cancelled"


def test_without_a_recording_span_a_resolution_leaves_nothing(traced: Traced) -> None:
    """A resolution outside any span makes no span of its own."""
    traced.observers.notify(RESOLVED)
    assert traced.spans == ()


async def test_concurrent_operations_do_not_mix(traced: Traced) -> None:
    """Two tasks with operations of their own have spans without a parent."""

    async def swap(key: str) -> None:
        with traced.observers.operation(events.Swap(domain="adapter", key=key)):
            await asyncio.sleep(0)

    await asyncio.gather(swap("a"), swap("b"))
    assert [span.parent for span in traced.spans] == [None, None]


def receiver_of(sink: TracingSink) -> Any:
    """Return the sink's receiver of resolutions."""
    receiver = sink.receiver(events.Resolved)
    assert receiver is not None
    return receiver


def test_a_resolution_is_wanted_only_where_a_span_may_be_current(traced: Traced) -> None:
    """The receiver's condition is false outside any span and true within one."""
    receiver = receiver_of(TracingSink(CATALOGUE, version="1", provider=traced.provider))
    assert not receiver.when()
    with traced.observers.operation(SWAP):
        assert receiver.when()
    assert not receiver.when()


def test_the_recording_trace_is_that_of_the_current_span(traced: Traced) -> None:
    """Within a span that records there are a trace id of 32 and a span id of 16 digits, outside there is nothing."""
    with traced.provider.get_tracer("app").start_as_current_span("request") as span:
        found = recording_trace()
        own = span.get_span_context()
    assert found == (trace.format_trace_id(own.trace_id), trace.format_span_id(own.span_id))
    assert recording_trace() is None


def test_a_span_that_does_not_record_has_no_recording_trace() -> None:
    """A span that was not sampled, or came from elsewhere, is not named."""
    remote = trace.NonRecordingSpan(trace.SpanContext(1, 2, is_remote=True))
    with trace.use_span(remote):
        assert recording_trace() is None


def test_a_broken_span_is_no_recording_trace() -> None:
    """A span of a vendor that raises is as none at all, for traces and for resolutions."""

    class Broken(trace.NonRecordingSpan):
        def is_recording(self) -> bool:
            raise RuntimeError("broken")

    sink = TracingSink(CATALOGUE, version="1")
    with trace.use_span(Broken(trace.INVALID_SPAN_CONTEXT)):
        assert recording_trace() is None
        receiver_of(sink)(RESOLVED)


def test_a_broken_context_is_none(traced: Traced, monkeypatch: pytest.MonkeyPatch) -> None:
    """A context of a vendor that raises is as one without spans, for traces and for whoever resolves."""

    def broken() -> object:
        raise RuntimeError("broken")

    receiver = receiver_of(TracingSink(CATALOGUE, version="1", provider=traced.provider))
    monkeypatch.setattr(context, "get_current", broken)
    assert not receiver.when()
    assert recording_trace() is None
    receiver(RESOLVED)


WITHOUT = """
import sys
from oneiric.core import events
from oneiric.core.observers import Observers
from oneiric.observability import attach
from oneiric.observability.tracing import recording_trace

observers = Observers()
telemetry = attach(observers)
resolved = events.Resolved(domain="adapter", key="cache", provider="redis", duration=0.1, candidates=1, shadowed=0)

def work():
    with observers.operation(events.Swap(domain="adapter", key="cache")):
        observers.notify(resolved)
    return recording_trace()

assert work() is None
assert not [name for name in sys.modules if name.startswith("opentelemetry")]
"""
LATER = """
from opentelemetry import context, trace
with observers.operation(events.Swap(domain="adapter", key="cache")):
    assert not context.get_current()  # there is the interface, and nobody who records
assert work() is None
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
exporter = InMemorySpanExporter()
trace.set_tracer_provider(TracerProvider())
trace.get_tracer_provider().add_span_processor(SimpleSpanProcessor(exporter))
work()
(span,) = exporter.get_finished_spans()
assert [event.name for event in span.events] == ["oneiric.resolver.decision"]
errors = telemetry.samples()["oneiric_observability_hook_errors_total"]
assert not any(value for _, value in errors), errors
"""


def run(program: str) -> None:
    """Run *program* in a fresh interpreter; it fails if that does."""
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True, timeout=120)


def test_without_an_sdk_opentelemetry_is_not_imported() -> None:
    """Attaching, swapping and resolving import nothing of OpenTelemetry, though it is installed."""
    run(WITHOUT)


def test_it_traces_from_when_on_the_application_does() -> None:
    """A provider that the application sets after attaching gets the spans from then on, and nothing failed before."""
    run(WITHOUT + LATER)


def test_a_half_imported_opentelemetry_is_none() -> None:
    """While OpenTelemetry is being imported, by another thread for instance, nothing is traced and nothing fails."""
    run(f"""{WITHOUT}
from types import ModuleType
for name in ("opentelemetry", "opentelemetry.context", "opentelemetry.trace"):
    sys.modules[name] = ModuleType(name)
assert work() is None
errors = telemetry.samples()["oneiric_observability_hook_errors_total"]
assert not any(value for _, value in errors), errors
""")
