"""Tell what happened in the order in which it happened, whichever threads it happened in."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

from oneiric.core._forks import renew_after_fork

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oneiric.core.events import Event
    from oneiric.core.observers import Observers


class InOrder:
    """A queue of events, told by one thread at a time.

    No lock that anybody waits for is held meanwhile: a receiver may make changes, and wait for other threads that do.
    """

    def __init__(self) -> None:
        self._untold: deque[Event] = deque()
        self._telling = threading.Lock()
        renew_after_fork(self._renew)

    def put(self, events: Iterable[Event]) -> None:
        """Add *events*, under the lock under which the change is made, so that their order is that of the changes."""
        self._untold.extend(events)

    def tell(self, observers: Observers) -> None:
        """Tell what there is; where another thread, or a caller of this one, is telling already, it tells that too."""
        while self._untold and self._telling.acquire(blocking=False):
            try:
                while self._untold:
                    observers.notify(self._untold.popleft())
            finally:
                self._telling.release()

    def _renew(self) -> None:
        self._untold.clear()  # the parent tells it
        self._telling = threading.Lock()
