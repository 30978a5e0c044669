"""The Prometheus sink, compiled once from the catalogue: a look-up and an addition a sample."""

from __future__ import annotations

import platform
import threading
import time
from bisect import bisect_left
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeAlias

from prometheus_client.registry import Collector

from oneiric.core.events import Event, Finished, Operation
from oneiric.core.redaction import describe
from oneiric.observability import events as own
from oneiric.observability._cells import CounterCell, Family, HistogramCell
from oneiric.observability._departed import Departed
from oneiric.observability._families import counter_family, empty_family, gauge_family, histogram_family
from oneiric.observability._fields import getter, label_values
from oneiric.observability._gauges import Gauges, compile_reads
from oneiric.observability._model import ENDED, Catalogue, Count, Gone, Observe, Phase, Read, Signal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from prometheus_client.metrics_core import Metric as MetricFamily

    from oneiric.core.events import State
    from oneiric.core.observers import Observers, Receiver, Stateful

DEFAULT_SERIES_BUDGET = 2000
"""Label sets a metric may have before further ones are folded."""

Write: TypeAlias = "Callable[[Any], None]"
AnyFamily: TypeAlias = "Family[CounterCell] | Family[HistogramCell]"


class PrometheusSink(Collector):
    """Count what is told, and read gauges when scraped.

    It is an :class:`~oneiric.core.observers.Observer` and a Prometheus ``Collector`` in one, to be registered in any
    registry. Thread-safe; a scrape holds no lock that a report waits for. A source of states that raises costs its own
    gauges only.

    Args:
        catalogue: What to count and read.
        observers: The seam through which the sink reports of itself.
        version: Version of the runtime.
        series_budget: Label sets of a metric beyond which further ones are folded into ``_other``.
        clock: Monotonic seconds; measures the scrape.
    """

    name = "prometheus"

    def __init__(
        self,
        catalogue: Catalogue,
        observers: Observers,
        *,
        version: str,
        series_budget: int = DEFAULT_SERIES_BUDGET,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        if series_budget < 1:
            raise ValueError(f"series_budget must be at least 1, got {series_budget}")
        self._catalogue = catalogue
        self._observers = observers
        self._budget = series_budget
        self._clock = clock
        self._lock = threading.RLock()  # a finaliser or signal handler may report while its own thread does
        self._sources: tuple[tuple[str, Stateful], ...] = ()
        self._reads = compile_reads(catalogue)
        self._scrape_duration: float | None = None
        self._folded: list[str] = []
        self._full: set[str] = set()
        self._gauges_folded: dict[str, int] = {}
        self._departed = Departed()
        self._build = own.BuildState(
            version=version, python=platform.python_version(), implementation=platform.python_implementation()
        )
        self._counters = {m.name: self._family(m, CounterCell) for m in catalogue.metrics if m.type == "counter"}
        self._histograms = {m.name: self._family(m, HistogramCell) for m in catalogue.metrics if m.type == "histogram"}
        for family in self._families():
            family.prepare({})

    def receiver(self, event_type: type[Event]) -> Receiver | None:
        """Return what counts events of *event_type*, or None where the catalogue counts nothing of it."""
        signal = self._catalogue.signal(event_type)
        if signal is None or not (signal.metrics or signal.known or signal.gone):
            return None
        if issubclass(event_type, Operation):
            return _EndingReceiver({phase: self._writer(self._compile(signal, phase)) for phase in ENDED})
        return self._writer(self._compile(signal, None))

    def catch_up(self, event: Event) -> None:
        """Count *event*, told before the sink was there, without telling it to anybody else."""
        receiver = self.receiver(type(event))
        if receiver is not None:
            receiver(event)

    def add_source(self, source: Stateful) -> Callable[[], None]:
        """Read *source* in every scrape from now on and return what ends that; both are idempotent."""
        with self._lock:
            if not any(known is source for _, known in self._sources):
                self._sources = (*self._sources, (type(source).__name__, source))

        def remove() -> None:
            with self._lock:
                self._sources = tuple(pair for pair in self._sources if pair[1] is not source)

        return remove

    def collect(self) -> Iterator[MetricFamily]:
        """Yield every family of the catalogue; a source that raises is reported and left out."""
        started = self._clock()
        gauges = Gauges(self._reads, budget=self._budget, is_gone=self._departed.has)
        for name, source in self._sources:
            self._read(name, source.states, gauges)
        self._read(type(self).__name__, lambda: self._own_states(gauges), gauges)
        for name, count in gauges.folded.items():
            self._tell_folded(name, count - self._gauges_folded.get(name, 0))
            self._gauges_folded[name] = max(count, self._gauges_folded.get(name, 0))
        families = list(self._render(gauges))
        self._scrape_duration = self._clock() - started
        yield from families

    def describe(self) -> Iterator[MetricFamily]:
        """Yield every family without samples, so that a registry can refuse a name that it already has."""
        return map(empty_family, self._catalogue.metrics)

    def _family(self, metric: Any, cell: Any) -> Any:
        return Family(metric, cell, budget=self._budget, folded=self._folded.append)

    def _families(self) -> Iterable[AnyFamily]:
        yield from self._counters.values()
        yield from self._histograms.values()

    def _writer(self, writes: tuple[Write, ...]) -> Write:
        lock, folded = self._lock, self._folded

        def write_all(event: Any) -> None:
            with lock:
                for write in writes:
                    write(event)
                names = folded[:] if folded else ()
                if names:
                    folded.clear()
            for name in names:
                self._tell_folded(name, 1)

        return write_all

    def _compile(self, signal: Signal, phase: Phase | None) -> tuple[Write, ...]:
        writes = [
            self._binding(signal, binding)
            for binding in signal.metrics
            if not isinstance(binding, Read) and (phase is None or phase in binding.on)
        ]
        if signal.known:
            writes.append(self._preparation(signal))
        writes.extend(self._removal(gone) for gone in signal.gone)
        return tuple(writes)

    def _binding(self, signal: Signal, binding: Count | Observe) -> Write:
        labels_of = label_values(signal.event, binding.metric.label_names, binding.const)
        if isinstance(binding, Count):
            return _counting(self._counters[binding.metric.name], labels_of, _amount(signal, binding))
        return _observing(self._histograms[binding.metric.name], labels_of, binding.scale)

    def _preparation(self, signal: Signal) -> Write:
        names = signal.known
        families = [family for family in self._families() if family.determined_by(frozenset(names))]
        departed = self._departed

        def prepare(event: Event) -> None:
            known = {name: getattr(event, name) for name in names}
            departed.remove(known)
            for family in families:
                family.prepare(known)

        return prepare

    def _removal(self, gone: Gone) -> Write:
        families = [family for family in self._families() if set(gone.labels) <= set(family.metric.label_names)]
        applies = attrgetter(gone.when) if gone.when else _always
        departed = self._departed

        def remove(event: Event) -> None:
            if applies(event):
                labels = {name: getattr(event, name) for name in gone.labels}
                if gone.gauges:
                    departed.add(labels)
                for family in families:
                    family.forget(labels)

        return remove

    def _tell_folded(self, name: str, samples: int) -> None:
        if samples <= 0:
            return
        self._observers.notify(own.SeriesFolded(metric=name, samples=samples))
        with self._lock:
            first = name not in self._full
            self._full.add(name)
        if first:
            self._observers.notify(own.SeriesLimitReached(metric=name))

    def _read(self, name: str, states: Callable[[], Iterable[State]], gauges: Gauges) -> None:
        try:
            for state in list(states()):
                gauges.read(state)
        except Exception as error:  # noqa: BLE001 - one bad source never empties a scrape
            error_type, text = describe(error)
            self._observers.notify(own.ScrapeFailed(collector=name, error_type=error_type, error=text))

    def _own_states(self, gauges: Gauges) -> Iterator[State]:
        yield self._build
        yield own.ScrapeState(duration=self._scrape_duration)
        for family in self._families():
            yield own.SeriesCount(metric=family.metric.name, count=len(family.cells))
        for name, values in gauges.values.items():
            yield own.SeriesCount(metric=name, count=len(values))

    def _render(self, gauges: Gauges) -> Iterator[MetricFamily]:
        for metric in self._catalogue.metrics:
            if metric.type == "counter":
                yield counter_family(metric, self._counters[metric.name].cells.copy())
            elif metric.type == "histogram":
                yield histogram_family(metric, self._histograms[metric.name].cells.copy())
            else:
                yield gauge_family(metric, gauges.values.get(metric.name, {}))


class _EndingReceiver:
    """Wants the end of an operation only; the same object is the scope of every operation of its type."""

    def __init__(self, writers: Mapping[Phase, Write]) -> None:
        self._writers = writers

    def __call__(self, _: Operation) -> _EndingReceiver:
        return self

    def finished(self, finished: Finished) -> None:
        self._writers[finished.outcome](finished)

    def close(self) -> None:
        pass


def _counting(family: Family[CounterCell], labels_of: Callable[[Any], Any], amount: Callable[[Any], float]) -> Write:
    cells, at = family.cells, family.at

    def count_one(event: Any) -> None:
        labels = labels_of(event)
        cell = cells.get(labels)
        if cell is None:
            cell = at(labels)
        cell.value += 1.0

    def count(event: Any) -> None:
        at(labels_of(event)).value += amount(event)

    return count_one if amount is _one else count


def _observing(family: Family[HistogramCell], labels_of: Callable[[Any], Any], scale: float) -> Write:
    cells, at = family.cells, family.at

    def observe(event: Any) -> None:
        labels = labels_of(event)
        cell = cells.get(labels)
        if cell is None:
            cell = at(labels)
        value = event.duration * scale
        cell.counts[bisect_left(cell.bounds, value)] += 1
        cell.sum += value

    return observe


def _amount(signal: Signal, binding: Count) -> Callable[[Any], float]:
    return getter(signal.event, binding.amount) if binding.amount else _one


def _one(_: Any) -> float:
    return 1.0


def _always(_: Any) -> bool:
    return True
