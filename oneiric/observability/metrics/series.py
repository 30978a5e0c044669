"""The counters and histograms of a catalogue, each a family of series."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.observability.fields import label_values
from oneiric.observability.metrics.families import Distribution, Snapshot
from oneiric.observability.model import Count, Observe

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from oneiric.core.events import Event
    from oneiric.observability.metrics.cells import CounterLike, Family, HistogramLike
    from oneiric.observability.metrics.gauges import Gauges
    from oneiric.observability.metrics.shared import Budgeted
    from oneiric.observability.metrics.writes import AnyFamily
    from oneiric.observability.model import Metric, Signal


class Series:
    """The families of one sink, by the name of their metric.

    Has no lock: everything is called in a turn of the backlog, but a scrape that interrupts the counting copies without
    one, and a child of a fork, which has one thread, clears.

    Args:
        metrics: Of the catalogue.
        options: Makes the families.
    """

    def __init__(self, metrics: Iterable[Metric], options: Budgeted) -> None:
        self.counters: dict[str, Family[CounterLike]] = {}
        self.histograms: dict[str, Family[HistogramLike]] = {}
        for metric in metrics:
            if metric.type == "counter":
                self.counters[metric.name] = options.counters(metric)
            elif metric.type == "histogram":
                self.histograms[metric.name] = options.histograms(metric)
        for family in self:
            family.prepare({})

    def __iter__(self) -> Iterator[AnyFamily]:
        """Yield every family, counters first."""
        yield from self.counters.values()
        yield from self.histograms.values()

    def own_cells(
        self, signal: Signal, event: Event
    ) -> tuple[list[CounterLike], list[tuple[HistogramLike, float]]] | None:
        """Return the cells that *event* adds 1 to, and those that its duration goes into, with their scales.

        None where it changes anything else, or a label set of it has no series of its own.
        """
        counters: list[CounterLike] = []
        histograms: list[tuple[HistogramLike, float]] = []
        for binding in signal.metrics:
            labels = label_values(signal.event, binding.metric.label_names, binding.const)(event)
            if isinstance(binding, Count) and not binding.amount:
                counter = self.counters[binding.metric.name].own(labels)
                if counter is None:
                    return None
                counters.append(counter)
            elif isinstance(binding, Observe):
                histogram = self.histograms[binding.metric.name].own(labels)
                if histogram is None:
                    return None
                histograms.append((histogram, binding.scale))
            else:
                return None
        return counters, histograms

    def fold_further(self) -> None:
        """Fold every label set that has no series yet."""
        for family in self:
            family.fold_further()

    def clear(self) -> None:
        """Start every series from zero."""
        for family in self:
            for cell in family.cells.values():
                cell.clear()

    def snapshot(self, metric: Metric, gauges: Gauges) -> Snapshot:
        """Return the values of *metric*, those of a gauge from *gauges*."""
        if metric.type == "counter":
            counters = self.counters[metric.name].cells.copy()
            cells = list(counters.values())
            return Snapshot(metric, list(counters), [cell.value for cell in cells], cells)
        if metric.type == "histogram":
            histograms = self.histograms[metric.name].cells.copy()
            values = list(map(_distribution, histograms.values()))
            return Snapshot(metric, list(histograms), values, list(histograms.values()))
        samples = gauges.values.get(metric.name, {})
        return Snapshot(metric, list(samples), list(samples.values()))


def _distribution(cell: HistogramLike) -> Distribution:
    return Distribution(cell.counts, cell.sum, None if cell.exemplars is None else cell.exemplars[:])
