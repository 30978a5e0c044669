"""What was recorded and is not counted yet: appended to without a lock, counted in batches by one thread at a time.

To record is one append, which is atomic with and without a global interpreter lock, so that a finaliser, a signal
handler or a garbage collector callback may record in the middle of whatever its thread does.

A scrape has the next turn. Who records only appends while somebody wants a turn, and the thread that counts for the
others stops after its current record. Nobody who records waits for the lock, where a crowd would starve the scrape:
over a bound they sleep, a little at a time.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from threading import get_ident
from typing import TYPE_CHECKING, Any, Final

from oneiric.core.batches import BATCH_SIZE
from oneiric.core.concurrency import renew_after_fork
from oneiric.observability.metrics.yield_points import yield_if_requested

if TYPE_CHECKING:
    from collections.abc import Callable, Sized

MAX_UNCOUNTED: Final = 4096
"""Records that may wait while another thread counts; over that, who records pauses."""

PAUSE_SECONDS: Final = 0.005
"""How long who records pauses before it looks again."""

MAX_PAUSES: Final = 50
"""Pauses in one call that records; then it goes on, as the one who counts may itself wait for this thread."""

STUCK_SECONDS: Final = 2.0
"""After this time, who wants a turn does without it: a signal handler interrupts the thread that counts."""

_LOOK_SECONDS: Final = 0.001
_OPEN: Final = "open"
_counting: Final[dict[tuple[int, int], None]] = {}


def interrupts_counting() -> bool:
    """Whether this thread counts for any backlog, and is interrupted by whoever asks."""
    me = get_ident()
    return any(thread == me for thread, _ in list(_counting))


def _do_nothing() -> None:
    pass


class Backlog:
    """Records that wait to be counted, and the one right to count.

    Thread-safe. A child of a fork starts with nothing that waits.

    Args:
        count: Counts one record; called by one thread at a time, for each record in the order of recording.
        settle: Called after records were counted, when others may count again.
        sleep: Pauses for some seconds.
    """

    def __init__(
        self,
        count: Callable[[Any], None],
        *,
        settle: Callable[[], None],
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._count = count
        self._settle = settle
        self._sleep = sleep
        self._counter = 0  # the thread that counts
        self._records: deque[Any] = deque()
        self._renew()
        renew_after_fork(self._renew)

    def __len__(self) -> int:
        """Return how many records wait."""
        return len(self._records)

    def record(self, record: object) -> None:
        """Let *record* be counted soon, in the thread that makes the batch full."""
        records = self._records
        records.append(record)
        if len(records) >= BATCH_SIZE:
            self.relieve(self._count_for_others, self.__len__, most=MAX_UNCOUNTED)

    def relieve(self, work: Callable[[], None], waiting: Callable[[], int], *, most: int) -> None:
        """Do *work*, or leave it to whoever counts; pause while there are *most* or more *waiting*, but not for ever.

        Whoever interrupts its own thread's counting, or its wait for a turn, never pauses.
        """
        if self.alone(work, wait=False):
            self._settle()
        if self._is_mine():
            return
        yield_if_requested()
        for _ in range(MAX_PAUSES):
            if waiting() < most:
                return
            self._sleep(PAUSE_SECONDS)
            if self.alone(work, wait=False):
                self._settle()

    def count(self, then: Callable[[], None] = _do_nothing) -> bool:
        """Count everything that waits and do *then*, next; return whether that was done, as :meth:`alone` does."""

        def work() -> None:
            self._count_all()
            then()

        done = self.alone(work, wait=True)
        if done:
            self._settle()
        return done

    def alone(self, work: Callable[[], None], *, wait: bool) -> bool:
        """Do *work* while nobody counts, and return whether that was so.

        Without *wait* it is not where anybody counts or wants to; with it, this thread has the next turn. It is not
        where this thread counts already, and is interrupted by whoever asks, nor where who counts is stuck.
        """
        if wait:
            return self._do_next(work)
        if self._counter or self._turns:
            return False
        gate = self._gate
        try:
            del gate[_OPEN]  # no call, after which a signal handler could raise before it is opened again
        except KeyError:
            return False
        try:
            return self._do_alone(work)
        finally:
            gate[_OPEN] = None

    def _do_next(self, work: Callable[[], None]) -> bool:
        me, turns = get_ident(), self._turns
        if me in turns:
            return self._do_alone(work)
        turns[me] = None  # no call before the block: a handler that raises must not leave the turn behind
        try:
            return not self._is_stuck(me) and self._do_alone(work)
        finally:
            del turns[me]

    def _is_stuck(self, me: int) -> bool:
        """Return whether another thread counts on and on; waits for the end of its record, but not for ever."""
        deadline = time.monotonic() + STUCK_SECONDS
        while self._counter not in {0, me}:
            if time.monotonic() >= deadline:
                return True
            time.sleep(_LOOK_SECONDS)
        return False

    def _do_alone(self, work: Callable[[], None]) -> bool:
        me = get_ident()
        mine = me, id(self)
        with self._lock:  # a handler that raises cannot come between taking and releasing it, as it could in a call
            if self._counter:
                return False
            self._counter = me
            _counting[mine] = None
            try:
                work()
            finally:
                self._counter = 0
                _counting.pop(mine, None)
        return True

    def _is_mine(self) -> bool:
        me = get_ident()
        return self._counter == me or me in self._turns

    def _count_all(self) -> None:
        self._count_until(())

    def _count_for_others(self) -> None:
        self._count_until(self._turns)

    def _count_until(self, wanted: Sized) -> None:
        """Count what waits, and about as much as comes meanwhile, until *wanted* is not empty."""
        records, count = self._records, self._count
        for _ in range(2 * len(records)):
            if wanted or not records:
                return
            count(records.popleft())

    def _renew(self) -> None:
        self._lock = threading.RLock()
        self._counter = 0
        self._turns: dict[int, None] = {}
        self._gate = {_OPEN: None}  # where all but one turn back who do not wait, instead of crowding at the lock
        self._records.clear()
        for mine in [mine for mine in _counting if mine[1] == id(self)]:
            del _counting[mine]


class PromptBacklog(Backlog):
    """Counts each record before :meth:`record` returns, or, where that interrupts the counting, when that goes on."""

    def record(self, record: object) -> None:
        """Count *record*."""
        self._records.append(record)
        for _ in range(MAX_PAUSES):
            if not self._turns or self._is_mine():
                break
            self._sleep(PAUSE_SECONDS)
        if self._do_alone(self._count_all):
            self._settle()
