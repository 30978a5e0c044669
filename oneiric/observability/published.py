"""Spans and counts for code of an application, under the names that the published interface has for them.

They go to whatever OpenTelemetry provider the application has set, and nowhere where OpenTelemetry is not installed.
The runtime itself uses none of this: it reports events, which the sinks turn into signals. The public paths are
:mod:`oneiric.core.observability` and :mod:`oneiric.core.metrics`.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from oneiric.core.events import Resolved
from oneiric.core.logging import get_logger, scoped_log_context
from oneiric.core.redaction import describe
from oneiric.observability.catalogue import CATALOGUE, DRAINS, PAUSES, SWAP_DURATION

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, MutableMapping
    from types import ModuleType

    from oneiric.observability.model import Metric

DECISION_SPAN = "resolver.decision"
"""Name of the span of a decision."""


@dataclass(frozen=True)
class ObservabilityConfig:
    """What spans are attributed to.

    Attributes:
        service_name: What the application is called.
        instrumentation_scope: The scope of its spans and counts.
    """

    service_name: str = "oneiric"
    instrumentation_scope: str = "oneiric.core"


@dataclass(frozen=True)
class DecisionEvent:
    """A decision for a provider, and what is to be known of it."""

    domain: str
    key: str
    provider: str | None
    decision: str
    details: Mapping[str, Any] = field(default_factory=dict)

    def as_attributes(self) -> dict[str, Any]:
        """Return the fields as attributes of a span, the details among them."""
        return {
            "domain": self.domain,
            "key": self.key,
            "provider": self.provider or "unknown",
            "decision": self.decision,
            **self.details,
        }


class SilentSpan:
    """What takes everything and keeps nothing; the span where OpenTelemetry is not installed."""

    def is_recording(self) -> bool:
        """Whether anything is kept."""
        return False

    def __getattr__(self, name: str) -> Any:
        """Return what takes any arguments: all other methods of a span."""
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *_args, **_named: None


class SilentTracer:
    """The tracer where OpenTelemetry is not installed."""

    def start_span(self, _name: str, **_options: Any) -> SilentSpan:
        """Return a span that keeps nothing."""
        return SilentSpan()

    @contextmanager
    def start_as_current_span(self, _name: str, **_options: Any) -> Iterator[SilentSpan]:
        """Yield a span that keeps nothing."""
        yield SilentSpan()


_config = ObservabilityConfig()


def configure_observability(config: ObservabilityConfig | None = None) -> None:
    """Attribute spans and counts made from now on as *config* says; None: as by default. Sets no provider."""
    global _config  # noqa: PLW0603 - published as a function that configures the process
    _config = config or ObservabilityConfig()
    _instrument.cache_clear()


def get_tracer(component: str | None = None) -> Any:
    """Return the tracer of *component*, or of the application; its spans go to the provider that is set globally."""
    trace = _open_telemetry("trace")
    scope = _config.instrumentation_scope if component is None else component
    return SilentTracer() if trace is None else trace.get_tracer(scope)


def inject_trace_context(headers: MutableMapping[str, str]) -> MutableMapping[str, str]:
    """Put the trace context of the current span into *headers*, and return them."""
    if (propagate := _open_telemetry("propagate")) is not None:
        propagate.inject(headers)
    return headers


@contextmanager
def traced_decision(event: DecisionEvent) -> Iterator[Any]:
    """Yield the span of a decision, which is logged too, at level debug."""
    attributes = event.as_attributes()
    with observed_span(DECISION_SPAN, component=f"resolver.{event.domain}", attributes=attributes) as span:
        signal = CATALOGUE.signal(Resolved)
        if signal is not None:
            get_logger().debug(signal.logs[0].name, **attributes)
        yield span


@contextmanager
def observed_span(
    name: str,
    *,
    component: str | None = None,
    attributes: Mapping[str, Any] | None = None,
    log_context: Mapping[str, Any] | None = None,
) -> Iterator[Any]:
    """Yield the span *name*, current while the body runs; log lines of the body carry *log_context*.

    An error of the body sets the status of the span, with its redacted text, and passes.
    """
    options = {"attributes": dict(attributes or {}), "record_exception": False, "set_status_on_exception": False}
    with (
        get_tracer(component).start_as_current_span(name, **options) as span,
        scoped_log_context(**(log_context or {})),
    ):
        try:
            yield span
        except Exception as error:
            _fail(span, error)
            raise


def record_pause_state(domain: str, paused: bool) -> None:  # noqa: FBT001 - published
    """Count that a component of *domain* was paused or resumed."""
    _count(PAUSES, {"domain": domain, "state": "paused" if paused else "resumed"})


def record_drain_state(domain: str, draining: bool) -> None:  # noqa: FBT001 - published
    """Count that a component of *domain* began to drain, or no longer drains."""
    _count(DRAINS, {"domain": domain, "state": "draining" if draining else "cleared"})


def record_swap_duration(domain: str, key: str, provider: str | None, duration_ms: float, *, success: bool) -> None:
    """Record how many milliseconds a swap took."""
    histogram = _instrument("create_histogram", SWAP_DURATION)
    if histogram is not None:
        outcome = "success" if success else "failed"
        histogram.record(
            duration_ms, {"domain": domain, "key": key, "provider": provider or "unknown", "outcome": outcome}
        )


def _count(metric: Metric, attributes: dict[str, str]) -> None:
    counter = _instrument("create_counter", metric)
    if counter is not None:
        counter.add(1, attributes)


@lru_cache(maxsize=16)
def _instrument(kind: str, metric: Metric) -> Any:
    metrics = _open_telemetry("metrics")
    if metrics is None:
        return None
    meter = metrics.get_meter(_config.instrumentation_scope)
    return getattr(meter, kind)(metric.name, description=metric.help)


def _fail(span: Any, error: Exception) -> None:
    trace = _open_telemetry("trace")
    if trace is None or not span.is_recording():
        return
    error_type, text = describe(error)
    span.set_status(trace.StatusCode.ERROR, text)
    span.add_event("exception", {"exception.type": error_type, "exception.message": text})


def _open_telemetry(module: str) -> ModuleType | None:
    """Return the module of OpenTelemetry's interface; None where it is not installed."""
    try:
        from opentelemetry import metrics, propagate, trace  # noqa: PLC0415 - optional
    except ImportError:
        return None
    return {"metrics": metrics, "propagate": propagate, "trace": trace}[module]
