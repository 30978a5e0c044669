"""The telemetry of a stretch of time: changes of series, lines written, spans ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar

from oneiric.testing.names import samples
from oneiric.testing.selectors import EventSelector, MetricSelector, SpanSelector, event, span

if TYPE_CHECKING:
    from oneiric.testing.kept import Kept
    from oneiric.testing.lines import LogLine
    from oneiric.testing.spans import SpanRecord

Labels: TypeAlias = tuple[tuple[str, str], ...]
Samples: TypeAlias = dict[str, dict[Labels, float]]
"""Values by sample name and labels."""

T = TypeVar("T")


class Captured(Protocol):
    """The telemetry that a window is part of."""

    lines: Kept[LogLine]
    ended: Kept[SpanRecord]

    @property
    def telemetries(self) -> int:
        """How many telemetries are read."""

    def samples(self) -> Samples:
        """Scrape."""

    def joined(self, since: int) -> Samples:
        """Return the counts that telemetries after the first *since* had when they were attached."""


class Window:
    """The telemetry since it was made, up to now or up to its end.

    Thread-safe; what the runtime reports in this time, in whatever thread or task, is in it.
    """

    def __init__(self, source: Captured) -> None:
        self._source = source
        self._after: Samples | None = None
        self._came: tuple[list[LogLine], list[SpanRecord]] | None = None
        self._lost = 0
        self._telemetries = source.telemetries
        self._before = source.samples()
        self._marks = source.lines.count, source.ended.count

    @property
    def before(self) -> Samples:
        """The values at its beginning; of what was attached later, when it was attached."""
        return added(self._before, self._source.joined(self._telemetries))

    @property
    def after(self) -> Samples:
        """The values at its end, or now."""
        return self._source.samples() if self._after is None else self._after

    @property
    def lost(self) -> int:
        """How many lines and spans came, but were let go because there were too many."""
        return self._lost

    def end(self) -> None:
        """Hold what there is: later telemetry is not in it, unless it ends again."""
        self._came = None
        self._came = self._look()
        self._after = self._source.samples()

    def delta(self, selector: MetricSelector) -> float:
        """Return by how much the series that *selector* means changed, together.

        Of a counter or histogram, a series that went away did not change, and one that fell went away and began at 0.
        """
        selector.refuse_if_ambiguous()
        return self.change(selector)

    def events(self, name: str | EventSelector | None = None, /, **fields: object) -> list[LogLine]:
        """Return the lines of the log event *name* with these *fields*; without a name, every line."""
        lines, _ = self._look()
        if name is None:
            return lines
        selector = event(name, **fields) if isinstance(name, str) else name
        return [line for line in lines if selector.matches(line)]

    def spans(
        self, name: str | SpanSelector | None = None, /, *, status: str | None = None, **attributes: object
    ) -> list[SpanRecord]:
        """Return the ended spans called *name* with this *status* and *attributes*; without a name, every span."""
        _, ended = self._look()
        if name is None:
            return ended
        selector = span(name, status=status, **attributes) if isinstance(name, str) else name
        return [record for record in ended if selector.matches(record)]

    def change(self, selector: MetricSelector) -> float:
        """Return the delta, also of a histogram as a whole: by how many observations."""
        changed = self.changes(selector.sample)
        return sum(delta for labels, delta in changed.items() if not selector.differing(dict(labels)))

    def changes(self, sample: str) -> dict[Labels, float]:
        """Return every series of *sample* that changed, with by how much."""
        before, after = self.before.get(sample, {}), self.after.get(sample, {})
        difference = _gauge_delta if samples()[sample][0].type == "gauge" else _counter_delta
        deltas = {labels: difference(before.get(labels), after.get(labels)) for labels in {**before, **after}}
        return {labels: delta for labels, delta in deltas.items() if delta}

    def _look(self) -> tuple[list[LogLine], list[SpanRecord]]:
        if self._came is not None:
            return self._came
        lines, lost_lines = self._source.lines.since(self._marks[0])
        ended, lost_spans = self._source.ended.since(self._marks[1])
        self._lost = lost_lines + lost_spans
        return lines, ended


def added(left: Samples, right: Samples) -> Samples:
    """Return the samples of both, those of one series added up."""
    if not right:
        return left
    found = {name: dict(series) for name, series in left.items()}
    for name, series in right.items():
        own = found.setdefault(name, {})
        for labels, value in series.items():
            own[labels] = own.get(labels, 0.0) + value
    return found


def value_of(values: Samples, selector: MetricSelector) -> float | None:
    """Return the sum of the series that *selector* means; without any that is 0, but None for a gauge."""
    __tracebackhide__ = True
    selector.refuse_if_ambiguous()
    series = values.get(selector.sample, {})
    found = [value for labels, value in series.items() if not selector.differing(dict(labels))]
    return None if not found and selector.metric.type == "gauge" else sum(found, 0.0)


def _counter_delta(before: float | None, after: float | None) -> float:
    if after is None:
        return 0.0
    return after - before if before is not None and after >= before else after


def _gauge_delta(before: float | None, after: float | None) -> float:
    return (after or 0.0) - (before or 0.0)
