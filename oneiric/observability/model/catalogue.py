"""A catalogue: all signals, the metrics that they feed, and the check that they fit their events."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, get_args

from oneiric.core.events import Event, Operation, State
from oneiric.observability.model.metrics import CatalogueError, Driver, Label, Metric, MetricType
from oneiric.observability.model.signals import COMMON_FIELDS, Count, Log, Observe, Read, Signal

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Catalogue:
    """Every signal, and what follows from them; checked when it is made.

    Attributes:
        signals: One for each event and state type, in the order in which log events and spans are listed.

    Raises:
        CatalogueError: Two metrics of one name, two signals of one type, a label, field, value or phase that the event
            does not have, or a binding to a metric or type that it does not fit; the text names the signal, what is
            wrong, and what would be right.
    """

    signals: tuple[Signal, ...]

    def __post_init__(self) -> None:
        _refuse_duplicates("metric", [metric.name for metric in self.metrics])
        _refuse_duplicates("signal", [signal.event.__name__ for signal in self.signals])
        for metric in self.metrics:
            _check_metric(metric, self)
        for signal in self.signals:
            _check_signal(signal)
        for metric in self.metrics:
            _refuse_values_that_nothing_gives(metric, self)

    @cached_property
    def metrics(self) -> tuple[Metric, ...]:
        """Every metric that a signal feeds, in the order in which they are made."""
        fed = {id(binding.metric): binding.metric for signal in self.signals for binding in signal.metrics}
        return tuple(sorted(fed.values(), key=lambda metric: metric.number))

    def signal(self, event_type: type[Event | State]) -> Signal | None:
        """Return the signal of *event_type*, or None."""
        return next((signal for signal in self.signals if signal.event is event_type), None)

    @property
    def log_events(self) -> tuple[tuple[Signal, Log], ...]:
        """Every log event with its signal, in the catalogue's order."""
        return tuple((signal, log) for signal in self.signals for log in signal.logs)

    @property
    def common_fields(self) -> frozenset[str]:
        """Every field that a log line can have whatever its event."""
        return COMMON_FIELDS

    @property
    def unused(self) -> dict[str, str]:
        """Why nothing asks for a metric or log event, by its name; those that something asks for are not in it."""
        named: list[Metric | Log] = [*self.metrics, *(log for _, log in self.log_events)]
        return {one.name: one.unused for one in named if one.unused}


_BINDINGS: Mapping[type, tuple[MetricType, type]] = {
    Count: ("counter", Event),
    Observe: ("histogram", Event),
    Read: ("gauge", State),
}


def _refuse_duplicates(what: str, names: list[str]) -> None:
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise CatalogueError(f"{what} defined more than once: {repeated}; define it once and bind that")


def _check_metric(metric: Metric, catalogue: Catalogue) -> None:
    is_counter, is_histogram, whole = metric.type == "counter", metric.type == "histogram", metric.part_of
    is_whole = whole is None or (whole.type == metric.type and any(whole is one for one in catalogue.metrics))
    ascending = list(metric.buckets) == sorted({*metric.buckets})
    drivers = get_args(Driver)
    rules = (
        (re.fullmatch(r"[a-z]+(_[a-z0-9]+)*", metric.name), "its name must be lower-case words joined by _"),
        (metric.name.endswith("_total") == is_counter, "a counter's name, and no other, must end in _total"),
        (bool(metric.buckets) == is_histogram, "a histogram, and no other metric, must have buckets"),
        (ascending, "its buckets must ascend"),
        (is_whole, "part_of must be a metric of the same type that a signal of the catalogue feeds"),
        (metric.moved_by in {None, *drivers}, f"moved_by must be one of {', '.join(drivers)}"),
    )
    for holds, rule in rules:
        if not holds:
            raise CatalogueError(f"{metric.name}: {rule}")


def _check_signal(signal: Signal) -> None:
    is_operation = issubclass(signal.event, Operation)
    for binding in signal.metrics:
        _check_binding(signal, binding)
    for log in signal.logs:
        _need(signal, log.name, {*log.fields})
        if bool(log.on) != is_operation:
            rule = "an operation's log event needs on=, its phases" if is_operation else "on= is for an operation only"
            raise CatalogueError(f"{signal.event.__name__}: {log.name}: {rule}")
    for gone in signal.gone:
        _need(signal, "gone", {*gone.labels, gone.when} - {""})
    _need(signal, "known", {*signal.known})
    _need(signal, "within", {*signal.within})


def _check_binding(signal: Signal, binding: Count | Observe | Read) -> None:
    metric, (metric_type, base) = binding.metric, _BINDINGS[type(binding)]
    if metric.type != metric_type or not issubclass(signal.event, base):
        raise CatalogueError(
            f"{signal.event.__name__}: {metric.name} cannot be a {type(binding).__name__}, which binds a {metric_type}"
            f" to a kind of {base.__name__}; the metric is a {metric.type}"
        )
    _need(signal, metric.name, {*metric.label_names} - {*binding.const} | _value_field(binding))
    for label in metric.labels:
        if label.values and not label.open:
            _refuse_others(signal, metric, label, _given(signal, binding, label) - {*label.values})


def _refuse_others(signal: Signal, metric: Metric, label: Label, others: set[str]) -> None:
    if others:
        raise CatalogueError(
            f"{signal.event.__name__}: {metric.name} cannot have {label.name} {sorted(others)}: the label's values are"
            f" {', '.join(label.values)}; Label.of takes them from the event"
        )


def _given(signal: Signal, binding: Count | Observe | Read, label: Label) -> set[str]:
    """Return the values that *binding* gives *label*, none where they are not known."""
    fixed = binding.const.get(label.name)
    return {*signal.literals(label.name)} if fixed is None else {fixed}


def _refuse_values_that_nothing_gives(metric: Metric, catalogue: Catalogue) -> None:
    fed = [(signal, one) for signal in catalogue.signals for one in signal.metrics if one.metric is metric]
    for label in metric.labels:
        if label.open or not label.values:
            continue
        given = [_given(signal, binding, label) for signal, binding in fed]
        if all(given) and (never := sorted({*label.values} - set().union(*given))):
            raise CatalogueError(f"{metric.name}: no signal gives {label.name} the value {', '.join(never)}")


def _value_field(binding: Count | Observe | Read) -> set[str]:
    if isinstance(binding, Observe):
        return {"duration"}
    return {binding.amount if isinstance(binding, Count) else binding.value} - {""}


def _need(signal: Signal, where: str, needed: set[str]) -> None:
    if missing := sorted(needed - signal.fields):
        raise CatalogueError(
            f"{signal.event.__name__}: {where} needs {missing}, which the event does not have;"
            f" it has {sorted(signal.fields)}"
        )
