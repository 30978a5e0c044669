"""What was recorded and is not counted yet: appended to without a lock, counted in batches by one thread at a time.

To record is one append, which is atomic with and without a global interpreter lock, so that a finaliser, a signal
handler or a garbage collector callback may record in the middle of whatever its thread does.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from oneiric.core._batches import BATCH_SIZE
from oneiric.core._forks import renew_after_fork

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_UNCOUNTED: Final = 65_536
"""Records that may wait while another thread counts; over that, who records waits for its turn to count."""

_OPEN: Final = "open"


class Backlog:
    """Records that wait to be counted, and the one right to count.

    Thread-safe. A child of a fork starts with nothing that waits.

    Args:
        count: Counts one record; called by one thread at a time, for each record in the order of recording.
        settle: Called after records were counted, when others may count again.
    """

    def __init__(self, count: Callable[[Any], None], *, settle: Callable[[], None]) -> None:
        self._count = count
        self._settle = settle
        self._records: deque[Any] = deque()
        self._counting = False
        self._gate = {_OPEN: None}  # where all but one turn back who do not wait, instead of crowding at the lock
        self.lock = threading.RLock()
        renew_after_fork(self._renew)

    def __len__(self) -> int:
        """Return how many records wait."""
        return len(self._records)

    def record(self, record: object) -> None:
        """Let *record* be counted soon, in the thread that makes the batch full."""
        records = self._records
        records.append(record)
        if len(records) >= BATCH_SIZE:
            self.count(wait=len(records) >= MAX_UNCOUNTED)

    def count(self, *, wait: bool) -> None:
        """Count what waits; without *wait*, leave it to whoever counts already."""
        if self.alone(self._count_all, wait=wait):
            self._settle()

    def alone(self, work: Callable[[], None], *, wait: bool) -> bool:
        """Do *work* while nobody counts, and return whether that was so.

        It is not where this thread counts already, and is interrupted by whoever asks; without *wait*, where any does.
        """
        if wait:
            return self._do_alone(work)
        gate = self._gate
        try:
            del gate[_OPEN]  # no call, after which a signal handler could raise before it is opened again
        except KeyError:
            return False
        try:
            return not self._counting and self._do_alone(work)
        finally:
            gate[_OPEN] = None

    def _do_alone(self, work: Callable[[], None]) -> bool:
        with self.lock:  # a handler that raises cannot come between taking and releasing it, as it could in a call
            if self._counting:
                return False
            self._counting = True
            try:
                work()
            finally:
                self._counting = False
        return True

    def _count_all(self) -> None:
        records, count = self._records, self._count
        for _ in range(2 * len(records)):
            if not records:
                return
            count(records.popleft())

    def _renew(self) -> None:
        self.lock = threading.RLock()
        self._counting = False
        self._gate = {_OPEN: None}
        self._records.clear()


class PromptBacklog(Backlog):
    """Counts each record before :meth:`record` returns, or, where that interrupts the counting, when that goes on."""

    def record(self, record: object) -> None:
        """Count *record*."""
        self._records.append(record)
        if self._do_alone(self._count_all):
            self._settle()
