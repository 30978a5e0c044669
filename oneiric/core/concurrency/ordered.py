"""Notify observers of events in the order in which they happened, whichever threads they happened in."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from oneiric.core.concurrency.forks import renew_after_fork
from oneiric.core.concurrency.turn import TAKEN, Turn

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oneiric.core.events import Event
    from oneiric.core.observers import Observers


class InOrder:
    """A queue of events, of which one thread at a time notifies.

    No lock that anybody waits for is held meanwhile: a receiver may make changes, and wait for other threads that do.
    """

    def __init__(self) -> None:
        self._events: deque[Event] = deque()
        self._turn = Turn()
        renew_after_fork(self._renew)

    def put(self, events: Iterable[Event]) -> None:
        """Add *events*, under the lock under which the change is made, so that their order is that of the changes."""
        self._events.extend(events)

    def notify(self, observers: Observers) -> None:
        """Notify *observers* of what waits, or leave it to another thread or a caller of this one that does so."""
        events = self._events

        def notify_all() -> None:
            while events:
                observers.notify(events.popleft())

        while events:
            if self._turn.do(notify_all) is TAKEN:
                return

    def _renew(self) -> None:
        self._events.clear()  # the parent notifies of it
        self._turn = Turn()
