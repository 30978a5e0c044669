"""What tests in several folders share: an observer that remembers, and a clock that is set by hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from oneiric.core.events import ActivityCount, Event, Finished, Operation

if TYPE_CHECKING:
    from oneiric.core.activity import ActivityStore, MemoryActivityStore
    from oneiric.core.observers import Receiver

E = TypeVar("E", bound=Event)


@dataclass
class Recorder:
    """An observer that remembers every event, and how every operation ended, in the order told."""

    told: list[Event] = field(default_factory=list)
    ended: list[Finished] = field(default_factory=list)

    def receiver(self, event_type: type[Event]) -> Receiver:
        """Want everything."""
        return self._start if issubclass(event_type, Operation) else self.told.append

    def of(self, event_type: type[E]) -> list[E]:
        """Return what was told of *event_type*; of an operation, its starts."""
        return [event for event in self.told if isinstance(event, event_type)]

    def endings(self, operation_type: type[Operation]) -> list[Finished]:
        """Return how the operations of *operation_type* ended."""
        return [finished for finished in self.ended if isinstance(finished.operation, operation_type)]

    def finished(self, finished: Finished) -> None:
        """Remember an ending."""
        self.ended.append(finished)

    def close(self) -> None:
        """Hold nothing."""

    def _start(self, operation: Operation) -> Recorder:
        self.told.append(operation)
        return self


@dataclass
class Clock:
    """Seconds that pass only when told to."""

    now: float = 1000.0

    def __call__(self) -> float:
        """Return the present second."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Let *seconds* pass."""
        self.now += seconds


def counts(store: ActivityStore | MemoryActivityStore) -> list[ActivityCount]:
    """Return how many components of each domain are paused and draining, as a scrape sees them."""
    return [state for state in store.states() if isinstance(state, ActivityCount)]
