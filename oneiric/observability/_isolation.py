"""Keep one failing collector from emptying a scrape."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, GCCollector, Metric, PlatformCollector, ProcessCollector
from prometheus_client.registry import Collector

from oneiric.core._forks import renew_after_fork
from oneiric.core.redaction import describe
from oneiric.observability._families import SnapshotFamily
from oneiric.observability._patience import Patience
from oneiric.observability._text import text_of
from oneiric.observability.events import ScrapeFailed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client.samples import Sample

    from oneiric.core.observers import Observers


class IsolatedCollector(Collector):
    """A collector that exposes what *inner* collects, but for a family that cannot be rendered.

    It exposes nothing if *inner* raises, or takes too long.

    Args:
        inner: What collects.
        name: Stands for it in :class:`ScrapeFailed`.
        observers: Told of every failure.
        patience: How long the inner collector may take; None: it is one that never hangs.
    """

    def __init__(
        self,
        inner: Collector,
        *,
        name: str,
        observers: Observers,
        patience: Patience[str, list[Metric]] | None = None,
    ) -> None:
        self._inner = inner
        self._name = name
        self._observers = observers
        self._patience = patience

    def collect(self) -> Iterable[Metric]:
        """Return the families of the inner collector, complete and fit to be rendered; never raises an Exception."""
        families = self._collected()
        if isinstance(families, BaseException):
            return self._failed(families)
        return [family for family in families if self._is_fit(family)]

    def describe(self) -> Iterable[Metric]:
        """Return what the inner collector declares, or nothing, so that to register never collects."""
        try:
            return list(self._inner.describe()) if hasattr(self._inner, "describe") else []
        except Exception as error:  # noqa: BLE001 - isolation is the job
            return self._failed(error)

    def _collected(self) -> list[Metric] | BaseException:
        if self._patience is not None:
            return next(self._patience.call([(self._name, self._all)]))[1]
        try:
            return self._all()
        except Exception as error:  # noqa: BLE001 - isolation is the job
            return error

    def _all(self) -> list[Metric]:
        return list(self._inner.collect())

    def _is_fit(self, family: Metric) -> bool:
        try:
            _check(family)
        except Exception as error:  # noqa: BLE001 - isolation is the job
            self._failed(error)
            return False
        return True

    def _failed(self, error: BaseException) -> list[Metric]:
        error_type, text = describe(error)
        self._observers.notify(ScrapeFailed(collector=self._name, error_type=error_type, error=text))
        return []


class RenewedRegistry(CollectorRegistry):
    """A registry whose lock nobody holds in a forked child."""

    def __init__(self) -> None:
        super().__init__(auto_describe=False)
        self._lock: Any = threading.RLock()
        renew_after_fork(self._renew)

    def _renew(self) -> None:
        self._lock = threading.RLock()


class OwnRegistry(RenewedRegistry):
    """A registry in which every collector is isolated, whoever registers it.

    Args:
        observers: Told of every failure.
    """

    def __init__(self, observers: Observers) -> None:
        super().__init__()
        self._observers = observers
        self._isolated: dict[int, IsolatedCollector] = {}

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
        return IsolatedCollector(collector, name=name, observers=self._observers, patience=Patience())


def own_registry(observers: Observers) -> OwnRegistry:
    """Return a fresh registry with the process, platform and garbage collection collectors on it."""
    registry = OwnRegistry(observers)
    for name, collector_type in (("process", ProcessCollector), ("platform", PlatformCollector), ("gc", GCCollector)):
        # A registry is a collector itself, and the one place that holds nothing where an interpreter has no such data.
        alone = RenewedRegistry()
        collector_type(registry=alone)
        registry.register(IsolatedCollector(alone, name=name, observers=observers))
    return registry


def _check(family: Metric) -> None:
    if isinstance(family, SnapshotFamily):
        return  # ours: every label was made fit when it was first seen
    if not isinstance(family, Metric):
        raise TypeError(f"a collector yields prometheus_client Metric objects, not {type(family).__name__}")
    _check_text(family.name, family.documentation, family.type, family.unit)
    for sample in family.samples:
        _check_sample(sample)
    if any(map(_is_special, family.samples)):
        for openmetrics in (False, True):
            text_of([family], openmetrics=openmetrics, pause=int)


def _check_sample(sample: Sample) -> None:
    _check_text(sample.name, *sample.labels, *sample.labels.values())
    float(sample.value)


def _is_special(sample: Sample) -> bool:
    return any(extra is not None for extra in (sample.timestamp, sample.exemplar, sample.native_histogram))


def _check_text(*texts: str) -> None:
    for text in texts:
        # A lone surrogate, from a file name for instance, fails the encoding of the whole exposition.
        if not str.isascii(text):
            text.encode()
