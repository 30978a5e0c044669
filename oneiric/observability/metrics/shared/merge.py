"""Add up the series of several processes: counters and histograms exactly, gauges as each metric says."""

from __future__ import annotations

from math import isfinite
from operator import add
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from oneiric.observability.metrics.families import Distribution, Snapshot
from oneiric.observability.metrics.gauges import oldest
from oneiric.observability.metrics.labels import LabelSet, fit_labels
from oneiric.observability.metrics.shared.cells import KINDS
from oneiric.observability.metrics.shared.format import CONTENTS, GAUGE, CorruptFileError, Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from oneiric.observability.metrics.exemplar import Exemplar
    from oneiric.observability.model import Metric

MAX_UNKNOWN: Final = 10_000
"""Series of other releases that are kept when files are put together."""


class Series(NamedTuple):
    """One series: its metric, its labels and its numbers, for a histogram the counts of its buckets and the sum."""

    metric: Metric
    labels: LabelSet
    numbers: Sequence[float]


class Totals:
    """Series added up, at most *budget* of a metric beside the folded ones; which are folded depends on the order."""

    def __init__(self, *, budget: int) -> None:
        self.values: dict[str, dict[LabelSet, Sequence[float]]] = {}
        self._budget = budget
        self._folds: dict[str, int] = {}

    def add(self, series: Iterable[Series]) -> None:
        """Add *series*."""
        for metric, own_labels, numbers in series:
            known = self.values.setdefault(metric.name, {})
            labels = own_labels if own_labels in known else self._fit(metric, own_labels, len(known))
            known[labels] = _combined(metric, known[labels], numbers) if labels in known else numbers

    def _fit(self, metric: Metric, labels: LabelSet, count: int) -> LabelSet:
        if not metric.foldable:
            return labels
        folds = self._folds.get(metric.name, 0)
        folded = metric.folded(labels)
        if labels != folded and count - folds < self._budget:
            return labels
        if folded not in self.values[metric.name]:
            self._folds[metric.name] = folds + 1
        return folded


def series_of(records: Iterable[Record], metrics: Mapping[str, Metric]) -> tuple[list[Series], list[Record]]:
    """Return the series in *records*, and the records of metrics that are not in *metrics* or are otherwise there.

    Raises CorruptFileError where something stands that none of us writes.
    """
    series, unknown = [], []
    for record in records:
        if record.kind == CONTENTS:
            continue
        try:
            name, labels = _decode(record.key)
        except msgspec.DecodeError as error:
            raise CorruptFileError(f"has a series without a name: {error}") from error
        metric = metrics.get(name)
        if metric is None or not _fits(record, metric, labels):
            unknown.append(record)
            continue
        _check(record)
        series.append(Series(metric, fit_labels(labels), record.numbers))
    return series, unknown


def merged_records(files: Iterable[Sequence[Record]], metrics: Mapping[str, Metric], *, budget: int) -> list[Record]:
    """Return the counters and histograms of *files* added up, as records; those of other releases are kept."""
    totals = Totals(budget=budget)
    others: dict[tuple[int, bytes, int], Sequence[float]] = {}
    for records in files:
        series, unknown = series_of([record for record in records if record.kind != GAUGE], metrics)
        totals.add(series)
        for kind, key, numbers in unknown:
            place = kind, key, len(numbers)
            if place in others or len(others) < MAX_UNKNOWN:
                others[place] = list(map(add, others[place], numbers)) if place in others else numbers
    known = [
        Record(KINDS[metrics[name].type], _encode((name, labels)), numbers)
        for name, values in totals.values.items()
        for labels, numbers in values.items()
    ]
    return known + [Record(kind, key, numbers) for (kind, key, _), numbers in others.items()]


def series_in(snapshot: Snapshot) -> list[Series]:
    """Return the series of *snapshot*."""
    metric = snapshot.metric
    values: Iterable[Sequence[float]] = (
        ((*value.counts, value.sum) for value in snapshot.values)
        if metric.type == "histogram"
        else ((value,) for value in snapshot.values)
    )
    return [Series(metric, labels, numbers) for labels, numbers in zip(snapshot.labels, values, strict=True)]


class Texts:
    """Places for the texts of label sets, kept from scrape to scrape for as long as the label sets are there."""

    def __init__(self) -> None:
        self._places: dict[str, dict[LabelSet, _Text]] = {}

    def of(self, metric: Metric, labels: Iterable[LabelSet]) -> list[_Text]:
        """Return the places for *labels*, all that *metric* has."""
        before = self._places.get(metric.name, {})
        self._places[metric.name] = places = {own: before.get(own) or _Text() for own in labels}
        return list(places.values())


def merged_snapshot(own: Snapshot, totals: Totals, texts: Texts) -> Snapshot:
    """Return what *totals* has of the metric of *own*, with the exemplars of *own*."""
    values = totals.values.get(own.metric.name, {})
    labels, cells = list(values), texts.of(own.metric, values)
    if own.metric.type != "histogram":
        return Snapshot(own.metric, labels, [numbers[0] for numbers in values.values()], cells)
    exemplars: dict[LabelSet, Sequence[Exemplar | None] | None] = {
        key: value.exemplars for key, value in zip(own.labels, own.values, strict=True)
    }
    distributions = [
        Distribution(list(map(int, numbers[:-1])), numbers[-1], exemplars.get(key)) for key, numbers in values.items()
    ]
    return Snapshot(own.metric, labels, distributions, cells)


class _Text:
    __slots__ = ("text",)

    def __init__(self) -> None:
        self.text: Any = None


def _fits(record: Record, metric: Metric, labels: LabelSet) -> bool:
    numbers = len(metric.buckets) + 2 if metric.type == "histogram" else 1
    return (record.kind, len(record.numbers), len(labels)) == (KINDS[metric.type], numbers, len(metric.labels))


def _check(record: Record) -> None:
    counts = record.numbers[:-1]
    if not all(isfinite(count) and count >= 0 and count.is_integer() for count in counts):
        raise CorruptFileError(f"has an impossible number of observations: {counts}")


def _combined(metric: Metric, left: Sequence[float], right: Sequence[float]) -> Sequence[float]:
    if metric.type != "gauge" or metric.merge == "sum":
        return list(map(add, left, right))
    return (_COMBINE[metric.merge](left[0], right[0]),)


_COMBINE: Final[Mapping[str, Callable[[float, float], float]]] = {
    "max": max,
    "min": min,
    "oldest": oldest,
    "own": lambda left, _: left,
}
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(tuple[str, LabelSet]).decode
