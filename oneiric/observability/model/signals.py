"""Signals: what is counted, logged and traced of one event or state type."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from oneiric.core.events import Event, Finished, Operation, State
from oneiric.observability.model.metrics import literals

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oneiric.observability.events import Level
    from oneiric.observability.model.metrics import Metric

Phase = Literal["started", "success", "failed", "skipped", "cancelled"]

ENDED: tuple[Phase, ...] = ("success", "failed", "skipped", "cancelled")

COMPONENT_FIELDS = ("domain", "key", "provider")
"""Fields of every log line whose event has a value for them."""
ERROR_FIELDS = ("error_type", "error")
"""Fields of the log lines of a failure."""
LINE_FIELDS = (
    *("timestamp", "level", "logger", "event", "service.name", "service.version", "deployment.environment"),
    *("trace_id", "span_id", "suppressed"),
)
"""Fields that the logging set-up and the log sink add to a line."""
COMMON_FIELDS = frozenset({*LINE_FIELDS, *COMPONENT_FIELDS, *ERROR_FIELDS})
"""Every field that a log line can have whatever its event."""


@dataclass(frozen=True, slots=True)
class Count:
    """Add to a counter: 1, or what the event field *amount* has, 0 or more; of an operation in the phases *on* only.

    ``const`` fixes label values that no event field gives.
    """

    metric: Metric
    amount: str = ""
    on: tuple[Phase, ...] = ENDED
    const: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Observe:
    """Put the event's duration, in seconds times *scale*, into a histogram; of an operation in the phases *on* only."""

    metric: Metric
    scale: float = 1.0
    on: tuple[Phase, ...] = ENDED
    const: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Read:
    """Set a gauge to the state field *value* (True is 1, None leaves the sample out); "" reads as 1."""

    metric: Metric
    value: str = ""
    const: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Log:
    """One log event.

    Attributes:
        name: What stands under ``event``.
        level: Its level.
        fields: Event fields it carries beside the common ones; ``duration_ms`` is the duration in milliseconds.
        on: For an operation, the phases in which it is written.
        const: Fields with a fixed value.
        limited: Whether the rate limit applies.
        unused: Why no query asks for it; as that of a metric.
    """

    name: str
    level: Level
    fields: tuple[str, ...] = ()
    on: tuple[Phase, ...] = ()
    const: Mapping[str, str] = field(default_factory=dict)
    limited: bool = False
    unused: str = ""


@dataclass(frozen=True, slots=True)
class Gone:
    """Series with the event's values of *labels* go away when the event's boolean field *when* is true ("": always).

    With *gauges*, so do gauges that can still be read.
    """

    labels: tuple[str, ...]
    when: str = ""
    gauges: bool = True


@dataclass(frozen=True, slots=True)
class Signal:
    """What is counted, logged and traced of one event or state type.

    Attributes:
        event: The type.
        area: Last part of the logger name.
        metrics: What is counted and observed of it; for a state, what is read from it.
        logs: Its log events.
        span: The name of an operation's span, or of the event on the current span.
        known: Labels whose values the event makes known: metrics with no other open label start at 0.
        gone: Series that go away.
        within: Labels of what the event is about: once that is gone, no series is made anew for it.
    """

    event: type[Event | State]
    area: str
    metrics: tuple[Count | Observe | Read, ...] = ()
    logs: tuple[Log, ...] = ()
    span: str = ""
    known: tuple[str, ...] = ()
    gone: tuple[Gone, ...] = ()
    within: tuple[str, ...] = ()

    @property
    def fields(self) -> frozenset[str]:
        """The names that labels and log fields of this signal can take values from."""
        names = {*self.event.__struct_fields__}
        if issubclass(self.event, Operation):
            names |= {*Finished.__struct_fields__} - {"operation"}
        if "duration" in names:
            names.add("duration_ms")
        return frozenset(names)

    def literals(self, name: str) -> tuple[str, ...]:
        """Return the values that the Literal type of the event's field *name* enumerates, () for another type."""
        return literals(self.event, name)
