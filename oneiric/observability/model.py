"""What a catalogue is made of: metrics, log events, spans, and the signals that bind them to event types."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from oneiric.core.events import Event, Finished, Operation, State

if TYPE_CHECKING:
    from collections.abc import Mapping

OTHER = "_other"
"""Stands for the open label values of every label set over a metric's series budget."""

MetricType = Literal["counter", "histogram", "gauge"]
Phase = Literal["started", "success", "failed", "skipped", "cancelled"]
Level = Literal["debug", "info", "warning", "error"]
Stability = Literal["plan", "beta"]

ENDED: tuple[Phase, ...] = ("success", "failed", "skipped", "cancelled")


class CatalogueError(ValueError):
    """A catalogue contradicts itself or the events it binds; the text names the signal and what is wrong."""


@dataclass(frozen=True, slots=True)
class Label:
    """A label; its name is that of an event field.

    Attributes:
        name: The label's name.
        values: The values it can have when they are enumerated, else ().
        open: Its values come from outside, and over the series budget those that are not in *values* are folded.
    """

    name: str
    values: tuple[str, ...] = ()
    open: bool = False


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric family.

    Attributes:
        name: Full name, a counter's with ``_total``.
        type: counter, histogram or gauge.
        help: One sentence for the exposition.
        labels: Its labels in order.
        buckets: Upper bounds of a histogram's buckets in the metric's unit, +Inf left out.
        stability: ``plan``: name, type and labels are frozen for good; ``beta`` otherwise.
        fold: How gauge values over the series budget combine: their sum, the smallest, or the smallest but 0
            (``oldest``).
        merge: How gauge values of several processes combine: their sum, the largest, the smallest, the smallest but 0
            (``oldest``), or not at all: each process shows its own.
    """

    name: str
    type: MetricType
    help: str
    labels: tuple[Label, ...] = ()
    buckets: tuple[float, ...] = ()
    stability: Stability = "beta"
    fold: Literal["sum", "min", "oldest"] = "sum"
    merge: Literal["sum", "max", "min", "oldest", "own"] = "sum"

    @property
    def label_names(self) -> tuple[str, ...]:
        """The names of its labels, in order."""
        return tuple(label.name for label in self.labels)

    @property
    def foldable(self) -> bool:
        """Whether it has an open label, and so a series budget."""
        return any(label.open for label in self.labels)

    def folded(self, labels: tuple[str, ...]) -> tuple[str, ...]:
        """Return the label set that *labels* count in over the budget: enumerated values stay, other open ones go."""
        return tuple(
            [
                OTHER if label.open and value not in label.values else value
                for label, value in zip(self.labels, labels, strict=True)
            ]
        )


@dataclass(frozen=True, slots=True)
class Count:
    """Add to a counter: 1, or the event field *amount*; for an operation in the phases *on* only.

    ``const`` fixes label values that no event field gives.
    """

    metric: Metric
    amount: str = ""
    on: tuple[Phase, ...] = ENDED
    const: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Observe:
    """Put the event's duration, times *scale*, into a histogram."""

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
    """

    name: str
    level: Level
    fields: tuple[str, ...] = ()
    on: tuple[Phase, ...] = ()
    const: Mapping[str, str] = field(default_factory=dict)
    limited: bool = False


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
    """All that is told of one event or state type.

    Attributes:
        event: The type.
        area: Last part of the logger name.
        metrics: What is counted and observed of it; for a state, what is read from it.
        logs: Its log events.
        span: The name of an operation's span, or of the event on the current span.
        known: Labels whose values the event makes known: metrics with no other open label start at 0.
        gone: Series that go away.
        within: Labels of what the event is told of: once that is gone, no series is made anew for it.
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


@dataclass(frozen=True)
class Catalogue:
    """Every metric and every signal; checked when it is made.

    Raises:
        CatalogueError: A name twice, a label or field that its event does not have, a binding of the wrong type, or a
            metric that no signal feeds.
    """

    metrics: tuple[Metric, ...]
    signals: tuple[Signal, ...]

    def __post_init__(self) -> None:
        _refuse_duplicates("metric", [metric.name for metric in self.metrics])
        _refuse_duplicates("signal", [signal.event.__name__ for signal in self.signals])
        for signal in self.signals:
            _check(signal)
        fed = {binding.metric.name for signal in self.signals for binding in signal.metrics}
        if wrong := fed ^ {metric.name for metric in self.metrics}:
            raise CatalogueError(f"metrics without a signal, or fed but not listed: {sorted(wrong)}")

    def signal(self, event_type: type[Event | State]) -> Signal | None:
        """Return the signal of *event_type*, or None."""
        return next((signal for signal in self.signals if signal.event is event_type), None)

    @property
    def log_events(self) -> tuple[tuple[Signal, Log], ...]:
        """Every log event with its signal, in the catalogue's order."""
        return tuple((signal, log) for signal in self.signals for log in signal.logs)


_BINDINGS: Mapping[type, tuple[MetricType, type]] = {
    Count: ("counter", Event),
    Observe: ("histogram", Event),
    Read: ("gauge", State),
}


def _refuse_duplicates(what: str, names: list[str]) -> None:
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise CatalogueError(f"{what} defined more than once: {repeated}")


def _check(signal: Signal) -> None:
    fields = signal.fields
    for binding in signal.metrics:
        metric_type, base = _BINDINGS[type(binding)]
        if binding.metric.type != metric_type or not issubclass(signal.event, base):
            raise CatalogueError(f"{signal.event.__name__}: {binding.metric.name} cannot be a {type(binding).__name__}")
        needed = {*binding.metric.label_names} - {*binding.const}
        _need(signal, binding.metric.name, needed | _value_field(binding), fields)
    for log in signal.logs:
        _need(signal, log.name, {*log.fields}, fields)
    for gone in signal.gone:
        _need(signal, "gone", {*gone.labels, gone.when} - {""}, fields)
    _need(signal, "known", {*signal.known}, fields)
    _need(signal, "within", {*signal.within}, fields)


def _value_field(binding: Count | Observe | Read) -> set[str]:
    if isinstance(binding, Observe):
        return {"duration"}
    return {binding.amount if isinstance(binding, Count) else binding.value} - {""}


def _need(signal: Signal, where: str, needed: set[str], fields: frozenset[str]) -> None:
    if missing := sorted(needed - fields):
        raise CatalogueError(f"{signal.event.__name__}: {where} needs {missing}, which the event does not have")
