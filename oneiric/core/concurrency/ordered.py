"""Tell what happened in the order in which it happened, whichever threads it happened in."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from oneiric.core.concurrency.forks import renew_after_fork

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oneiric.core.events import Event
    from oneiric.core.observers import Observers

_TURN: Final = "turn"


class InOrder:
    """A queue of events, told by one thread at a time.

    No lock that anybody waits for is held meanwhile: a receiver may make changes, and wait for other threads that do.
    """

    def __init__(self) -> None:
        self._untold: deque[Event] = deque()
        self._turn = {_TURN: None}
        renew_after_fork(self._renew)

    def put(self, events: Iterable[Event]) -> None:
        """Add *events*, under the lock under which the change is made, so that their order is that of the changes."""
        self._untold.extend(events)

    def tell(self, observers: Observers) -> None:
        """Tell what there is; where another thread, or a caller of this one, is telling already, it tells that too."""
        untold, turn = self._untold, self._turn
        while untold:
            try:
                del turn[_TURN]  # no call, after which a signal handler could raise before the turn can be given back
            except KeyError:
                return
            try:
                while untold:
                    observers.notify(untold.popleft())
            finally:
                turn[_TURN] = None

    def _renew(self) -> None:
        self._untold.clear()  # the parent tells it
        self._turn = {_TURN: None}
