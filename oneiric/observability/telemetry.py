"""Attach every sink to a runtime, and take them off again."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Protocol, Self

from oneiric._version import __version__
from oneiric.core.config import OneiricSettings
from oneiric.core.observers import Observer, Observers, once
from oneiric.core.sources import Observable, Replayable, Stateful
from oneiric.core.unset import UNSET, Unset, given_or
from oneiric.observability import events as own
from oneiric.observability.catalogue import CATALOGUE
from oneiric.observability.export import STOP_SECONDS, Exporters
from oneiric.observability.exposition import (
    DEFAULT_REUSE_SECONDS,
    DEFAULT_TIMEOUT_SECONDS,
    Exposition,
    IsolatedCollector,
    own_registry,
)
from oneiric.observability.logs import LogSink
from oneiric.observability.metrics import PrometheusSink
from oneiric.observability.metrics.shared import shared_directory
from oneiric.observability.settings import identified, log_limits_of, otlp_options, push_options
from oneiric.observability.tracing import TracingSink, recording_trace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from os import PathLike
    from types import TracebackType

    from opentelemetry.trace import TracerProvider
    from prometheus_client import CollectorRegistry

    from oneiric.core.events import Event
    from oneiric.observability.export import OtlpOptions, PushOptions
    from oneiric.observability.logs import LogLimits


class Sink(Observer, Protocol):
    """An observer with a name of its own."""

    @property
    def name(self) -> str:
        """What stands for it in logs and labels."""


def attach(  # noqa: PLR0913 - published
    *targets: object,
    settings: OneiricSettings | None = None,
    registry: CollectorRegistry | None = None,
    series_budget: int | Unset = UNSET,
    log_rate_limit: float | Unset = UNSET,
    log_limits: LogLimits | Unset | None = UNSET,
    tracing: bool | Unset = UNSET,
    tracer_provider: TracerProvider | None = None,
    otlp: OtlpOptions | Unset | None = UNSET,
    push: PushOptions | Unset | None = UNSET,
    shared_dir: str | PathLike[str] | Unset | None = UNSET,
    shared_interval: float | Unset = UNSET,
) -> Telemetry:
    """Attach metrics, logs and traces to *targets* and return what detaches them.

    A target is anything that reports through ``observers`` (a resolver, a lifecycle manager, an activity store, a
    remote source, an ``Observers``) or that has ``states()`` to read gauges from; each is used for what it offers. What
    a resolver or a source already holds is counted too. Idempotent: targets that report through a seam that already has
    telemetry join it, and the same :class:`Telemetry` is returned; the other arguments are then ignored.

    Args:
        targets: At least one that reports through ``observers``.
        settings: Its section ``observability`` stands in for arguments that are left out; None: what the environment
            says, then the file that ``ONEIRIC_CONFIG`` names, then the default; ValueError where one of them is wrong.
        registry: Where to register the metrics; None: a registry of their own, with the process, platform and garbage
            collector metrics on it. Names that it already has are a ValueError, and nothing is attached.
        series_budget: Label sets a metric may have; further ones are folded into ``_other``.
        log_rate_limit: Seconds in which a rate-limited log event is written at most once.
        log_limits: How often any log event is written; None: generously.
        tracing: Whether to open spans, once the application has imported OpenTelemetry.
        tracer_provider: Where spans go; None: to the collector that *otlp* names, or else to the global provider.
        otlp: Export with the OpenTelemetry protocol until detached: the registry's metrics, and spans unless they go to
            *tracer_provider*. None: nowhere. Wrong options raise ValueError or OSError; without the extra
            ``otlp`` there is an ImportError.
        push: Leave the metrics on a Pushgateway or in a file, at the latest when detached; None: nowhere. Wrong options
            raise ValueError.
        shared_dir: Where all processes of a service keep their counts, so that a scrape of any shows the totals of all,
            those that ended included; made where it is missing, and a ValueError where it cannot be used. None: this
            process shows its own.
        shared_interval: Seconds between publications of the gauges of this process to the others.
    """
    seams = _seams(targets)
    if not seams:
        raise ValueError(f"nothing to attach to: none of {[type(target).__name__ for target in targets]} has observers")
    known = _attached(seams)
    if known is not None:
        known.add(*targets)
        return known
    observers = seams[0]
    settings = OneiricSettings() if settings is None else settings
    options = settings.observability
    directory = given_or(shared_dir, options.shared.directory)
    otlp = otlp_options(settings) if otlp is UNSET else otlp
    sink = PrometheusSink(
        CATALOGUE,
        observers,
        version=__version__,
        series_budget=given_or(series_budget, options.series_budget),
        trace=recording_trace,
        shared=None if directory is None else shared_directory(directory),
        shared_interval=given_or(shared_interval, options.shared.publish_interval),
    )
    rate_limit = given_or(log_rate_limit, options.log_rate_limit_seconds)
    limits = log_limits_of(options.log_limits) if log_limits is UNSET else log_limits
    sinks: list[Sink] = [sink, LogSink(CATALOGUE, observers, rate_limit=rate_limit, limits=limits)]
    collector = IsolatedCollector(sink, name=sink.name, observers=observers, trusted=True)
    registry = own_registry(observers) if registry is None else registry
    tracing = given_or(tracing, options.tracing)
    exporters = Exporters(
        otlp=None if otlp is None else identified(otlp, settings.logging),
        push=push_options(settings) if push is UNSET else push,
        spans=tracing and tracer_provider is None,
        registry=registry,
        collector=collector,
        observers=observers,
    )
    if tracing:
        provider = tracer_provider or exporters.tracer_provider
        sinks.insert(0, TracingSink(CATALOGUE, version=__version__, provider=provider))
    telemetry = Telemetry(sink, sinks, collector=collector, registry=registry, exporters=exporters, observers=observers)
    try:
        telemetry.add(*targets)
    except BaseException:
        telemetry.detach()
        raise
    exporters.start()
    return telemetry


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
        fresh = [seam for seam in _seams(targets) if _attached([seam]) is None]
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
        timeout: float = DEFAULT_TIMEOUT_SECONDS,
        reuse: float = DEFAULT_REUSE_SECONDS,
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
            # What was told through a seam that was attached already has been counted.
            missed = not isinstance(target, Observable) or target.observers in fresh
            tell = self._sink.catch_up if missed else self._sink.make_known
            for event in target.replay():
                tell(event)
        return self._sink.add_source(target) if isinstance(target, Stateful) else _nothing


def _seams(targets: Iterable[object]) -> list[Observers]:
    seams: list[Observers] = []
    for target in targets:
        if isinstance(target, Observable) and target.observers not in seams:
            seams.append(target.observers)
    return seams


def _attached(seams: Iterable[Observers]) -> Telemetry | None:
    return next((found for seam in seams for found in seam.attached if isinstance(found, Telemetry)), None)


def _nothing() -> None:
    pass
