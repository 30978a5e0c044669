"""The batches of durations of one sink: one for each repeated event, and those that ended a while ago."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from oneiric.observability.fields import label_values

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from oneiric.core.events import Event
    from oneiric.observability.metrics.durations import Durations
    from oneiric.observability.metrics.series import Series
    from oneiric.observability.model import Signal

MAX_ENDED: Final = 256
"""Batches of components that are gone whose late durations are still counted; the oldest is given up over that."""


class Batches:
    """The batches of one sink.

    Has no lock: every method is called in a turn of the backlog, but :meth:`forget` in a child of a fork, which has
    one thread. Batches themselves are appended to by anybody at any time.

    Args:
        series: Where the durations are counted.
        make: Makes a batch of labels, counters and histograms.

    Attributes:
        current: Those that take durations, by event type and label values.
        ended: Those whose component is gone, the oldest first; who had looked before may append to them.
    """

    def __init__(self, series: Series, make: Callable[..., Durations]) -> None:
        self._series = series
        self._make = make
        self.current: dict[tuple[str, ...], Durations] = {}
        self.ended: deque[Durations] = deque()

    def find(self, signal: Signal, event: Event) -> Durations | None:
        """Return the batch of *event*, made if need be, or None where a label set of it has no series of its own."""
        names = tuple(dict.fromkeys(name for binding in signal.metrics for name in binding.metric.label_names))
        values = label_values(signal.event, names, {})(event)
        key = (type(event).__name__, *values)
        batch = self.current.get(key)
        if batch is None and (cells := self._series.own_cells(signal, event)) is not None:
            batch = self.current[key] = self._make(dict(zip(names, values, strict=True)), *cells)
        return batch

    def take(self) -> None:
        """Count what is in every batch."""
        for batch in (*self.current.values(), *self.ended):
            batch.take()

    def end(self, gone: Mapping[str, str]) -> None:
        """End every batch whose labels have all the values of *gone*."""
        for key, batch in list(self.current.items()):
            if all(batch.labels.get(name) == value for name, value in gone.items()):
                batch.end()
                self.ended.append(batch)
                del self.current[key]

    def finish(self, most: int = MAX_ENDED) -> None:
        """Let go of the batches that ended first, until *most* are left."""
        while len(self.ended) > most:
            self.ended.popleft().finish()

    def forget(self) -> None:
        """Forget what waits; in a child of a fork, whose parent counts it."""
        for batch in self.current.values():
            batch.forget()
        self.ended.clear()
