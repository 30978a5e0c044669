"""PromQL made of the catalogue's metrics: what does not fit a metric is an error where the expression is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from oneiric.observability.model import Metric

TARGET_LABELS = frozenset({"job", "instance"})
"""What Prometheus adds to every series that it scrapes."""

_ATOM, _UNARY, _TIMES, _PLUS, _COMPARED, _AND, _OR = range(7)


class ExpressionError(ValueError):
    """An expression asks a metric for what it does not have; the text says what."""


@dataclass(frozen=True, slots=True)
class Expr:
    """An instant vector, or a number; immutable.

    Attributes:
        text: Its PromQL.
        labels: The labels that its series can have.
        metrics: Names of the metrics that it reads.
        level: How loosely its outermost operator binds.
        is_vector: Whether it has series; a number has none.
    """

    text: str
    labels: frozenset[str] = frozenset()
    metrics: frozenset[str] = frozenset()
    level: int = _ATOM
    is_vector: bool = True

    def __str__(self) -> str:
        return self.text

    def __gt__(self, other: Expr | float) -> Expr:
        return self._joined(">", other, _COMPARED)

    def __ge__(self, other: Expr | float) -> Expr:
        return self._joined(">=", other, _COMPARED)

    def __lt__(self, other: Expr | float) -> Expr:
        return self._joined("<", other, _COMPARED)

    def __le__(self, other: Expr | float) -> Expr:
        return self._joined("<=", other, _COMPARED)

    def __add__(self, other: Expr | float) -> Expr:
        return self._joined("+", other, _PLUS)

    def __sub__(self, other: Expr | float) -> Expr:
        return self._joined("-", other, _PLUS)

    def __mul__(self, other: Expr | float) -> Expr:
        return self._joined("*", other, _TIMES)

    def __truediv__(self, other: Expr | float) -> Expr:
        return self._joined("/", other, _TIMES)

    def __and__(self, other: Expr) -> Expr:
        return self._joined("and", other, _AND)

    def __or__(self, other: Expr) -> Expr:
        return self._joined("or", other, _OR)

    def equal(self, other: Expr | float) -> Expr:
        """Return the series of this that equal *other*."""
        return self._joined("==", other, _COMPARED)

    def unequal(self, other: Expr | float) -> Expr:
        """Return the series of this that differ from *other*."""
        return self._joined("!=", other, _COMPARED)

    def unless(self, other: Expr) -> Expr:
        """Return the series of this without a counterpart in *other*."""
        return self._joined("unless", other, _AND)

    def matched(self, operator: str, other: Expr, *, on: Iterable[str], several: bool = False) -> Expr:
        """Return this joined to *other* with *operator*, where they agree on the labels *on* alone.

        With *several*, many series of this go with one of the other.
        """
        labels = tuple(on)
        _need(labels, self.labels & other.labels, f"both sides of {operator}")
        level = {"and": _AND, "unless": _AND, "or": _OR, "*": _TIMES, "/": _TIMES, "+": _PLUS, "-": _PLUS}.get(operator)
        grouped = " group_left ()" if several else ""
        return self._joined(
            f"{operator} on ({', '.join(labels)}){grouped}", other, _COMPARED if level is None else level
        )

    def _joined(self, operator: str, other: Expr | float, level: int) -> Expr:
        if not isinstance(other, Expr):
            other = scalar(other)
        left = self.text if self.level <= level else f"({self.text})"
        right = other.text if other.level < level else f"({other.text})"
        labels = self.labels | other.labels if level == _OR or not self.is_vector else self.labels
        metrics, is_vector = self.metrics | other.metrics, self.is_vector or other.is_vector
        return Expr(f"{left} {operator} {right}", labels, metrics, level, is_vector)


NOW = Expr("time()", is_vector=False)
"""The time of the evaluation, in seconds since the Unix epoch."""


def number(value: float) -> str:
    """Return *value* as PromQL and the exposition write it: 30000, 0.1, 1e-05."""
    return str(int(value)) if value == int(value) else repr(float(value))


def call(function: str, argument: Expr, *more: str) -> Expr:
    """Return *function* of *argument*, with *more* arguments before it; labels stay."""
    return Expr(f"{function}({', '.join((*more, argument.text))})", argument.labels, argument.metrics)


def total(argument: Expr, *, by: Iterable[str] = (), operator: str = "sum") -> Expr:
    """Return *argument* aggregated by the labels *by*; ExpressionError for one that it does not have."""
    labels = tuple(by)
    _need(labels, argument.labels, argument.text)
    grouping = f" by ({', '.join(labels)}) " if labels else ""
    return Expr(f"{operator}{grouping}({argument.text})", frozenset(labels), argument.metrics)


def quantile(share: float, buckets: Expr) -> Expr:
    """Return the quantile *share* (0 to 1) of *buckets*, rates that still have the label ``le``."""
    _need(("le",), buckets.labels, buckets.text)
    return Expr(f"histogram_quantile({number(share)}, {buckets.text})", buckets.labels - {"le"}, buckets.metrics)


def scalar(value: float) -> Expr:
    """Return a number to calculate from: ``scalar(1) - ratio``."""
    return Expr(number(value), is_vector=False)


def absent(argument: Expr) -> Expr:
    """Return 1 with the labels that *argument*, a selector, asks for, where there is no series of it."""
    return Expr(f"absent({argument.text})", argument.labels, argument.metrics)


def grown(selector: Expr, window: str, *, known: str) -> Expr:
    """Return by how much each counter of *selector* grew over *window*, one that was not there before counting whole.

    It was not there if it had no sample in the time *known* before the window. A moment would not do: where a scrape
    was missed just then, counts of long ago would come again.
    """
    return new(selector, window, known=known) | call("increase", _ranged(selector, window))


def new(selector: Expr, window: str, *, known: str) -> Expr:
    """Return the series of *selector* that had no sample in the time *known* before the *window*."""
    return selector.unless(call("last_over_time", before(window, _ranged(selector, known))))


def changes(selector: Expr, window: str) -> Expr:
    """Return how often the values of *selector* changed over *window*, of series that are there still."""
    return call("changes", _ranged(selector, window)) & selector


def labelled(argument: Expr, label: str, value: str) -> Expr:
    """Return *argument* with the label *label* of the fixed *value*."""
    return Expr(
        f'label_replace({argument.text}, "{label}", "{value}", "", "")', argument.labels | {label}, argument.metrics
    )


def before(window: str, selector: Expr) -> Expr:
    """Return the values of *selector* a *window* ago."""
    return Expr(f"{selector.text} offset {window}", selector.labels, selector.metrics)


class PromQL:
    """Makes expressions over metrics of the catalogue that share matchers, such as those of a job.

    Args:
        matchers: Label matchers of every selector, by label: the text after the name (``="oneiric"``, ``=~"$job"``).
            One whose label a metric does not have is left out, unless it is a target's label.
        targets: Further labels that the scrape configuration gives to the targets.
    """

    def __init__(self, matchers: Mapping[str, str], targets: Iterable[str] = ()) -> None:
        self._matchers = dict(matchers)
        self.target_labels = TARGET_LABELS | frozenset(targets)

    def series(self, metric: Metric, /, *, suffix: str = "", **labels: str | tuple[str, ...]) -> Expr:
        """Return the series of *metric* with the given label values; a tuple stands for any of its values.

        *suffix* is ``_bucket``, ``_sum`` or ``_count`` of a histogram, whose label ``le`` can then be given.

        Raises:
            ExpressionError: A label that the metric lacks, a value that its enumeration or buckets do not have, a
                histogram without a suffix, or a suffix on anything else.
        """
        allowed = ("_bucket", "_sum", "_count") if metric.type == "histogram" else ("",)
        if suffix not in allowed:
            raise ExpressionError(f"{metric.name}{suffix}: a {metric.type} has {', '.join(allowed) or 'no suffix'}")
        own = frozenset(metric.label_names) | ({"le"} if suffix == "_bucket" else frozenset())
        for name, value in labels.items():
            _check_label(metric, name, value, own)
        common = {name: text for name, text in self._matchers.items() if name in own | self.target_labels}
        matchers = common | {name: _matcher(name, value) for name, value in labels.items()}
        inside = ", ".join(f"{name}{text}" for name, text in matchers.items())
        text = f"{metric.name}{suffix}{{{inside}}}" if inside else f"{metric.name}{suffix}"
        return Expr(text, own | self.target_labels, frozenset({metric.name}))

    def foreign(self, name: str, window: str = "", /) -> Expr:
        """Return the series of *name*, which another collector of the same targets exposes; over *window*, its rate."""
        inside = ", ".join(f"{label}{text}" for label, text in self._matchers.items() if label in self.target_labels)
        series = Expr(f"{name}{{{inside}}}", self.target_labels)
        return call("rate", _ranged(series, window)) if window else series

    def up(self) -> Expr:
        """Return whether the targets could be scraped."""
        return self.foreign("up")

    def rate(self, metric: Metric, window: str, /, *, suffix: str = "", **labels: str | tuple[str, ...]) -> Expr:
        """Return the per-second rate of *metric* over *window*; ExpressionError for a gauge."""
        return self._over("rate", metric, window, suffix, labels)

    def increase(self, metric: Metric, window: str, /, *, suffix: str = "", **labels: str | tuple[str, ...]) -> Expr:
        """Return the increase of *metric* over *window*; ExpressionError for a gauge."""
        return self._over("increase", metric, window, suffix, labels)

    def above(self, metric: Metric, bound: float, /) -> Expr:
        """Return how many observations of a histogram were ever above *bound*, one of its buckets.

        Take the increase of what a rule recorded of it: increases of the two counts are extrapolated each in its own
        way, and differ where nothing was above.
        """
        everything = self.series(metric, suffix="_count")
        below = self.series(metric, suffix="_bucket", le=number(bound))
        text = f"{everything.text} - ignoring (le) {below.text}"
        return Expr(text, everything.labels, everything.metrics, _PLUS)

    def recorded(self, record: str, like: Expr, /) -> Expr:
        """Return the series that a recording rule makes from *like* under the name *record*.

        The matchers are asked for again: in one Prometheus, others may record their series under the same name.
        """
        inside = ", ".join(f"{label}{text}" for label, text in self._matchers.items() if label in like.labels)
        return Expr(f"{record}{{{inside}}}" if inside else record, like.labels, like.metrics)

    def _over(
        self, function: str, metric: Metric, window: str, suffix: str, labels: Mapping[str, str | tuple[str, ...]]
    ) -> Expr:
        if metric.type == "gauge":
            raise ExpressionError(f"{function}() of {metric.name}, which is a gauge")
        return call(function, _ranged(self.series(metric, suffix=suffix, **labels), window))


def _ranged(selector: Expr, window: str) -> Expr:
    return Expr(f"{selector.text}[{window}]", selector.labels, selector.metrics)


def _check_label(metric: Metric, name: str, value: str | tuple[str, ...], own: frozenset[str]) -> None:
    _need((name,), own, metric.name)
    allowed = next((label.values for label in metric.labels if label.name == name), ())
    if name == "le":
        allowed = (*map(number, metric.buckets), "+Inf")
    if allowed and (wrong := {value} - {*allowed} if isinstance(value, str) else {*value} - {*allowed}):
        raise ExpressionError(f"{metric.name}: {name} is never {sorted(wrong)}; it is one of {', '.join(allowed)}")


def _matcher(name: str, value: str | tuple[str, ...]) -> str:
    if isinstance(value, tuple):
        return f'=~"{"|".join(value)}"'
    # A bound that is whole is written 30000 by some, 30000.0 by others, Prometheus 3 among them.
    return f'=~"{value}([.]0)?"' if name == "le" and value.isdigit() else f'="{value}"'


def _need(names: tuple[str, ...], has: frozenset[str], what: str) -> None:
    if missing := sorted({*names} - has):
        raise ExpressionError(f"{what} has no label {', '.join(missing)}; it has {', '.join(sorted(has)) or 'none'}")
