"""Let other threads run in the middle of long work, and see whether any do."""

from __future__ import annotations

import time
from typing import Final

BREAK_SECONDS: Final = 0.00005
"""How long other threads are let run; with 0 the interpreter would not switch to one that waits."""

QUIET_BREAKS: Final = 12
"""After so many breaks in which nobody ran, about a millisecond of work, nobody is expected to."""

_BUSY_SECONDS: Final = 0.000003  # of the processor, which the clocks do not show by themselves


class Breaks:
    """Breaks in the work of one thread, for the others; used by that thread only."""

    def __init__(self) -> None:
        self._used = _used_by_others()
        self._quiet = 0

    def __call__(self) -> bool:
        """Let other threads run, and return whether any is to be expected: one did, in one of the last breaks."""
        time.sleep(BREAK_SECONDS)
        before, self._used = self._used, _used_by_others()
        self._quiet = 0 if self._used - before > _BUSY_SECONDS else self._quiet + 1
        return self._quiet < QUIET_BREAKS


def _used_by_others() -> float:
    """Return the seconds of processor time of this process that were not this thread's."""
    return time.process_time() - time.thread_time()
