"""The seams that are captured, with the telemetry that each has."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from oneiric.core.config import OneiricSettings
from oneiric.core.observers import Observers, once
from oneiric.core.sources import Observable, Stateful
from oneiric.observability import Telemetry, attach
from oneiric.testing.window import added

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from oneiric.core.observers import Observer
    from oneiric.testing.window import Samples


@runtime_checkable
class Runtime(Protocol):
    """What a runtime is made of, as far as it has states to read."""

    resolver: Any
    lifecycle: Any
    activity_store: Any
    remotes: Any


class Attachments:
    """Seams with the capturing observers on them; attach and close from one thread at a time.

    Args:
        tracing: Added to a seam before its telemetry, so that its spans are current when lines are written.
        logs: Added after it.
    """

    def __init__(self, *, tracing: Observer, logs: Observer) -> None:
        self._tracing = tracing
        self._logs = logs
        self._seams: dict[int, tuple[Telemetry, bool]] = {}
        self._removers: list[Callable[[], None]] = []
        self._joined: list[Samples] = []
        self.telemetries: list[Telemetry] = []

    def add(self, target: object, *, own: Observers) -> Callable[[], None]:
        """Capture the telemetry of *target*, by its own seam or else *own*, and return the function that ends it."""
        seam = target.observers if isinstance(target, Observable) else own
        if id(seam) not in self._seams:
            return self._begin(seam, _parts(target))
        telemetry, foreign = self._seams[id(seam)]
        if foreign:
            return lambda: None
        telemetry.add(*_parts(target))
        return once(lambda: call_all(partial(telemetry.remove, part) for part in _parts(target)))

    def close(self) -> None:
        """Take off everything; what was counted can still be read."""
        removers, self._removers = self._removers, []
        call_all(reversed(removers))

    def samples(self) -> Samples:
        """Scrape every telemetry, and add up."""
        found: Samples = {}
        for telemetry in self.telemetries:
            found = added(found, _samples(telemetry))
        return found

    def joined(self, since: int) -> Samples:
        """Return the counts that telemetries after the first *since* had when they were attached."""
        found: Samples = {}
        for samples in self._joined[since:]:
            found = added(found, samples)
        return found

    def _begin(self, seam: Observers, parts: list[object]) -> Callable[[], None]:
        known = next((found for found in seam.attached if isinstance(found, Telemetry)), None)
        removers = [seam.add(self._tracing)]
        telemetry = known or attach(seam, *parts, settings=OneiricSettings.exactly(), tracing=False)
        removers.append(seam.add(self._logs))
        if known is None:
            removers.append(telemetry.detach)
        self._seams[id(seam)] = telemetry, known is not None
        removers.append(partial(self._forget, seam))
        if telemetry not in self.telemetries:
            self._joined.append(_samples(telemetry))
            self.telemetries.append(telemetry)
        remove = once(lambda: call_all(reversed(removers)))
        self._removers.append(remove)
        return remove

    def _forget(self, seam: Observers) -> None:
        self._seams.pop(id(seam), None)


def call_all(works: Iterable[Callable[[], None]]) -> None:
    """Do all of *works*."""
    for work in works:
        work()


def _samples(telemetry: Telemetry) -> Samples:
    return {
        name: {tuple(labels.items()): value for labels, value in rows} for name, rows in telemetry.samples().items()
    }


def _parts(target: object) -> list[object]:
    """Return *target*, and of a runtime the parts that have states; the telemetry of a runtime reads them already."""
    parts = [target]
    if isinstance(target, Runtime):
        parts += [target.resolver, target.lifecycle, target.activity_store, target.remotes.cache]
        parts += [target.remotes[name] for name in target.remotes]
    return [part for part in parts if isinstance(part, Observable | Stateful)]
