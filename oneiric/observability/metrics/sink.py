"""The Prometheus sink, compiled once from the catalogue: recording is an append, counting is done in batches."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

from prometheus_client.registry import Collector

from oneiric.core.concurrency import renew_after_fork
from oneiric.core.events import Operation
from oneiric.core.limits import MIN_SERIES_BUDGET, SERIES_BUDGET, SHARED_INTERVAL
from oneiric.observability.metrics.backlog import Backlog, PromptBacklog
from oneiric.observability.metrics.batches import Batches
from oneiric.observability.metrics.durations import Durations, PromptDurations, ended
from oneiric.observability.metrics.exemplar import Exemplar
from oneiric.observability.metrics.families import Snapshot, SnapshotFamily
from oneiric.observability.metrics.gauge_sources import GaugeSources
from oneiric.observability.metrics.gauges import compile_reads
from oneiric.observability.metrics.recorder import Recorder
from oneiric.observability.metrics.reports import Reports
from oneiric.observability.metrics.retired import Retirement
from oneiric.observability.metrics.scrape import OwnStates, Scrape
from oneiric.observability.metrics.series import Series
from oneiric.observability.metrics.shared import Budgeted, Sharing
from oneiric.observability.model import Catalogue, Observe, Signal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from prometheus_client.metrics_core import Metric as MetricFamily

    from oneiric.core.batches import Batch
    from oneiric.core.events import Event, Finished
    from oneiric.core.observers import Observers, Receiver
    from oneiric.core.sources import Stateful
    from oneiric.observability.metrics.cells import CounterLike, HistogramLike
    from oneiric.observability.metrics.gauges import Gauges

MAX_DURATIONS = 16_384
"""Durations of one component that may wait while another thread counts; over that, who resolves pauses."""


class PrometheusSink(Collector):
    """Count events, and read gauges when scraped.

    It is an :class:`~oneiric.core.observers.Observer` and a Prometheus collector in one, to be registered in any
    registry. Thread-safe; recording takes no lock, and a scrape holds one only while it copies numbers. A source of
    states that raises, or does not answer in time, costs its own gauges only.

    Args:
        catalogue: What to count and read.
        observers: The seam through which the sink reports of itself.
        version: Version of the runtime.
        series_budget: Label sets of a metric beyond which further ones are folded into ``_other``.
        clock: Monotonic seconds; measures the scrape.
        trace: Returns trace and span id where a span records now; they become exemplars.
        shared: A directory for the counts of all processes of a service, which every one of them then shows; each
            record is counted, and in the directory, before recording it returns.
        shared_interval: Seconds between publications of this process' gauges there.
    """

    name = "prometheus"

    def __init__(  # noqa: PLR0913 - the options of attach() and the clock
        self,
        catalogue: Catalogue,
        observers: Observers,
        *,
        version: str,
        series_budget: int = SERIES_BUDGET,
        clock: Callable[[], float] = time.perf_counter,
        trace: Callable[[], tuple[str, str] | None] | None = None,
        shared: Path | None = None,
        shared_interval: float = SHARED_INTERVAL,
    ) -> None:
        if series_budget < MIN_SERIES_BUDGET:
            raise ValueError(f"series_budget must be at least {MIN_SERIES_BUDGET}, got {series_budget}")
        self._catalogue = catalogue
        self._clock = clock
        self._trace = trace
        self._reports = Reports(observers, self.name)
        self._sharing = None if shared is None else self._share(shared, series_budget, shared_interval)
        self._series = Series(
            catalogue.metrics, Budgeted(self._sharing, budget=series_budget, folded=self._reports.folded)
        )
        self._compose(version, series_budget)
        renew_after_fork(self._renew)

    def _compose(self, version: str, budget: int) -> None:
        """Put the parts together: recorders append to the backlog, whose turns count, retire, end batches and copy."""
        reports, series, retirement = self._reports, self._series, Retirement()
        self._own = OwnStates(version, series)
        self._gauge_sources = GaugeSources(
            compile_reads(self._catalogue),
            budget=budget,
            is_gone=retirement.hides,
            failed=reports.report_scrape,
            folded=reports.report_folded,
        )
        self._batches = Batches(series, self._make_batch)
        self._recorder = Recorder(series, retirement, self._batches, reports.failed)
        if self._sharing is None:
            self._backlog = Backlog(self._recorder.count, settle=self._settle)
        else:
            self._backlog = PromptBacklog(self._sharing.checked(self._recorder.count_prompt), settle=self._settle)
        self._scrape = Scrape(
            self._catalogue.metrics,
            gauges=self._read_gauges,
            series=series,
            batches=self._batches,
            backlog=self._backlog,
            sharing=self._sharing,
            failed=reports.report_scrape,
        )

    def receiver(self, event_type: type[Event]) -> Receiver | None:
        """Return what records events of *event_type*, or None where the catalogue counts nothing of it."""
        signal = self._catalogue.signal(event_type)
        if signal is None or not (signal.metrics or signal.known or signal.gone):
            return None
        self._recorder.compile(signal)
        if issubclass(event_type, Operation):
            return _EndingReceiver(self._record(signal))
        if signal.gone:
            return self._record_and_count
        if _observes(signal):
            return _BatchingReceiver(self._record(signal), partial(self._batch, signal))
        return self._backlog.record

    def catch_up(self, event: Event) -> None:
        """Count *event*, reported before the sink was there, without reporting it to anybody else."""
        receiver = self.receiver(type(event))
        if receiver is not None:
            receiver(event)

    def make_known(self, event: Event) -> None:
        """Start at 0 what *event* makes known, without counting it: it was reported, or will be."""
        signal = self._catalogue.signal(type(event))
        if signal is not None and signal.known:
            self._backlog.alone(partial(self._recorder.preparing(signal), event, None), wait=True)

    def add_source(self, source: Stateful) -> Callable[[], None]:
        """Read *source* in every scrape from now on and return what ends that; both are idempotent."""
        return self._gauge_sources.add(source)

    def close(self) -> None:
        """Count what waits, and let go of the runtimes that reported; they may be attached again."""
        self._backlog.count(partial(self._batches.end, {}))
        self._backlog.count(partial(self._batches.finish, 0))
        if self._sharing is not None:
            self._sharing.close()

    def collect(self) -> Iterator[MetricFamily]:
        """Yield every family of the catalogue; a source that raises is reported and left out."""
        yield from map(SnapshotFamily, self.snapshots())

    def snapshots(self) -> list[Snapshot]:
        """Return the values of every metric of the catalogue, those of one metric being of the same instant."""
        started = self._clock()
        snapshots = self._scrape.snapshots()
        self._own.duration = self._clock() - started
        return snapshots

    def describe(self) -> Iterator[MetricFamily]:
        """Yield every family without samples, so that a registry can refuse a name that it already has."""
        return (SnapshotFamily(Snapshot(metric, (), ())) for metric in self._catalogue.metrics)

    def _share(self, directory: Path, budget: int, interval: float) -> Sharing:
        """Return the counts of the other processes; what it calls exists before anything is counted."""
        return Sharing(
            directory,
            {metric.name: metric for metric in self._catalogue.metrics},
            budget=budget,
            interval=interval,
            alone=lambda work: self._backlog.alone(work, wait=True),
            gauges=lambda: self._read_gauges().values,
            full=lambda: self._series.fold_further(),  # noqa: PLW0108 - the series are made with this
            failed=self._reports.failed,
        )

    def _read_gauges(self) -> Gauges:
        return self._gauge_sources.read(type(self).__name__, self._own)

    def _record(self, signal: Signal) -> Callable[[Any], None]:
        record, trace = self._backlog.record, self._trace
        if trace is None or not _observes(signal):
            return record

        def record_with_trace(event: Any) -> None:
            ids = trace()
            record(event if ids is None else (event, Exemplar(*ids, 0.0, time.time())))

        return record_with_trace

    def _record_and_count(self, event: Event) -> None:
        self._backlog.record(event)
        self._backlog.count()

    def _batch(self, signal: Signal, event: Event) -> Batch | None:
        """Return the batch of *event*, or None where a label set of it has no series of its own."""
        made: list[Batch | None] = []
        if self._backlog.alone(lambda: made.append(self._batches.find(signal, event)), wait=True):
            return made[0]
        return ended()  # asked in the middle of counting, by a handler: another time

    def _make_batch(
        self,
        labels: Mapping[str, str],
        counters: Sequence[CounterLike],
        histograms: Sequence[tuple[HistogramLike, float]],
    ) -> Durations:
        if self._sharing is None:
            return Durations(labels, counters, histograms, self._count_batch)
        return PromptDurations(labels, counters, histograms, self._backlog.record)

    def _count_batch(self, batch: Durations) -> None:
        self._backlog.relieve(batch.take, lambda: batch.waiting, most=MAX_DURATIONS)

    def _settle(self) -> None:
        self._reports.emit(self._backlog.alone)

    def _renew(self) -> None:
        """Start from zero in a child of a fork: what was counted before is the parent's."""
        self._series.clear()
        self._batches.forget()
        self._reports.clear()
        if self._sharing is not None:
            self._sharing.renew()


class _EndingReceiver:
    """Wants the end of an operation only; the same object is the scope of every operation of its type."""

    def __init__(self, record: Callable[[Finished], None]) -> None:
        self.finished = record

    def __call__(self, _: Operation) -> _EndingReceiver:
        return self

    def close(self) -> None:
        pass


class _BatchingReceiver:
    """Records single events, and offers batches for the durations of repeated ones."""

    def __init__(self, record: Callable[[Event], None], batch: Callable[[Event], Batch | None]) -> None:
        self._record = record
        self.batch = batch

    def __call__(self, event: Event) -> None:
        self._record(event)


def _observes(signal: Signal) -> bool:
    return any(isinstance(binding, Observe) for binding in signal.metrics)
