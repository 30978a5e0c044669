"""What a sink shares with the other processes of its service: its series with them, and theirs with it."""

from __future__ import annotations

import _thread
import threading
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from oneiric.core.limits import MAX_SHARED_INTERVAL
from oneiric.observability.metrics.cells import CounterCell, Family, HistogramCell
from oneiric.observability.metrics.shared.cells import SharedCounterCell, SharedGaugeCell, SharedHistogramCell
from oneiric.observability.metrics.shared.directory import Problem, archive_ended, read_directory, read_file
from oneiric.observability.metrics.shared.file import SharedFile
from oneiric.observability.metrics.shared.format import GAUGE, CorruptFileError
from oneiric.observability.metrics.shared.merge import (
    Texts,
    Totals,
    merged_records,
    merged_snapshot,
    series_in,
    series_of,
)
from oneiric.observability.metrics.yield_points import YieldPoints

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from oneiric.observability.metrics.cells import CounterLike, HistogramLike
    from oneiric.observability.metrics.families import Snapshot
    from oneiric.observability.metrics.labels import LabelSet
    from oneiric.observability.metrics.shared.directory import Reading, SharedCounts
    from oneiric.observability.metrics.shared.merge import Series
    from oneiric.observability.model import Metric

    GaugeValues = Mapping[str, Mapping[LabelSet, float]]

COLLECTOR: Final = "shared_dir"
"""Stands for the directory where a file in it cannot be read."""

_STOP_SECONDS = 1.0
_LAST = "~"  # in the order of names


class Sharing:
    """The series of this process in a directory, and those of all others in it.

    Args:
        directory: What :func:`~oneiric.observability.metrics.shared.directory.shared_directory` returned.
        metrics: Of the catalogue, by name.
        budget: Label sets of a metric, of all processes together.
        interval: Seconds between publications of gauges.
        alone: Does something under the lock of whoever counts.
        gauges: Reads the gauges of this process.
        full: Called when there should be no further label sets.
        failed: Called with an error in writing or publishing.
    """

    def __init__(  # noqa: PLR0913 - one for each part of the sink
        self,
        directory: Path,
        metrics: Mapping[str, Metric],
        *,
        budget: int,
        interval: float,
        alone: Callable[[Callable[[], None]], object],
        gauges: Callable[[], GaugeValues],
        full: Callable[[], None],
        failed: Callable[[Exception], None],
    ) -> None:
        if not 0 < interval <= MAX_SHARED_INTERVAL:
            most = f"{MAX_SHARED_INTERVAL:g} s"
            raise ValueError(f"shared_interval must be more than 0 and at most {most}, got {interval}")
        self._directory = directory
        self._metrics = metrics
        self._budget = budget
        self._alone = alone
        self._gauges = gauges
        self._texts = Texts()
        self._published: dict[tuple[str, LabelSet], SharedGaugeCell] = {}
        self._publishing = threading.Lock()
        self._publisher = _Publisher(self.publish, interval, failed=failed)
        self._file = SharedFile(directory, opened=self._publisher.start, full=full, report=failed)

    def counter(self, metric: Metric, labels: LabelSet) -> SharedCounterCell:
        """Return a new counter series."""
        cell = SharedCounterCell(metric, labels, self._file)
        self._file.add(cell)
        return cell

    def histogram(self, metric: Metric, labels: LabelSet) -> SharedHistogramCell:
        """Return a new histogram series."""
        cell = SharedHistogramCell(metric, labels, self._file)
        self._file.add(cell)
        return cell

    def drop(self, cell: Any) -> None:
        """Take a series out of the file."""
        self._file.drop(cell)

    def checked(self, count: Callable[[Any], None]) -> Callable[[Any], None]:
        """Return what counts a record as *count* does, and checks the file once for all its series."""
        return partial(self._file.check_once, count)

    def merged(self, snapshots: list[Snapshot]) -> tuple[list[Snapshot], list[Problem]]:
        """Return *snapshots*, of this process, with the series of all others, and the files that were left out."""
        own = self._file.name
        try:
            reading = read_directory(self._directory, own=own)
        except OSError as error:
            return snapshots, [Problem(str(self._directory), error)]
        problems = list(reading.problems)
        shares = [(found.name, self._series(found, problems)) for found in reading.files]
        shares.append((own or _LAST, [series for snapshot in snapshots for series in series_in(snapshot)]))
        shares.sort(key=itemgetter(0))  # which label sets are folded must not depend on who is scraped
        totals, pause = Totals(budget=self._budget), YieldPoints()
        for _, series in shares:
            totals.add(series)
            pause()
        self._tidy(reading, problems)
        return [merged_snapshot(snapshot, totals, self._texts) for snapshot in snapshots], problems

    def publish(self) -> None:
        """Write the gauges of this process, and mend its file where it is damaged.

        Of several threads that do so, the one that reads last also writes last.
        """
        with self._publishing:
            values = self._gauges()
            is_damaged = self._is_damaged()
            self._alone(partial(self._write_all, values, mend=is_damaged))

    def renew(self) -> None:
        """Start without a file and a publisher: in a child of a fork, whose cells were cleared."""
        for cell in self._published.values():
            self._file.cells.pop(cell.key, None)
        self._published.clear()
        self._publishing = threading.Lock()  # the parent's may be held by a thread that is not in the child
        self._file.renew()
        self._publisher.renew()

    def close(self) -> None:
        """Write and publish no more; what was counted stays in the directory."""
        self._publisher.stop()
        self._file.close()

    def _series(self, found: SharedCounts, problems: list[Problem]) -> list[Series]:
        records = found.records if found.is_live else [record for record in found.records if record.kind != GAUGE]
        try:
            series, unknown = series_of(records, self._metrics)
        except CorruptFileError as error:
            problems.append(Problem(found.name, error))
            return []
        if unknown:
            strange = CorruptFileError(f"has {len(unknown)} series that this release does not have; they are left out")
            problems.append(Problem(found.name, strange))
        return series

    def _tidy(self, reading: Reading, problems: list[Problem]) -> None:
        try:
            archive_ended(self._directory, reading, partial(merged_records, metrics=self._metrics, budget=self._budget))
        except OSError as error:
            problems.append(Problem(str(self._directory), error))

    def _is_damaged(self) -> bool:
        name = self._file.name
        try:
            if name:
                read_file(self._directory / name)
        except (OSError, CorruptFileError):
            return True
        return not self._file.is_in_place()

    def _write_all(self, values: GaugeValues, *, mend: bool) -> None:
        published = {
            (name, labels): (metric, value)
            for name, samples in values.items()
            if (metric := self._metrics[name]).merge != "own"
            for labels, value in samples.items()
        }
        for gone in self._published.keys() - published.keys():
            self._file.drop(self._published.pop(gone))
        for (name, labels), (metric, value) in published.items():
            cell = self._published.get((name, labels))
            if cell is None:
                cell = self._published[name, labels] = SharedGaugeCell(metric, labels, self._file)
                self._file.add(cell)
            cell.set(value)
        if mend:
            self._file.mend()


class Budgeted:
    """Makes families, whose series are in files of *sharing*, where there is one, or in memory.

    Args:
        sharing: Where series are shared.
        budget: Label sets of a metric with a series of their own.
        folded: Called with the metric's name for each sample without one.
    """

    def __init__(self, sharing: Sharing | None, *, budget: int, folded: Callable[[str], None]) -> None:
        self._sharing = sharing
        self._budget = budget
        self._folded = folded

    def counters(self, metric: Metric) -> Family[CounterLike]:
        """Return the family of a counter."""
        sharing = self._sharing
        if sharing is None:
            return Family(metric, lambda own, _: CounterCell(own), budget=self._budget, folded=self._folded)
        return Family(metric, sharing.counter, budget=self._budget, folded=self._folded, dropped=sharing.drop)

    def histograms(self, metric: Metric) -> Family[HistogramLike]:
        """Return the family of a histogram."""
        sharing = self._sharing
        if sharing is None:
            return Family(metric, lambda own, _: HistogramCell(own), budget=self._budget, folded=self._folded)
        return Family(metric, sharing.histogram, budget=self._budget, folded=self._folded, dropped=sharing.drop)


class _Publisher:
    """A thread that does *work* at once and every *interval* seconds.

    It is started wherever the first count comes from, which may be a signal handler or a finaliser, and so not by the
    threading module, which takes a lock that the interrupted thread may hold.
    """

    def __init__(self, work: Callable[[], None], interval: float, *, failed: Callable[[Exception], None]) -> None:
        self._work = work
        self._failed = failed
        self._interval = interval
        self.renew()

    def renew(self) -> None:
        """Be not running."""
        self._stop, self._ended = threading.Event(), threading.Event()
        self._started = False

    def start(self) -> None:
        """Start, where a thread is to be had."""
        if self._started or self._stop.is_set():
            return
        self._started = True
        try:
            _thread.start_new_thread(self._run, (self._stop, self._ended))
        except RuntimeError:  # the interpreter ends
            self._started = False

    def stop(self) -> None:
        """Do nothing more; returns when nothing is done any more, but in a second at the latest."""
        self._stop.set()
        if self._started:
            self._ended.wait(_STOP_SECONDS)

    def _run(self, stop: threading.Event, ended: threading.Event) -> None:
        try:
            while not stop.is_set():
                try:
                    self._work()
                except Exception as error:  # noqa: BLE001 - isolation is the job: the next time it may succeed
                    self._failed(error)
                stop.wait(self._interval)
        finally:
            ended.set()
