"""The series of counters and histograms: label sets to cells, bounded by a budget.

Reading takes no lock, so that a scrape never makes the runtime wait; writing is under the lock of whoever owns the
families.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

from oneiric.observability._model import OTHER, Metric

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LabelSet: TypeAlias = tuple[str, ...]


class CounterCell:
    """The value of one counter series."""

    __slots__ = ("value",)

    def __init__(self, metric: Metric) -> None:
        del metric
        self.value = 0.0


class HistogramCell:
    """The bucket counts (not cumulative, +Inf last) and the sum of one histogram series."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, metric: Metric) -> None:
        self.bounds = metric.buckets
        self.counts = [0] * (len(metric.buckets) + 1)
        self.sum = 0.0


CellT = TypeVar("CellT", CounterCell, HistogramCell)


class Family(Generic[CellT]):
    """The cells of one metric by label set, at most *budget* of them beside the folded ones.

    A new label set over the budget is folded into the one whose open values are ``_other``, and ``folded`` is called
    with the metric's name; the folded sets are as many as domains and enumerated values allow. Not thread-safe for
    writers.
    """

    def __init__(
        self, metric: Metric, cell: Callable[[Metric], CellT], *, budget: int, folded: Callable[[str], None]
    ) -> None:
        self.metric = metric
        self.cells: dict[LabelSet, CellT] = {}
        self._cell: Callable[[Metric], CellT] = cell
        self._budget = budget
        self._folded = folded
        self._open = tuple(label.open for label in metric.labels)
        self._folds = 0

    def at(self, labels: LabelSet) -> CellT:
        """Return the cell of *labels*, or the folded one when *labels* are new and the budget is spent."""
        cell = self.cells.get(labels)
        return self._miss(labels) if cell is None else cell

    def determined_by(self, known: frozenset[str]) -> bool:
        """Whether values of the labels *known*, at least one of them ours, determine our label sets."""
        names = set(self.metric.label_names)
        return bool(names & known) and all(label.name in known or label.values for label in self.metric.labels)

    def prepare(self, known: Mapping[str, str]) -> None:
        """Start at 0 the cells that *known* label values and enumerated values span, as far as the budget goes."""
        axes = [(known[label.name],) if label.name in known else label.values for label in self.metric.labels]
        for labels in product(*axes):
            if labels not in self.cells and self._has_room():
                self.cells[labels] = self._cell(self.metric)

    def forget(self, gone: Mapping[str, str]) -> None:
        """Remove every cell whose labels have all the values of *gone*."""
        names = self.metric.label_names
        wanted = [(names.index(name), value) for name, value in gone.items()]
        for labels in list(self.cells):
            if all(labels[index] == value for index, value in wanted):
                self.cells.pop(labels, None)

    def _has_room(self) -> bool:
        return len(self.cells) - self._folds < self._budget or not self.metric.foldable

    def _miss(self, labels: LabelSet) -> CellT:
        labels = fit_labels(labels)
        if labels not in self.cells and not self._has_room():
            self._folded(self.metric.name)
            labels = tuple(OTHER if is_open else value for value, is_open in zip(labels, self._open, strict=True))
            self._folds += labels not in self.cells
        return self.cells.setdefault(labels, self._cell(self.metric))


def fit_labels(labels: tuple[object, ...]) -> LabelSet:
    """Return *labels* as text that any exposition format can hold; those that are so already are kept, not copied."""
    return tuple(
        value if type(value) is str and value.isascii() else str(value).encode("utf-8", "replace").decode()
        for value in labels
    )
