"""A bounded store of records that returns those after a moment."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

from oneiric.core.concurrency import ForkSafeLock

T = TypeVar("T")

MAX_KEPT = 10_000
"""How many records are kept; of more the oldest are let go."""


class Kept(Generic[T]):
    """The last *limit* records. Thread-safe, also in a finaliser or signal handler, and in a forked child."""

    def __init__(self, limit: int = MAX_KEPT) -> None:
        self._records: deque[T] = deque(maxlen=limit)
        self._count = 0
        self._lock = ForkSafeLock()

    @property
    def count(self) -> int:
        """How many there ever were: the mark of this moment, for :meth:`since`."""
        return self._count

    def append(self, record: T) -> None:
        """Keep *record*."""
        with self._lock.held:
            self._records.append(record)
            self._count += 1

    def since(self, mark: int) -> tuple[list[T], int]:
        """Return the records that came after *mark*, the oldest first, and how many of those were let go."""
        with self._lock.held:
            first = self._count - len(self._records)
            return list(self._records)[max(0, mark - first) :], max(0, first - mark)
