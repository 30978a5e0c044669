"""The series of counters and histograms: label sets to cells, bounded by a budget.

Nothing here takes a lock: reading and writing are under the lock of whoever owns the families.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import product
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from oneiric.observability.metrics.labels import LabelSet, fit_labels

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from oneiric.observability.metrics.exemplar import Exemplar
    from oneiric.observability.model import Metric


class CounterCell:
    """The value of one counter series, and the text of its labels once somebody made it."""

    __slots__ = ("text", "value")

    def __init__(self, metric: Metric) -> None:
        del metric
        self.text: object = None
        self.value = 0.0

    def add(self, amount: float) -> None:
        """Add *amount*."""
        self.value += amount

    def clear(self) -> None:
        """Start anew."""
        self.value = 0.0


class HistogramCell:
    """The bucket counts (not cumulative, +Inf last) and the sum of one histogram series.

    The list of counts is replaced, never changed. ``exemplars`` holds the last one of each bucket; it is None until
    there is any. ``text`` is that of the labels.
    """

    __slots__ = ("bounds", "counts", "exemplars", "sum", "text")

    def __init__(self, metric: Metric) -> None:
        self.bounds = metric.buckets
        self.text: object = None
        self.exemplars: list[Exemplar | None] | None = None
        self.clear()

    def clear(self) -> None:
        """Start anew."""
        self.counts = [0] * (len(self.bounds) + 1)
        self.sum = 0.0
        self.exemplars = None

    def observe(self, value: float, exemplar: Exemplar | None = None) -> None:
        """Put *value* into its bucket."""
        place, counts = bisect_left(self.bounds, value), self.counts[:]
        counts[place] += 1
        self.counts = counts
        self.sum += value
        if exemplar is not None:
            if self.exemplars is None:
                self.exemplars = [None] * len(self.counts)
            self.exemplars[place] = exemplar._replace(value=value)

    def observe_sorted(self, values: list[float], total: float) -> None:
        """Put *values*, in ascending order and *total* together, into their buckets."""
        counts, count, below = self.counts[:], len(values), 0
        for place, bound in enumerate(self.bounds):
            reached = bisect_right(values, bound, below)
            counts[place] += reached - below
            below = reached
            if below == count:
                break
        counts[-1] += count - below
        self.counts = counts
        self.sum += total


class CounterLike(Protocol):
    """The value of one counter series, wherever it is kept; ``text`` is that of its labels."""

    text: object

    @property
    def value(self) -> float:
        """What was counted."""

    def add(self, amount: float, /) -> None:
        """Add *amount*."""

    def clear(self) -> None:
        """Start anew."""


class HistogramLike(Protocol):
    """The counts of one histogram series, wherever they are kept; ``text`` is that of its labels."""

    text: object
    exemplars: list[Exemplar | None] | None

    @property
    def counts(self) -> list[int]:
        """How many values are in each bucket, not cumulative, +Inf last; replaced, never changed."""

    @property
    def sum(self) -> float:
        """The sum of the values."""

    def clear(self) -> None:
        """Start anew."""

    def observe(self, value: float, exemplar: Exemplar | None = None, /) -> None:
        """Put *value* into its bucket."""

    def observe_sorted(self, values: list[float], total: float, /) -> None:
        """Put *values*, in ascending order and *total* together, into their buckets."""


CellT = TypeVar("CellT", bound="CounterLike | HistogramLike")


class Family(Generic[CellT]):
    """The cells of one metric by label set, at most *budget* of them beside the folded ones.

    A new label set over the budget is folded into the one whose open values are ``_other``, and ``folded`` is called
    with the metric's name; the folded sets are as many as enumerated values allow.

    Args:
        metric: Its metric.
        cell: Makes a cell for a label set.
        budget: Label sets with a cell of their own.
        folded: Called with the metric's name for each sample that has none.
        dropped: Called with each cell that is removed.
    """

    def __init__(
        self,
        metric: Metric,
        cell: Callable[[Metric, LabelSet], CellT],
        *,
        budget: int,
        folded: Callable[[str], None],
        dropped: Callable[[CellT], None] | None = None,
    ) -> None:
        self.metric = metric
        self.cells: dict[LabelSet, CellT] = {}
        self._cell: Callable[[Metric, LabelSet], CellT] = cell
        self._budget = budget
        self._folded = folded
        self._dropped = dropped
        self._folds = 0

    def at(self, labels: LabelSet) -> CellT:
        """Return the cell of *labels*, or the folded one when *labels* are new and the budget is spent."""
        cell = self._known(labels)
        return self._miss(labels) if cell is None else cell

    def own(self, labels: LabelSet) -> CellT | None:
        """Return the cell of *labels*, made if need be, or None where they have no cell of their own."""
        cell = self._known(labels)
        if cell is None and labels == fit_labels(labels) and self._has_room():
            cell = self._made(labels)
        return cell

    def determined_by(self, known: frozenset[str]) -> bool:
        """Whether values of the labels *known*, at least one of them ours, determine our label sets."""
        names = set(self.metric.label_names)
        return bool(names & known) and all(label.name in known or label.values for label in self.metric.labels)

    def prepare(self, known: Mapping[str, str]) -> None:
        """Start at 0 the cells that *known* label values and enumerated values span, as far as the budget goes."""
        axes = [(known[label.name],) if label.name in known else label.values for label in self.metric.labels]
        for labels in map(fit_labels, product(*axes)):
            if labels not in self.cells and self._has_room():
                self._made(labels)

    def forget(self, gone: Mapping[str, str]) -> None:
        """Remove every cell whose labels have all the values of *gone*."""
        names = self.metric.label_names
        wanted = [(names.index(name), value) for name, value in gone.items()]
        for labels in list(self.cells):
            if all(labels[index] == value for index, value in wanted):
                cell = self.cells.pop(labels, None)
                if cell is not None and self._dropped is not None:
                    self._dropped(cell)

    def fold_further(self) -> None:
        """Fold every label set that has no cell yet."""
        self._budget = 0

    def _has_room(self) -> bool:
        return len(self.cells) - self._folds < self._budget or not self.metric.foldable

    def _known(self, labels: LabelSet) -> CellT | None:
        try:
            return self.cells.get(labels)
        except Exception:  # noqa: BLE001 - a value that cannot be hashed, or compared, is printed instead
            return None

    def _miss(self, labels: LabelSet) -> CellT:
        labels = fit_labels(labels)
        if labels not in self.cells and not self._has_room():
            self._folded(self.metric.name)
            labels = self.metric.folded(labels)
            self._folds += labels not in self.cells
        return self.cells.get(labels) or self._made(labels)

    def _made(self, labels: LabelSet) -> CellT:
        cell = self.cells[labels] = self._cell(self.metric, labels)
        return cell
