"""The tracing sink, compiled from the catalogue: a span for each operation, a span event for each resolution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from opentelemetry import context, trace

from oneiric.core.events import Event, Finished, Operation

if TYPE_CHECKING:
    from contextvars import Token

    from oneiric.core.observers import Receiver
    from oneiric.observability._model import Catalogue

ATTRIBUTE_PREFIX = "oneiric."


class TracingSink:
    """Open the catalogue's spans with OpenTelemetry.

    Identity and results go into attributes ``oneiric.<field>``, never into names. A failure sets the status and adds an
    ``exception`` event with the redacted text; no stack trace and no unredacted message leaves the process.

    Args:
        catalogue: What to trace.
        version: Version of the runtime, the instrumentation scope's.
        provider: Where spans go; None: the global provider, also one that is set later.
    """

    name = "tracing"

    def __init__(self, catalogue: Catalogue, *, version: str, provider: trace.TracerProvider | None = None) -> None:
        self._catalogue = catalogue
        self._tracer = trace.get_tracer("oneiric", version, tracer_provider=provider)

    def receiver(self, event_type: type[Event]) -> Receiver | None:
        """Return what traces events of *event_type*, or None where the catalogue names no span."""
        signal = self._catalogue.signal(event_type)
        if signal is None or not signal.span:
            return None
        if issubclass(event_type, Operation):
            return lambda operation: _SpanScope(self._tracer, signal.span, operation)
        return lambda event: _add_event(signal.span, event)


class _SpanScope:
    """The span of one operation, current while its body runs."""

    def __init__(self, tracer: trace.Tracer, name: str, operation: Operation) -> None:
        self._span = tracer.start_span(name, attributes=_attributes(operation))
        self._token: Token[context.Context] = context.attach(trace.set_span_in_context(self._span))

    def finished(self, finished: Finished) -> None:
        if not self._span.is_recording():
            return
        self._span.set_attributes(_attributes(finished.operation))
        self._span.set_attribute(f"{ATTRIBUTE_PREFIX}outcome", finished.outcome)
        if finished.reason:
            self._span.set_attribute(f"{ATTRIBUTE_PREFIX}reason", finished.reason)
        if finished.outcome == "failed":
            self._fail(finished)

    def close(self) -> None:
        context.detach(self._token)
        self._span.end()

    def _fail(self, finished: Finished) -> None:
        self._span.set_status(trace.StatusCode.ERROR, finished.error or finished.reason)
        if finished.error_type:
            self._span.add_event(
                "exception", {"exception.type": finished.error_type, "exception.message": finished.error}
            )


def _add_event(name: str, event: Event) -> None:
    span = trace.get_current_span()
    if span.is_recording():
        span.add_event(name, _attributes(event))


def _attributes(event: Event) -> dict[str, Any]:
    return {ATTRIBUTE_PREFIX + name: value for name, value in msgspec.structs.asdict(event).items() if value != ""}
