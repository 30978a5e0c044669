"""The production tracing sink, with a tracer provider of its own that nobody else sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from oneiric._version import __version__
from oneiric.observability.catalogue import CATALOGUE
from oneiric.observability.tracing import TracingSink
from oneiric.testing.spans import SpanRecord

if TYPE_CHECKING:
    from oneiric.testing.kept import Kept

_MAX_EVENTS = 128


def recording_sink(spans: Kept[SpanRecord]) -> TracingSink:
    """Return a tracing sink whose spans end in *spans*, whatever the environment says of sampling and limits."""
    provider = TracerProvider(
        sampler=ALWAYS_ON,
        resource=Resource.get_empty(),
        shutdown_on_exit=False,
        span_limits=_limits(),
    )
    provider.add_span_processor(_Recorder(spans))
    return TracingSink(CATALOGUE, version=__version__, provider=provider)


class _Recorder(SpanProcessor):
    """Keeps each span that ends."""

    def __init__(self, spans: Kept[SpanRecord]) -> None:
        self._spans = spans

    def on_end(self, span: ReadableSpan) -> None:
        status = span.status
        self._spans.append(
            SpanRecord(span.name, status.status_code.name, status.description or "", dict(span.attributes or {}))
        )


def _limits() -> SpanLimits:
    off = SpanLimits.UNSET
    return SpanLimits(
        max_attributes=off,
        max_span_attributes=off,
        max_event_attributes=off,
        max_attribute_length=off,
        max_span_attribute_length=off,
        max_events=_MAX_EVENTS,
        max_links=_MAX_EVENTS,
    )
