"""The Prometheus sink, compiled once from the catalogue: recording is an append, counting is done in batches."""

from __future__ import annotations

import platform
import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any

from prometheus_client.registry import Collector

from oneiric.core.concurrency import renew_after_fork
from oneiric.core.events import Event, Finished, Operation
from oneiric.core.limits import MIN_SERIES_BUDGET, SERIES_BUDGET, SHARED_INTERVAL
from oneiric.core.redaction import describe
from oneiric.observability import events as own
from oneiric.observability.fields import label_values
from oneiric.observability.metrics.backlog import Backlog, PromptBacklog
from oneiric.observability.metrics.durations import Durations, PromptDurations, ended
from oneiric.observability.metrics.exemplar import Exemplar
from oneiric.observability.metrics.families import Distribution, Snapshot, SnapshotFamily
from oneiric.observability.metrics.gauge_sources import GaugeSources
from oneiric.observability.metrics.gauges import compile_reads
from oneiric.observability.metrics.retired import RetiredSeries
from oneiric.observability.metrics.shared import COLLECTOR, Budgeted, CorruptFileError, Sharing
from oneiric.observability.metrics.writes import AnyFamily, Write, counting, observing, preparing, removing
from oneiric.observability.metrics.yield_points import request_yields
from oneiric.observability.model import ENDED, Catalogue, Count, Observe, Phase, Read, Signal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from prometheus_client.metrics_core import Metric as MetricFamily

    from oneiric.core.batches import Batch
    from oneiric.core.events import State
    from oneiric.core.observers import Observers, Receiver, Stateful
    from oneiric.observability.fields import Getter
    from oneiric.observability.metrics.cells import CounterLike, HistogramLike
    from oneiric.observability.metrics.gauges import Gauges
    from oneiric.observability.model import Metric

MAX_DURATIONS = 16_384
"""Durations of one component that may wait while another thread counts; over that, who resolves pauses."""

MAX_ENDED = 256
"""Batches of components that are gone whose late durations are still counted; the oldest is given up over that."""

_MAX_BROKEN = 16  # errors that wait to be told; they come one a record, and all alike

_Key = type[Event] | tuple[type[Event], Phase]


class PrometheusSink(Collector):
    """Count what is told, and read gauges when scraped.

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
        self._observers = observers
        self._budget = series_budget
        self._clock = clock
        self._trace = trace
        self._backlog = (
            Backlog(self._count, settle=self._settle)
            if shared is None
            else PromptBacklog(self._count_shared, settle=self._settle)
        )
        self._writes: dict[_Key, list[Write]] = {}
        self._late: dict[type[Event], tuple[tuple[str, ...], Getter, list[Write]]] = {}
        self._over = RetiredSeries()
        self._ended: deque[Durations] = deque()
        self._batches: dict[tuple[str, ...], Durations] = {}
        self._scrape_duration: float | None = None
        self._broken: deque[Exception] = deque(maxlen=_MAX_BROKEN)
        self._folded: dict[str, int] = {}
        self._full: set[str] = set()
        self._settling = False
        self._departed = RetiredSeries()
        self._gauge_sources = GaugeSources(
            compile_reads(catalogue),
            budget=series_budget,
            is_gone=self._departed.has,
            failed=self._tell_failed,
            folded=self._tell_folded,
        )
        self._build = own.BuildState(
            version=version, python=platform.python_version(), implementation=platform.python_implementation()
        )
        self._sharing = None if shared is None else self._share(shared, shared_interval)
        options = Budgeted(self._sharing, budget=series_budget, folded=self._fold)
        self._counters = {m.name: options.counters(m) for m in catalogue.metrics if m.type == "counter"}
        self._histograms = {m.name: options.histograms(m) for m in catalogue.metrics if m.type == "histogram"}
        for family in self._families():
            family.prepare({})
        renew_after_fork(self._renew)

    def receiver(self, event_type: type[Event]) -> Receiver | None:
        """Return what records events of *event_type*, or None where the catalogue counts nothing of it."""
        signal = self._catalogue.signal(event_type)
        if signal is None or not (signal.metrics or signal.known or signal.gone):
            return None
        if issubclass(event_type, Operation):
            for phase in ENDED:
                self._writes[event_type, phase] = self._compile(signal, phase)
            return _EndingReceiver(self._recorder(signal))
        self._writes[event_type] = self._compile(signal, None)
        if signal.within:
            values_of = label_values(signal.event, signal.within, {})
            self._late[event_type] = signal.within, values_of, self._bindings(signal, None, existing=True)
        if signal.gone:
            return self._record_and_count
        if any(isinstance(binding, Observe) for binding in signal.metrics):
            return _BatchingReceiver(self._recorder(signal), lambda event: self._batch(signal, event))
        return self._backlog.record

    def catch_up(self, event: Event) -> None:
        """Count *event*, told before the sink was there, without telling it to anybody else."""
        receiver = self.receiver(type(event))
        if receiver is not None:
            receiver(event)

    def make_known(self, event: Event) -> None:
        """Start at 0 what *event* makes known, without counting it: it was told, or will be."""
        signal = self._catalogue.signal(type(event))
        if signal is not None and signal.known:
            prepare = preparing(signal, self._families(), self._known_again)
            self._backlog.alone(partial(prepare, event, None), wait=True)

    def add_source(self, source: Stateful) -> Callable[[], None]:
        """Read *source* in every scrape from now on and return what ends that; both are idempotent."""
        return self._gauge_sources.add(source)

    def close(self) -> None:
        """Count what waits, and let go of the runtimes that reported; they may be attached again."""
        self._backlog.count(partial(self._end_batches, {}))
        self._backlog.count(partial(self._finish_batches, 0))
        if self._sharing is not None:
            self._sharing.close()

    def collect(self) -> Iterator[MetricFamily]:
        """Yield every family of the catalogue; a source that raises is reported and left out."""
        yield from map(SnapshotFamily, self.snapshots())

    def snapshots(self) -> list[Snapshot]:
        """Return the values of every metric of the catalogue, those of one metric being of the same instant."""
        started = self._clock()
        request_yields()
        self._count_everything()
        gauges = self._read_gauges()
        request_yields()  # again, as a source may be slow
        snapshots: list[Snapshot] = []

        def copy() -> None:
            self._take_batches()
            snapshots.extend(self._copies(gauges))

        if not self._backlog.count(copy):  # what came up while reading too
            snapshots.extend(self._copies(gauges))  # a handler is in the middle of counting
        if self._sharing is not None:
            snapshots, problems = self._sharing.merged(snapshots)
            for name, error in problems:
                self._tell_failed(COLLECTOR, CorruptFileError(f"{name}: {error}"))
        self._scrape_duration = self._clock() - started
        return snapshots

    def describe(self) -> Iterator[MetricFamily]:
        """Yield every family without samples, so that a registry can refuse a name that it already has."""
        return (SnapshotFamily(Snapshot(metric, (), ())) for metric in self._catalogue.metrics)

    def _share(self, directory: Path, interval: float) -> Sharing:
        return Sharing(
            directory,
            {metric.name: metric for metric in self._catalogue.metrics},
            budget=self._budget,
            interval=interval,
            alone=partial(self._backlog.alone, wait=True),
            gauges=lambda: self._read_gauges().values,
            full=self._fold_further,
            failed=self._broken.append,
        )

    def _fold_further(self) -> None:
        for family in self._families():
            family.fold_further()

    def _families(self) -> Iterable[AnyFamily]:
        yield from self._counters.values()
        yield from self._histograms.values()

    def _recorder(self, signal: Signal) -> Callable[[Any], None]:
        record, trace = self._backlog.record, self._trace
        if trace is None or not any(isinstance(binding, Observe) for binding in signal.metrics):
            return record

        def record_with_trace(event: Any) -> None:
            ids = trace()
            record(event if ids is None else (event, Exemplar(*ids, 0.0, time.time())))

        return record_with_trace

    def _record_and_count(self, event: Event) -> None:
        self._backlog.record(event)
        self._backlog.count()

    def _compile(self, signal: Signal, phase: Phase | None) -> list[Write]:
        writes = self._bindings(signal, phase, existing=False)
        if signal.known:
            writes.append(preparing(signal, self._families(), self._known_again))
        writes.extend(removing(gone, self._families(), self._departed, self._drop) for gone in signal.gone)
        return writes

    def _bindings(self, signal: Signal, phase: Phase | None, *, existing: bool) -> list[Write]:
        writes: list[Write] = []
        for binding in signal.metrics:
            if isinstance(binding, Read) or (phase is not None and phase not in binding.on):
                continue
            if isinstance(binding, Count):
                counters = self._counters[binding.metric.name]
                writes.append(counting(signal, binding, counters.cells.get if existing else counters.at))
            else:
                histograms = self._histograms[binding.metric.name]
                writes.append(observing(signal, binding, histograms.cells.get if existing else histograms.at))
        return writes

    def _batch(self, signal: Signal, event: Event) -> Batch | None:
        """Return the batch of *event*, or None where a label set of it has no series of its own."""
        made: list[Batch | None] = []
        if self._backlog.alone(lambda: made.append(self._find_batch(signal, event)), wait=True):
            return made[0]
        return ended()  # asked in the middle of counting, by a handler: another time

    def _find_batch(self, signal: Signal, event: Event) -> Batch | None:
        names = tuple(dict.fromkeys(name for binding in signal.metrics for name in binding.metric.label_names))
        values = label_values(signal.event, names, {})(event)
        key = (type(event).__name__, *values)
        batch = self._batches.get(key)
        if batch is None and (cells := self._cells(signal, event)) is not None:
            labels = dict(zip(names, values, strict=True))
            if self._sharing is None:
                batch = Durations(labels, *cells, self._count_batch)
            else:
                batch = PromptDurations(labels, *cells, self._backlog.record)
            self._batches[key] = batch
        return batch

    def _cells(
        self, signal: Signal, event: Event
    ) -> tuple[list[CounterLike], list[tuple[HistogramLike, float]]] | None:
        counters: list[CounterLike] = []
        histograms: list[tuple[HistogramLike, float]] = []
        for binding in signal.metrics:
            labels = label_values(signal.event, binding.metric.label_names, binding.const)(event)
            if isinstance(binding, Count) and not binding.amount:
                counter = self._counters[binding.metric.name].own(labels)
                if counter is None:
                    return None
                counters.append(counter)
            elif isinstance(binding, Observe):
                histogram = self._histograms[binding.metric.name].own(labels)
                if histogram is None:
                    return None
                histograms.append((histogram, binding.scale))
            else:
                return None
        return counters, histograms

    def _known_again(self, known: Mapping[str, str]) -> None:
        self._departed.remove(known)
        self._over.remove(known)

    def _drop(self, gone: Mapping[str, str]) -> None:
        self._over.add(gone)
        self._end_batches(gone)
        self._finish_batches(MAX_ENDED)

    def _end_batches(self, gone: Mapping[str, str]) -> None:
        for key, batch in list(self._batches.items()):
            if all(batch.labels.get(name) == value for name, value in gone.items()):
                batch.end()
                self._ended.append(batch)
                del self._batches[key]

    def _finish_batches(self, most: int) -> None:
        """Let go of the batches that ended first, until *most* are left."""
        while len(self._ended) > most:
            self._ended.popleft().finish()

    def _count_batch(self, batch: Durations) -> None:
        self._backlog.relieve(batch.take, lambda: batch.waiting, most=MAX_DURATIONS)

    def _count_everything(self) -> None:
        self._backlog.count(self._take_batches)

    def _take_batches(self) -> None:
        for batch in (*self._batches.values(), *self._ended):
            batch.take()

    def _count(self, record: Any) -> None:
        """Count one record; under the lock."""
        event, exemplar = record if type(record) is tuple else (record, None)
        key = (type(event.operation), event.outcome) if type(event) is Finished else type(event)
        for write in self._writes_for(key, event):
            try:
                write(event, exemplar)
            except Exception as error:  # noqa: BLE001 - isolation is the job: the other metrics are still counted
                self._broken.append(error)

    def _writes_for(self, key: _Key, event: Event) -> Iterable[Write]:
        late = self._late.get(type(event))
        if late is not None:
            names, values_of, writes = late
            if self._over.contains(names, values_of(event)):
                return writes
        return self._writes.get(key, ())

    def _count_shared(self, record: Any) -> None:
        if self._sharing is not None:
            self._sharing.count(self._count_prompt, record)

    def _count_prompt(self, record: Any) -> None:
        if type(record) is tuple and type(record[0]) is PromptDurations:
            record[0].observe(record[1])
        else:
            self._count(record)

    def _fold(self, name: str) -> None:
        self._folded[name] = self._folded.get(name, 0) + 1

    def _settle(self) -> None:
        """Tell what came up while counting, when the lock is free again; what comes up meanwhile, the next time."""
        if self._settling or not (self._broken or self._folded):
            return
        self._settling = True
        broken: list[Exception] = []
        folded: dict[str, int] = {}
        try:
            self._backlog.alone(partial(self._take_reports, broken, folded), wait=False)
            for error in broken:
                self._observers.hook_failed(self.name, error)
            for name, samples in folded.items():
                self._tell_folded(name, samples)
        finally:
            self._settling = False

    def _take_reports(self, broken: list[Exception], folded: dict[str, int]) -> None:
        broken += self._broken
        folded |= self._folded
        self._broken.clear()
        self._folded.clear()

    def _tell_folded(self, name: str, samples: int) -> None:
        self._observers.notify(own.SeriesFolded(metric=name, samples=samples))
        if name not in self._full:
            self._full.add(name)
            self._observers.notify(own.SeriesLimitReached(metric=name))

    def _read_gauges(self) -> Gauges:
        return self._gauge_sources.read(type(self).__name__, self._own_states)

    def _tell_failed(self, name: str, error: BaseException) -> None:
        error_type, text = describe(error)
        self._observers.notify(own.ScrapeFailed(collector=name, error_type=error_type, error=text))

    def _own_states(self, gauges: Gauges) -> list[State]:
        return [
            self._build,
            own.ScrapeState(duration=self._scrape_duration),
            *(own.SeriesCount(metric=family.metric.name, count=len(family.cells)) for family in self._families()),
            *(own.SeriesCount(metric=name, count=len(values)) for name, values in gauges.values.items()),
        ]

    def _copies(self, gauges: Gauges) -> list[Snapshot]:
        return [self._snapshot(metric, gauges) for metric in self._catalogue.metrics]

    def _snapshot(self, metric: Metric, gauges: Gauges) -> Snapshot:
        if metric.type == "counter":
            counters = self._counters[metric.name].cells.copy()
            cells = list(counters.values())
            return Snapshot(metric, list(counters), [cell.value for cell in cells], cells)
        if metric.type == "histogram":
            histograms = self._histograms[metric.name].cells.copy()
            return Snapshot(
                metric, list(histograms), list(map(_distribution, histograms.values())), list(histograms.values())
            )
        values = gauges.values.get(metric.name, {})
        return Snapshot(metric, list(values), list(values.values()))

    def _renew(self) -> None:
        """Start from zero in a child of a fork: what was counted before is the parent's."""
        for family in self._families():
            for cell in family.cells.values():
                cell.clear()
        for batch in self._batches.values():
            batch.forget()
        self._ended.clear()
        self._broken.clear()
        self._folded.clear()
        self._settling = False
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


def _distribution(cell: HistogramLike) -> Distribution:
    return Distribution(cell.counts, cell.sum, None if cell.exemplars is None else cell.exemplars[:])
