"""The tracing sink: spans of operations, span events of resolutions."""

from __future__ import annotations

import asyncio

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from oneiric.core import events
from oneiric.core.observers import Observers
from oneiric.observability._tracing import TracingSink
from oneiric.observability.catalogue import CATALOGUE

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
