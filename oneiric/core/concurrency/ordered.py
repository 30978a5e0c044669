"""Hand things on in the order in which they came, whichever threads they came in."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

from oneiric.core.concurrency.forks import renew_after_fork
from oneiric.core.concurrency.turn import TAKEN, Turn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

T = TypeVar("T")


class InOrder(Generic[T]):
    """A queue, of events for instance, that one thread at a time hands on.

    No lock that anybody waits for is held meanwhile: a receiver may make changes, and wait for other threads that do.
    """

    def __init__(self) -> None:
        self._waiting: deque[T] = deque()
        self._turn = Turn()
        renew_after_fork(self._renew)

    def put(self, things: Iterable[T]) -> None:
        """Add *things*, under the lock under which the change is made, so that their order is that of the changes."""
        self._waiting.extend(things)

    def hand_on(self, take: Callable[[T], object]) -> None:
        """Call *take* with each that waits, or leave it to another thread or a caller of this one that does so."""
        waiting = self._waiting

        def hand_all_on() -> None:
            while waiting:
                take(waiting.popleft())

        while waiting:
            if self._turn.do(hand_all_on) is TAKEN:
                return

    def _renew(self) -> None:
        self._waiting.clear()  # the parent hands it on
        self._turn = Turn()
