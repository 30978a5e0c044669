"""Let other threads run: in the middle of long work, or because a scrape asks for it."""

from __future__ import annotations

import time
from typing import Final

YIELD_SECONDS: Final = 0.00005
"""How long other threads are let run; with 0 the interpreter would not switch to one that waits."""

QUIET_YIELDS: Final = 12
"""After so many yields in which nobody ran, about a millisecond of work, nobody is expected to."""

REQUEST_SECONDS: Final = 0.5
"""For how long recorders yield to a scrape that requests it: no slow scrape slows them down for longer."""

_BUSY_SECONDS: Final = 0.000003  # of the processor, which the clocks do not show by themselves
_LONG_SECONDS: Final = 0.002  # others that compute without an end keep the interpreter for 5 ms each


class YieldPoints:
    """Points in the work of one thread at which it lets others run; used by one thread at a time.

    After a yield that others made a long one, as much is worked before the next: who computes all the time takes the
    interpreter anyway.

    Args:
        seconds: How long a yield is, at least.
    """

    def __init__(self, seconds: float = YIELD_SECONDS) -> None:
        self._seconds = seconds
        self._used = _used_by_others()
        self._quiet = 0
        self._resumed = self._rest = 0.0

    def __call__(self) -> bool:
        """Let other threads run, and return whether any is to be expected: one did, in one of the last yields."""
        if 0 <= time.thread_time() - self._resumed < self._rest:
            return True
        began = time.perf_counter()
        time.sleep(self._seconds)
        lasted = time.perf_counter() - began
        before, self._used = self._used, _used_by_others()
        used = self._used - before
        self._quiet = 0 if used > _BUSY_SECONDS else self._quiet + 1
        self._resumed, self._rest = time.thread_time(), lasted if used > _LONG_SECONDS else 0.0
        return self._quiet < QUIET_YIELDS


def request_yields() -> None:
    """Have recorders yield for a short time, so that a scrape need not wait 5 ms for each of them."""
    _requested_until[0] = time.monotonic() + REQUEST_SECONDS


def yield_if_requested() -> None:
    """Let other threads run if a scrape requested it."""
    if time.monotonic() < _requested_until[0]:
        time.sleep(YIELD_SECONDS)


_requested_until: Final = [0.0]


def _used_by_others() -> float:
    """Return the seconds of processor time of this process that were not this thread's."""
    return time.process_time() - time.thread_time()
