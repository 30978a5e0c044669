"""How records are counted: for each event type, the writes that the catalogue says, compiled once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from oneiric.core.events import Event, Finished, Operation
from oneiric.observability.fields import label_values
from oneiric.observability.metrics.durations import PromptDurations
from oneiric.observability.metrics.writes import Write, counting, observing, preparing, removing
from oneiric.observability.model import ENDED, Count, Phase, Read, Signal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from oneiric.observability.fields import Getter
    from oneiric.observability.metrics.batches import Batches
    from oneiric.observability.metrics.retired import Retirement
    from oneiric.observability.metrics.series import Series

_Key: TypeAlias = type[Event] | tuple[type[Event], Phase]


class Recorder:
    """The writes of one sink, by event type.

    Has no lock. :meth:`compile` is called by whoever adds an observer, before any event of its type is recorded;
    :meth:`count` and :meth:`count_prompt` in a turn of the backlog, as its ``count``.

    Args:
        series: What is written to.
        retirement: What is over.
        batches: Those of what is over end.
        failed: Called with an error that a write raised; the other writes of the record are made.
    """

    def __init__(
        self, series: Series, retirement: Retirement, batches: Batches, failed: Callable[[Exception], None]
    ) -> None:
        self._series = series
        self._retirement = retirement
        self._batches = batches
        self._failed = failed
        self._writes: dict[_Key, list[Write]] = {}
        self._existing_only: dict[type[Event], tuple[tuple[str, ...], Getter, list[Write]]] = {}

    def compile(self, signal: Signal) -> None:
        """Know how to count the events of *signal*."""
        if issubclass(signal.event, Operation):
            for phase in ENDED:
                self._writes[signal.event, phase] = self._compiled(signal, phase)
            return
        event_type: Any = signal.event
        self._writes[event_type] = self._compiled(signal, None)
        if signal.within:
            values_of = label_values(signal.event, signal.within, {})
            self._existing_only[event_type] = signal.within, values_of, self._bindings(signal, None, existing=True)

    def preparing(self, signal: Signal) -> Write:
        """Return what starts at 0 the series that an event of *signal* makes known."""
        return preparing(signal, self._series, self._retirement.make_known)

    def count(self, record: Any) -> None:
        """Count one event, or an event and its exemplar."""
        event, exemplar = record if type(record) is tuple else (record, None)
        key = (type(event.operation), event.outcome) if type(event) is Finished else type(event)
        for write in self._writes_for(key, event):
            try:
                write(event, exemplar)
            except Exception as error:  # noqa: BLE001 - isolation is the job: the other metrics are still counted
                self._failed(error)

    def count_prompt(self, record: Any) -> None:
        """Count one event, with its exemplar or not, or a duration of a batch."""
        if type(record) is tuple and type(record[0]) is PromptDurations:
            record[0].observe(record[1])
        else:
            self.count(record)

    def _writes_for(self, key: _Key, event: Event) -> Iterable[Write]:
        late = self._existing_only.get(type(event))
        if late is not None:
            names, values_of, writes = late
            if self._retirement.contains(names, values_of(event)):
                return writes
        return self._writes.get(key, ())

    def _compiled(self, signal: Signal, phase: Phase | None) -> list[Write]:
        writes = self._bindings(signal, phase, existing=False)
        if signal.known:
            writes.append(self.preparing(signal))
        writes.extend(removing(gone, self._series, self._retire) for gone in signal.gone)
        return writes

    def _bindings(self, signal: Signal, phase: Phase | None, *, existing: bool) -> list[Write]:
        writes: list[Write] = []
        for binding in signal.metrics:
            if isinstance(binding, Read) or (phase is not None and phase not in binding.on):
                continue
            if isinstance(binding, Count):
                counters = self._series.counters[binding.metric.name]
                writes.append(counting(signal, binding, counters.cells.get if existing else counters.at))
            else:
                histograms = self._series.histograms[binding.metric.name]
                writes.append(observing(signal, binding, histograms.cells.get if existing else histograms.at))
        return writes

    def _retire(self, labels: Mapping[str, str], *, gauges: bool) -> None:
        self._retirement.retire(labels, gauges=gauges)
        self._batches.end(labels)
        self._batches.finish()
