"""Durations of one repeated event, put together by the runtime and counted here at once."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from oneiric.observability.metrics.cells import CounterLike, HistogramLike


class Durations:
    """A :class:`~oneiric.core.batches.Batch` that adds to given cells.

    Appending needs no lock: what is taken to be counted is the beginning of the list, and new ones come behind it.

    Args:
        labels: Of the event, by field; what is over is found by them.
        counters: Cells to add the number of durations to.
        histograms: Cells to put them into, each with the factor from seconds to its unit.
        count: Calls :meth:`take` of this batch under the lock, or leaves it to whoever has the lock.
    """

    __slots__ = ("_count", "_counters", "_histograms", "_taken_from", "durations", "labels")

    def __init__(
        self,
        labels: Mapping[str, str],
        counters: Sequence[CounterLike],
        histograms: Sequence[tuple[HistogramLike, float]],
        count: Callable[[Durations], None],
    ) -> None:
        self.labels = labels
        self._taken_from: list[float] = []
        self.durations: list[float] | None = self._taken_from
        self._counters = counters
        self._histograms = histograms
        self._count = count

    @property
    def waiting(self) -> int:
        """How many durations there are."""
        return len(self.durations or ())

    def full(self) -> None:
        """Count what is there, or leave it to whoever counts now."""
        self._count(self)

    def take(self) -> None:
        """Count what is there, after the end too: who had looked before it may append later; under the lock."""
        if self._taken_from:
            self._take(self._taken_from)

    def end(self) -> None:
        """Count what is there, and take nothing from whoever looks from now on; under the lock."""
        self.take()
        self.durations = None

    def finish(self) -> None:
        """Count what is there, and let go of everything; under the lock."""
        self.take()
        self._counters, self._histograms, self._count = (), (), _ignore

    def forget(self) -> None:
        """Forget what waits; in a child of a fork, whose parent counts it."""
        self._taken_from = []
        if self.durations is not None:
            self.durations = self._taken_from

    def _take(self, durations: list[float]) -> None:
        taken = durations[:]
        count = len(taken)
        taken.sort()
        changes = [(cell, _scaled(taken, scale)) for cell, scale in self._histograms]
        totals = [sum(values) for _, values in changes]
        del durations[:count]
        for counter in self._counters:
            counter.add(float(count))
        for (histogram, values), total in zip(changes, totals, strict=True):
            if isnan(total):
                for value in values:
                    histogram.observe(value)
            else:
                histogram.observe_sorted(values, total)


class PromptDurations(Durations):
    """Durations that are counted one by one: nothing ever waits.

    Args:
        labels: Of the event, by field.
        counters: Cells to add 1 to for each.
        histograms: Cells to put them into, each with the factor from seconds to its unit.
        record: Takes this batch and a duration, and calls :meth:`observe` under the lock.
    """

    __slots__ = ()

    def __init__(
        self,
        labels: Mapping[str, str],
        counters: Sequence[CounterLike],
        histograms: Sequence[tuple[HistogramLike, float]],
        record: Callable[[tuple[PromptDurations, float]], None],
    ) -> None:
        super().__init__(labels, counters, histograms, _ignore)
        self.durations = _Recorded(self, record)

    def observe(self, duration: float) -> None:
        """Count *duration*, unless this has ended; under the lock."""
        if self.durations is None:
            return
        for counter in self._counters:
            counter.add(1.0)
        for histogram, scale in self._histograms:
            histogram.observe(duration * scale)

    def forget(self) -> None:
        """Do nothing: nothing waits."""


class _Recorded(list[float]):
    """What is appended is recorded, and not kept."""

    __slots__ = ("_batch", "_record")

    def __init__(self, batch: PromptDurations, record: Callable[[tuple[PromptDurations, float]], None]) -> None:
        super().__init__()
        self._batch = batch
        self._record = record

    def append(self, duration: float, /) -> None:
        self._record((self._batch, duration))


def ended() -> Durations:
    """Return a batch that takes nothing, to be replaced by one that does as soon as there can be one."""
    batch = Durations({}, (), (), _ignore)
    batch.end()
    return batch


def _ignore(_: Durations) -> None:
    pass


def _scaled(values: list[float], scale: float) -> list[float]:
    return values if scale == 1.0 else [value * scale for value in values]
