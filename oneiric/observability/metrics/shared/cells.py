"""Series whose values other processes can read: the cells of counters, histograms and gauges, kept in a shared file.

The same as the cells of a process on its own, but that each change is in the file before the call returns.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Final, Protocol
from zlib import crc32

import msgspec

from oneiric.observability.metrics.shared.format import COUNTER, GAUGE, GONE, HISTOGRAM, Record, slot_bytes

if TYPE_CHECKING:
    from oneiric.observability.metrics.exemplar import Exemplar
    from oneiric.observability.metrics.labels import LabelSet
    from oneiric.observability.model import Metric

KINDS: Final = {"counter": COUNTER, "histogram": HISTOGRAM, "gauge": GAUGE}

_encode = msgspec.json.Encoder().encode


class File(Protocol):
    """Where cells are kept."""

    def write(self, data: bytes | bytearray, place: int) -> int:
        """Write *data* at *place*; OSError where that fails or there is no file."""

    def failed(self, error: OSError) -> None:
        """Take note that a cell could not be written; never raises."""


class SharedCell:
    """Numbers in a slot of a shared file.

    The slot is kept here as it stands in the file, so that a change is a few stores and one write.

    Args:
        metric: Whose series it is.
        labels: Of the series.
        file: Where it is kept.
    """

    __slots__ = ("_body", "_file", "_image", "_numbers", "_words", "key", "kind", "metric", "places", "text")

    def __init__(self, metric: Metric, labels: LabelSet, file: File) -> None:
        self.metric = metric
        self.kind = KINDS[metric.type]
        self.key = _encode((metric.name, labels))
        self.text: object = None
        self.places = (-1, -1)
        self._file = file
        self._image = bytearray(slot_bytes(len(metric.buckets) + 2 if metric.buckets else 1))
        self._words = memoryview(self._image).cast("Q")
        self._numbers = memoryview(self._image)[8:-8].cast("d")
        self._body = memoryview(self._image)[:-8]
        self._words[0] = 2

    @property
    def record(self) -> Record:
        """What stands in the file for it."""
        return Record(self.kind, self.key, self._numbers.tolist())

    @property
    def number(self) -> int:
        """How often its slots were written."""
        return self._words[0]

    def clear(self) -> None:
        """Start anew, in memory only: in a child of a fork, where there is no file yet."""
        self._numbers[:] = memoryview(bytes(8 * len(self._numbers))).cast("d")
        self._words[0] = 2
        self.places = (-1, -1)

    def end(self) -> None:
        """Mark the series as removed; it must not be changed afterwards."""
        self._words[0] |= GONE
        if self.places[0] >= 0:
            self._store()

    def _store(self) -> None:
        words = self._words
        words[0] = number = words[0] + 1
        words[-1] = crc32(self._body)
        try:
            self._file.write(self._image, self.places[number & 1])
        except OSError as error:
            self._file.failed(error)


class SharedCounterCell(SharedCell):
    """The value of one counter series."""

    __slots__ = ()

    @property
    def value(self) -> float:
        """The count."""
        return self._numbers[0]

    def add(self, amount: float) -> None:
        """Add *amount*."""
        self._numbers[0] += amount
        self._store()


class SharedHistogramCell(SharedCell):
    """The bucket counts (not cumulative, +Inf last) and the sum of one histogram series.

    Exemplars are those of this process.
    """

    __slots__ = ("bounds", "exemplars")

    def __init__(self, metric: Metric, labels: LabelSet, file: File) -> None:
        super().__init__(metric, labels, file)
        self.bounds = metric.buckets
        self.exemplars: list[Exemplar | None] | None = None

    @property
    def counts(self) -> list[int]:
        """The counts of the buckets."""
        return list(map(int, self._numbers[:-1].tolist()))

    @property
    def sum(self) -> float:
        """The sum of what was observed."""
        return self._numbers[-1]

    def clear(self) -> None:
        """Start anew, in memory only."""
        super().clear()
        self.exemplars = None

    def observe(self, value: float, exemplar: Exemplar | None = None) -> None:
        """Put *value* into its bucket."""
        numbers, place = self._numbers, bisect_left(self.bounds, value)
        numbers[place] += 1.0
        numbers[-1] += value
        self._store()
        if exemplar is not None:
            if self.exemplars is None:
                self.exemplars = [None] * (len(self.bounds) + 1)
            self.exemplars[place] = exemplar._replace(value=value)

    def observe_sorted(self, values: list[float], total: float) -> None:
        """Put *values*, in ascending order and *total* together, into their buckets."""
        numbers = self._numbers
        for value in values:
            numbers[bisect_left(self.bounds, value)] += 1.0
        numbers[-1] += total
        self._store()


class SharedGaugeCell(SharedCell):
    """The value of one gauge series when it was last read."""

    __slots__ = ()

    def set(self, value: float) -> None:
        """Let it be *value*."""
        if self._numbers[0] != value:
            self._numbers[0] = value
            self._store()
