"""How many descriptors the process has open, and may open."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

try:
    import resource
except ImportError:  # where there is no such limit
    resource = None  # type: ignore[assignment]

SPARE: Final = 8
"""Descriptors that are left to the host whatever happens."""
RESERVE: Final = 24
"""Descriptors that are left to the host while the server has connections that it can close."""

_LISTING: Final = "/dev/fd"
_INTERVAL_SECONDS: Final = 0.1  # what a host may open meanwhile is what the reserve is for
_COST_FACTOR: Final = 100  # so that counting takes at most a hundredth of the time


def count_descriptors() -> int | None:
    """Return how many descriptors are open; None where that cannot be found out."""
    try:
        with os.scandir(_LISTING) as entries:
            return sum(1 for _ in entries) - 1  # one is open to list them
    except OSError:
        return None


def descriptor_limit() -> int | None:
    """Return how many may be open at once; None for any number."""
    if resource is None:
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft


class Allowance:
    """How many connections may be open so that the host keeps its reserve of descriptors; for one thread.

    Args:
        most: Connections allowed where descriptors are plenty.
        count: Returns the number of open descriptors, None if unknown.
        limit: Returns the number allowed, None for any.
        clock: Seconds that pass.
    """

    def __init__(
        self,
        most: int,
        *,
        count: Callable[[], int | None] = count_descriptors,
        limit: Callable[[], int | None] = descriptor_limit,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most = most
        self._count = count
        self._limit = limit
        self._clock = clock
        self._known = most
        self._due = 0.0

    def connections(self, held: int) -> int:
        """Return how many connections may be open, *held* being open now; counts anew every tenth of a second."""
        now = self._clock()
        if now >= self._due:
            self._known = min(self._most, self._free_for_connections(held))
            taken = self._clock() - now
            self._due = now + max(_INTERVAL_SECONDS, taken * _COST_FACTOR)
        return self._known

    def _free_for_connections(self, held: int) -> int:
        limit = self._limit()
        if limit is None:
            return self._most
        used = self._count()
        if used is None:
            return self._most
        free = limit - (used - held)
        # A host at its limit may still be looked at, by one at a time, as long as that leaves the bare minimum.
        return max(free - RESERVE, min(1, free - SPARE), 0)
