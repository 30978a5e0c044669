"""Keep one failing collector from emptying a scrape."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, TypeVar

from prometheus_client import CollectorRegistry, GCCollector, Metric, PlatformCollector, ProcessCollector
from prometheus_client.metrics_core import METRIC_TYPES
from prometheus_client.registry import Collector

from oneiric.core.concurrency import renew_after_fork
from oneiric.core.redaction import describe
from oneiric.observability.events import ScrapeFailed
from oneiric.observability.exposition.text import text_of
from oneiric.observability.metrics import CallTimeout, SnapshotFamily, request_yields

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prometheus_client.samples import Sample

    from oneiric.core.observers import Observers

T = TypeVar("T")


class IsolatedCollector(Collector):
    """A collector that exposes what *inner* collects, but for a family that cannot be rendered.

    It exposes nothing if *inner* raises, or takes too long.

    Args:
        inner: What collects.
        name: Stands for it in :class:`ScrapeFailed`.
        observers: Notified of every failure.
        trusted: Whether *inner* is one that never hangs; any other is asked in a thread of its own.
    """

    def __init__(self, inner: Collector, *, name: str, observers: Observers, trusted: bool = False) -> None:
        self.trusted = trusted
        self._inner = inner
        self._name = name
        self._observers = observers
        self._timeout: CallTimeout[int, list[Metric]] = CallTimeout()

    def collect(self) -> Iterable[Metric]:
        """Return the families of the inner collector, complete and fit to be rendered; never raises an Exception."""
        return collect_isolated([self], self._timeout)

    def describe(self) -> Iterable[Metric]:
        """Return what the inner collector declares, or nothing, so that to register never collects."""
        try:
            return list(self._inner.describe()) if hasattr(self._inner, "describe") else []
        except Exception as error:  # noqa: BLE001 - isolation is the job
            self.failed(error)
            return []

    def everything(self) -> list[Metric]:
        """Return whatever the inner collector yields; raises what it raises."""
        return list(self._inner.collect())

    def fit(self, families: list[Metric] | BaseException) -> list[Metric]:
        """Return those of *families* that can be rendered; report the others, or the error that there is instead."""
        if isinstance(families, BaseException):
            self.failed(families)
            return []
        return [family for family in families if self._is_fit(family)]

    def failed(self, error: BaseException) -> None:
        """Report that it failed with *error*."""
        error_type, text = describe(error)
        self._observers.notify(ScrapeFailed(collector=self._name, error_type=error_type, error=text))

    def _is_fit(self, family: Metric) -> bool:
        try:
            _check(family)
        except Exception as error:  # noqa: BLE001 - isolation is the job
            self.failed(error)
            return False
        return True


def collect_isolated(
    collectors: Iterable[IsolatedCollector], timeout: CallTimeout[int, list[Metric]]
) -> Iterator[Metric]:
    """Yield the families of *collectors*, each name once; those that are not trusted are asked with *timeout*."""
    request_yields()
    names: set[str] = set()
    for collector, families in _collected(list(collectors), timeout):
        for family in collector.fit(families):
            if family.name in names:
                collector.failed(ValueError(f"collected {family.name[:200]}, which another collector has too"))
            else:
                names.add(family.name)
                yield family


def _collected(
    collectors: list[IsolatedCollector], timeout: CallTimeout[int, list[Metric]]
) -> Iterator[tuple[IsolatedCollector, list[Metric] | BaseException]]:
    for collector in collectors:
        if collector.trusted:
            try:
                families: list[Metric] | BaseException = collector.everything()
            except Exception as error:  # noqa: BLE001 - isolation is the job
                families = error
            yield collector, families
    foreign = {id(collector): collector for collector in collectors if not collector.trusted}
    for key, outcome in timeout.call([(key, collector.everything) for key, collector in foreign.items()]):
        yield foreign[key], outcome


class IsolatedView:
    """The collectors of somebody's registry, each of them isolated.

    Args:
        registry: Theirs; left as it is.
        observers: Notified of every failure.
    """

    def __init__(self, registry: CollectorRegistry, observers: Observers) -> None:
        self._registry = registry
        self._observers = observers
        self._timeout: CallTimeout[int, list[Metric]] = CallTimeout()
        self._isolated: dict[int, IsolatedCollector] = {}

    def collect(self) -> Iterable[Metric]:
        """Return what can be collected and rendered; never raises an Exception."""
        members: list[Collector] = [self._registry]
        if type(self._registry).collect is CollectorRegistry.collect:
            # A registry has no other way to tell its collectors apart.
            members = list(getattr(self._registry, "_collector_to_names", members))
        isolated = {id(member): self._isolated.get(id(member)) or self._isolate(member) for member in members}
        self._isolated = isolated
        return collect_isolated(isolated.values(), self._timeout)

    def _isolate(self, collector: Collector) -> IsolatedCollector:
        if isinstance(collector, IsolatedCollector):
            return collector
        return IsolatedCollector(collector, name=type(collector).__name__, observers=self._observers)


def isolated(source: CollectorRegistry | T, observers: Observers) -> IsolatedView | CollectorRegistry | T:
    """Return *source* with every collector isolated; what is no registry, or one that does so itself, as it is."""
    if isinstance(source, CollectorRegistry) and not isinstance(source, OwnRegistry):
        return IsolatedView(source, observers)
    return source


class RenewedRegistry(CollectorRegistry):
    """A registry whose lock nobody holds in a forked child."""

    def __init__(self) -> None:
        super().__init__(auto_describe=False)
        self._lock: Any = threading.RLock()  # no ForkSafeLock, as its base class takes it by this name
        renew_after_fork(self._renew)

    def _renew(self) -> None:
        self._lock = threading.RLock()


class OwnRegistry(RenewedRegistry):
    """A registry in which every collector is isolated, whoever registers it.

    Args:
        observers: Notified of every failure.
    """

    def __init__(self, observers: Observers) -> None:
        super().__init__()
        self._observers = observers
        self._timeout: CallTimeout[int, list[Metric]] = CallTimeout()
        self._isolated: dict[int, IsolatedCollector] = {}

    def collect(self) -> Iterable[Metric]:
        """Return the families of every collector, all of them waited for together; never raises an Exception."""
        with self._lock:
            collectors = list(self._isolated.values())
        return collect_isolated(collectors, self._timeout)

    def register(self, collector: Collector) -> None:
        """Register *collector*, isolated; ValueError for a name that is there already."""
        isolated = self._isolate(collector)
        super().register(isolated)
        self._isolated[id(collector)] = isolated

    def unregister(self, collector: Collector) -> None:
        """Remove *collector*; KeyError if it was not registered."""
        super().unregister(self._isolated.pop(id(collector)))

    def _isolate(self, collector: Collector) -> IsolatedCollector:
        if isinstance(collector, IsolatedCollector):
            return collector
        name = type(collector).__name__
        return IsolatedCollector(collector, name=name, observers=self._observers)


def own_registry(observers: Observers) -> OwnRegistry:
    """Return a fresh registry with the process, platform and garbage collection collectors on it."""
    registry = OwnRegistry(observers)
    for name, collector_type in (("process", ProcessCollector), ("platform", PlatformCollector), ("gc", GCCollector)):
        # A registry is a collector itself, and the one place that holds nothing where an interpreter has no such data.
        alone = RenewedRegistry()
        collector_type(registry=alone)
        registry.register(IsolatedCollector(alone, name=name, observers=observers, trusted=True))
    return registry


def _check(family: Metric) -> None:
    if isinstance(family, SnapshotFamily):
        return  # ours: every label was made fit when it was first seen
    if not isinstance(family, Metric):
        raise TypeError(f"a collector yields prometheus_client Metric objects, not {type(family).__name__}")
    if family.type not in METRIC_TYPES:
        raise ValueError(f"the type of {family.name[:200]} is {family.type[:80]!r}, none of {', '.join(METRIC_TYPES)}")
    _check_text(family.name, family.documentation, family.unit)
    for sample in family.samples:
        _check_sample(sample)
    if any(map(_is_special, family.samples)):
        for openmetrics in (False, True):
            text_of([family], openmetrics=openmetrics, pause=int)


def _check_sample(sample: Sample) -> None:
    _check_text(sample.name, *sample.labels, *sample.labels.values())
    float(sample.value)
    if sample.timestamp is not None:
        float(sample.timestamp)


def _is_special(sample: Sample) -> bool:
    return any(extra is not None for extra in (sample.timestamp, sample.exemplar, sample.native_histogram))


def _check_text(*texts: str) -> None:
    for text in texts:
        # A lone surrogate, from a file name for instance, fails the encoding of the whole exposition.
        if not str.isascii(text):
            text.encode()
