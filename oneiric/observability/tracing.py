"""The tracing sink, compiled from the catalogue: a span for each operation, a span event for each resolution.

OpenTelemetry is not imported for it: as long as nobody else imported it, no span can be recorded anywhere.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from oneiric.core.events import Event, Finished, Operation

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Token

    from opentelemetry import trace
    from opentelemetry.context import Context

    from oneiric.core.observers import Receiver, Scope
    from oneiric.observability.model import Catalogue

ATTRIBUTE_PREFIX = "oneiric."
_MODULES = sys.modules


class TracingSink:
    """Open the catalogue's spans with OpenTelemetry, from when on somebody records them.

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
        self._version = version
        self._tracer = None if provider is None else provider.get_tracer("oneiric", version)

    def receiver(self, event_type: type[Event]) -> Receiver | None:
        """Return what traces events of *event_type*, or None where the catalogue names no span."""
        signal = self._catalogue.signal(event_type)
        if signal is None or not signal.span:
            return None
        if issubclass(event_type, Operation):
            return lambda operation: self._start(signal.span, operation)
        return _SpanEvents(signal.span)

    def _start(self, name: str, operation: Operation) -> Scope | None:
        tracer = self._tracer or self._find_tracer()
        return None if tracer is None else _SpanScope(tracer, name, operation)

    def _find_tracer(self) -> trace.Tracer | None:
        """Return the global provider's tracer, or None while there is no provider that could record."""
        api = _MODULES.get("opentelemetry.trace")
        if api is None:
            return None
        try:
            provider = api.get_tracer_provider()
            if isinstance(provider, api.ProxyTracerProvider):
                return None
        except AttributeError:  # the import is under way
            return None
        self._tracer = provider.get_tracer("oneiric", self._version)
        return self._tracer


def context_may_trace() -> object:
    """Return something true where a span may be current; one look-up as long as nobody imported OpenTelemetry.

    Never raises an Exception.
    """
    context = _MODULES.get("opentelemetry.context")
    if context is None:
        return False
    try:
        return context.get_current()  # a dict, empty where nobody has attached anything
    except Exception:  # noqa: BLE001 - half imported, or a vendor's context
        return False


def recording_trace() -> tuple[str, str] | None:
    """Return trace id (32 lower-case hex digits) and span id (16) of the current span if it records, else None.

    Never raises an Exception; cheap where no span is current, and a look-up where OpenTelemetry was not imported.
    """
    span = _recording_span()
    if span is None:
        return None
    try:
        context = span.get_span_context()
        return format(context.trace_id, "032x"), format(context.span_id, "016x")
    except Exception:  # noqa: BLE001 - a vendor's span
        return None


class _SpanEvents:
    """Adds events to the current span; while ``when()`` is false there is none, and a call would do nothing."""

    when: ClassVar[Callable[[], object]] = staticmethod(context_may_trace)

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, event: Event) -> None:
        span = _recording_span()
        if span is not None:
            span.add_event(self._name, _attributes(event))


class _SpanScope:
    """The span of one operation, current while its body runs."""

    def __init__(self, tracer: trace.Tracer, name: str, operation: Operation) -> None:
        from opentelemetry import context, trace  # noqa: PLC0415 - there is a tracer, so that it is imported already

        self._context = context
        self._error = trace.StatusCode.ERROR
        self._span = tracer.start_span(name, attributes=_attributes(operation))
        self._token: Token[Context] = context.attach(trace.set_span_in_context(self._span))

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
        self._context.detach(self._token)
        self._span.end()

    def _fail(self, finished: Finished) -> None:
        self._span.set_status(self._error, finished.error or finished.reason)
        if finished.error_type:
            self._span.add_event(
                "exception", {"exception.type": finished.error_type, "exception.message": finished.error}
            )


def _recording_span() -> trace.Span | None:
    """Return the current span if it records; never raises an Exception."""
    if not context_may_trace():
        return None
    try:
        span: trace.Span = _MODULES["opentelemetry.trace"].get_current_span()
        return span if span.is_recording() else None
    except Exception:  # noqa: BLE001 - half imported, or a vendor's span
        return None


def _attributes(event: Event) -> dict[str, Any]:
    return {ATTRIBUTE_PREFIX + name: value for name, value in msgspec.structs.asdict(event).items() if value != ""}
