"""A lock that nobody holds in a forked child."""

from __future__ import annotations

import threading

from oneiric.core.concurrency.forks import renew_after_fork


class ForkSafeLock:
    """A reentrant lock that a forked child gets anew; where more than a lock is renewed, :func:`renew_after_fork` is.

    It is taken with ``with lock.held:``. There is no ``__enter__`` of its own, as a signal handler that raises could
    come between taking the lock and the block that gives it back.

    Attributes:
        held: The lock itself, another one in a child: look it up each time.
    """

    __slots__ = ("__weakref__", "held")

    def __init__(self) -> None:
        self._renew()
        renew_after_fork(self._renew)

    def _renew(self) -> None:
        self.held = threading.RLock()
