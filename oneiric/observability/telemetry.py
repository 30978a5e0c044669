"""The sinks that are attached to a runtime, until they are taken off again."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Protocol, Self

from oneiric.core.limits import PAGE_REUSE, RENDER_TIMEOUT
from oneiric.core.observers import Observer, Observers, once
from oneiric.core.sources import Observable, Replayable, Stateful
from oneiric.observability import events as own
from oneiric.observability.export import STOP_SECONDS, Exporters
from oneiric.observability.exposition import (
    Exposition,
    IsolatedCollector,
)
from oneiric.observability.logs import LogSink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

    from prometheus_client import CollectorRegistry

    from oneiric.core.events import Event
    from oneiric.observability.metrics import PrometheusSink


class Sink(Observer, Protocol):
    """An observer with a name of its own."""

    @property
    def name(self) -> str:
        """What stands for it in logs and labels."""


class Telemetry:
    """The sinks attached to a runtime; made by :func:`attach`, and a context manager that detaches at its end.

    It is also an observer that wants nothing, by which a second :func:`attach` finds it. Attach and detach from one
    thread at a time; reports and scrapes may come from any.

    Attributes:
        collector: What collects every metric of the catalogue, for a registry of one's own.
        registry: The registry it is registered in. An application's own metrics belong there, too.
        tracer_provider: Whose spans are exported with OTLP, for the application to use too; None where none are.
    """

    name = "telemetry"

    def __init__(  # noqa: PLR0913 - one for each part
        self,
        sink: PrometheusSink,
        sinks: list[Sink],
        *,
        collector: IsolatedCollector,
        registry: CollectorRegistry,
        exporters: Exporters,
        observers: Observers,
    ) -> None:
        self.collector = collector
        self.registry = registry
        self.registry.register(collector)
        self.tracer_provider = exporters.tracer_provider
        self._exporters = exporters
        self._observers = observers
        self._sink = sink
        self._sinks = sinks
        self._removers: list[Callable[[], None]] = [self._unregister]
        self._removers += [sink.close for sink in sinks if isinstance(sink, LogSink)]
        self._holders = 0
        self._watched: list[tuple[object, Callable[[], None]]] = []

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Detach."""
        self.detach()

    def receiver(self, event_type: type[Event]) -> None:
        """Want nothing; the sinks are observers of their own."""

    def add(self, *targets: object) -> None:
        """Attach the same sinks to further *targets*; those it already has are left alone, as are other telemetries.

        After :meth:`detach` this does nothing.
        """
        if not self._removers:
            return
        fresh = [seam for seam in seams_of(targets) if attached_to([seam]) is None]
        for seam in fresh:
            self._add_seam(seam)
        for target in targets:
            if not any(known is target for known, _ in self._watched):
                self._watched.append((target, self._watch(target, fresh)))

    @property
    def holders(self) -> int:
        """How many hold it."""
        return self._holders

    def hold(self) -> Callable[[], None]:
        """Hold it for one of several that share it, and return what lets go; the last one to let go detaches it."""
        self._holders += 1
        return once(self._let_go)

    def _let_go(self) -> None:
        self._holders -= 1
        if self._holders == 0:
            self.detach()

    def remove(self, target: object) -> None:
        """Read *target* no more; the seam that it reports through stays attached."""
        for known, stop in self._watched:
            if known is target:
                stop()
        self._watched = [pair for pair in self._watched if pair[0] is not target]

    def samples(self) -> dict[str, list[tuple[dict[str, str], float]]]:
        """Scrape, and return labels and value of every sample of the catalogue's metrics, by sample name."""
        found: dict[str, list[tuple[dict[str, str], float]]] = {}
        for family in self.collector.collect():
            for sample in family.samples:
                found.setdefault(sample.name, []).append((sample.labels, sample.value))
        return found

    def start_exporting(self) -> None:
        """Start the exporters that were asked for; idempotent, and needed in a forked child only."""
        self._exporters.start()

    def flush(self, seconds: float = STOP_SECONDS) -> bool:
        """Export and push everything now, and return whether all of it arrived within *seconds*."""
        return self._exporters.flush(seconds)

    def stop_exporting(self, seconds: float = STOP_SECONDS) -> None:
        """Export and push everything a last time, within *seconds*, and stop to export for good; idempotent."""
        self._exporters.stop(seconds)

    def detach(self) -> None:
        """Remove every sink from where it was attached, and the metrics from their registry; idempotent.

        What is still to be exported or pushed is, before that: see :meth:`stop_exporting`.
        """
        self.stop_exporting()
        removers, self._removers = self._removers, []
        for remove in reversed(removers):
            remove()
        for _, stop in self._watched:
            stop()
        self._watched.clear()
        self._sink.close()

    def exposition(
        self,
        *,
        ready: Callable[[], bool] | None = None,
        timeout: float = RENDER_TIMEOUT,
        reuse: float = PAGE_REUSE,
    ) -> Exposition:
        """Return what answers requests for the metrics, to be served or mounted; for the arguments see there."""
        return Exposition(
            self.registry,
            ready=ready,
            observers=self._observers,
            fallback=self.collector,
            timeout=timeout,
            reuse=reuse,
        )

    def _unregister(self) -> None:
        with suppress(KeyError):  # whoever owns the registry may have removed it
            self.registry.unregister(self.collector)

    def _add_seam(self, seam: Observers) -> None:
        self._removers.append(seam.add(self))
        self._removers.extend([seam.add(sink) for sink in self._sinks])
        for sink in self._sinks:
            seam.notify(own.Attached(sink=sink.name))

    def _watch(self, target: object, fresh: list[Observers]) -> Callable[[], None]:
        if isinstance(target, Replayable):
            # What was reported through a seam that was attached already has been counted.
            missed = not isinstance(target, Observable) or target.observers in fresh
            take = self._sink.catch_up if missed else self._sink.make_known
            for event in target.replay():
                take(event)
        return self._sink.add_source(target) if isinstance(target, Stateful) else _nothing


def seams_of(targets: Iterable[object]) -> list[Observers]:
    """Return the seams that *targets* report through, each once."""
    seams: list[Observers] = []
    for target in targets:
        if isinstance(target, Observable) and target.observers not in seams:
            seams.append(target.observers)
    return seams


def attached_to(seams: Iterable[Observers]) -> Telemetry | None:
    """Return the telemetry that one of *seams* has, or None."""
    return next((found for seam in seams for found in seam.attached if isinstance(found, Telemetry)), None)


def _nothing() -> None:
    pass
