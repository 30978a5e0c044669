"""The queue between whoever logs and a stream that may be slow."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from threading import get_ident
from time import monotonic
from typing import TYPE_CHECKING, Protocol

from oneiric.core.concurrency import renew_after_fork
from oneiric.core.limits import FLUSH_TIMEOUT
from oneiric.core.logging.backlog import Backlog, QueueLimits
from oneiric.core.logging.stream import trouble

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

from oneiric.core.logging.backlog import Line

GATHERED = 32
"""Lines in quick succession that are written together; so many may wait beyond the limits."""

_GAP = 0.001  # seconds within which lines are in quick succession
_GATHER = 0.004  # seconds for which the thread lets such lines gather
_ROUNDS = 8  # batches that whoever logs writes, before it leaves the rest to the thread
_SLICE = 0.1  # seconds after which the thread looks whether it shall end, while a target takes nothing
_IDLE = 1.0  # seconds after which the thread looks for work that nobody woke it for
_ENDING = 0.5  # seconds that a thread which was told to end may take for it, beside its deadline
_YIELD = 0.0001  # seconds that a thread lets others run, to give the writer its turn
_PATIENCE = 0.1  # seconds without progress after which the target is what is slow, not the writer's turn

_NOBODY = 0
_TURN = 0


class Target(Protocol):
    """Where the lines of a queue go; called by one thread at a time.

    Attributes:
        waiting: Bytes that were handed over and are not written yet.
        prompt: Whether sending with a wait of 0 makes nobody wait, so that whoever logs may do it.
        in_memory: Whether it takes whatever comes at once.
        batch: Bytes it is best handed at a time; at least one line.
    """

    waiting: int
    prompt: bool
    in_memory: bool
    batch: int

    @property
    def unwritten(self) -> int:
        """Lines that were handed over and are not written yet."""

    def send(self, lines: Sequence[Line], wait: float) -> Exception | None:
        """Write *lines* after what waits, for at most about *wait* seconds; return what went wrong, never raise.

        Lines come without a newline. What cannot be written now waits or is counted as lost.
        """

    def forget(self) -> None:
        """Forget what waits, in a forked child whose parent writes it."""


class LineQueue:
    """Takes lines without ever waiting for where they go, and keeps a bounded number of them meanwhile.

    A line that comes alone is written by whoever logs it, if its target takes it at once. Lines in quick succession are
    written together, by whoever logs the last of them or by a thread, which also writes what a target does not take at
    once; it is started when it is needed first. One writes at a time; the others leave their lines in the queue.

    :meth:`put` may be called from anywhere: from several threads, a signal handler, a finaliser, also one that runs in
    the middle of another call of it. A forked child begins with an empty queue and without a thread. Where no thread
    can be started, at the end of the process say, a line that is not taken at once waits for the next one.

    A thread that logs faster than the writer gets its turn yields to it for moments once the queue is half full; one
    that logs into a target that takes nothing does not.

    Args:
        target: Where the lines go.
        name: Name of the thread.
        limits: How much waits.
        on_error: Called with what goes wrong, without a lock held.
    """

    def __init__(
        self,
        target: Target,
        *,
        name: str,
        limits: QueueLimits | None = None,
        on_error: Callable[[Exception], object] | None = None,
    ) -> None:
        self.target = target
        self._limits = limits or QueueLimits()
        self._name = name
        self._on_error = on_error
        self._thread: threading.Thread | None = None
        self._threaded = not target.in_memory
        self._gap = _GAP if self._threaded else 0.0
        self._is_late = False
        self._renew()
        renew_after_fork(self.renew)

    @property
    def waiting(self) -> int:
        """Lines in the queue."""
        self._backlog.account()
        return len(self._backlog.lines)

    @property
    def dropped(self) -> int:
        """Lines lost for want of room."""
        return self._backlog.dropped

    @property
    def abandoned(self) -> int:
        """Lines that waited when :meth:`close` gave up, and wait still: neither written nor dropped since."""
        return max(0, self.target.unwritten + self._given_up - self._backlog.taken) if self._given_up else 0

    @property
    def entered(self) -> bool:
        """Whether the calling thread was interrupted in the middle of a call, which it has to finish first."""
        return self._sender == get_ident() or self._backlog.entered

    def put(self, line: Line) -> None:
        """Take *line*, without its newline, or count it or an older one as dropped."""
        incoming = self._incoming
        if not self._asleep or self._follows():
            incoming.append(line)
            if len(incoming) >= GATHERED or (self._asleep and not self._rouse()):
                self._forward()
            return
        me = get_ident()
        try:
            # A signal handler, which may raise, comes in where something is called, so that nothing is called between
            # taking the turn and the block that gives it back, nor in giving it back.
            del self._free[_TURN]
        except KeyError:
            incoming.append(line)
            self._forward()
            return
        error, target = None, self.target
        try:
            self._sender = me
            if target.waiting or not target.prompt or self._lines or incoming:
                incoming.append(line)
            else:
                error = target.send((line,), 0.0)
                if target.waiting:
                    self._keep(error)
        finally:
            self._sender = _NOBODY
            self._free[_TURN] = True
        if error is not None:
            self._tell(error)
        elif not self._is_empty():
            self._forward()

    def flush(self, timeout: float) -> bool:
        """Wait at most *timeout* seconds until what was put before is written or lost; return whether it is.

        After :meth:`end`, do not wait.
        """
        deadline = monotonic() + (timeout if self._threaded else 0.0)
        if self.entered:  # the interrupted call would have to end first
            return False
        self._backlog.account()
        self._refused = False
        mark = self._backlog.added
        while not self._has_settled(mark):
            self._forward()
            nobody_writes = self._free and not self._thread
            if not self._has_settled(mark) and (self._refused or nobody_writes or monotonic() >= deadline):
                return False
            time.sleep(_GAP)
        return True

    def put_through(self, line: Line, timeout: float) -> bool:
        """Take *line*, and write it and what came before in this thread; return whether that is done after *timeout*.

        A target that did not take a line in time is not waited for again until it takes one.
        """
        self._incoming.append(line)
        if self.entered:  # the interrupted call writes it
            return False
        self._backlog.account()
        mark = self._backlog.added
        deadline = monotonic() + (0.0 if self._is_late else timeout)
        while not self._has_settled(mark):
            left = deadline - monotonic()
            if not self._write_some(min(max(0.0, left), _SLICE)) or (left <= 0.0 and not self._has_settled(mark)):
                self._is_late = True
                self._rouse()
                return False
        self._is_late = False
        return True

    def end(self) -> None:
        """Do without the thread from now on: what is logged later is written as far as it is taken at once."""
        self._threaded = False
        self._gap = 0.0
        self._asleep = True

    def close(self, timeout: float) -> bool:
        """Flush, and end the thread; return whether all is written. A later line starts it again."""
        deadline = monotonic() + timeout
        done = self.flush(timeout)
        self._end_thread(deadline)
        self._given_up = 0 if done else self._backlog.added
        if self.abandoned:
            trouble.seen += 1
        return done

    def exclusively(self, work: Callable[[], None]) -> bool:
        """Do *work* while nobody writes; return False if somebody does, for long."""
        deadline = monotonic() + _ENDING
        while not self._claim():
            if self.entered or monotonic() >= deadline:
                return False
            time.sleep(_GAP)
        try:
            work()
        finally:
            self._sender = _NOBODY
            self._free[_TURN] = True
        return True

    def renew(self) -> None:
        """Begin anew, in a forked child."""
        self.target.forget()
        self._renew()

    def _renew(self) -> None:
        self._lock = threading.RLock()
        self._backlog = Backlog(self._limits)
        self._incoming, self._lines = self._backlog.incoming, self._backlog.lines  # looked at for each line
        self._settled = self._given_up = 0
        self._last = 0.0
        self._asleep = True
        self._free = {_TURN: True}
        self._sender = _NOBODY
        self._thread = None
        self._wake = threading.Lock()
        self._wake.acquire()
        self._closing = self._refused = False
        self._is_late = False
        self._progress = 0.0

    def _end_thread(self, deadline: float) -> None:
        thread = self._thread
        if thread is None or thread is threading.current_thread() or not self._threaded:
            return
        self._closing = True
        self._wake_up()
        with contextlib.suppress(RuntimeError):  # whoever needs it is about to start it: it finds that it shall end
            thread.join(max(0.0, deadline - monotonic()) + _ENDING)

    def _follows(self) -> bool:
        """Whether a line comes soon after the last one that came alone."""
        now = monotonic()
        if now - self._last < self._gap:
            return True
        self._last = now
        return False

    def _claim(self) -> bool:
        """Become the one that writes, unless somebody is."""
        me = get_ident()
        try:
            del self._free[_TURN]  # as in put
        except KeyError:
            return False
        self._sender = me
        return True

    def _keep(self, error: Exception | None) -> None:
        """See to it that a flush waits for a line that was handed over and waits."""
        self._backlog.count_handed_over()
        self._refused = error is not None

    def _has_settled(self, mark: int) -> bool:
        return self._settled >= mark or (self._is_empty() and bool(self._free))

    def _is_empty(self) -> bool:
        return not (self._incoming or self._lines or self.target.waiting)

    def _forward(self) -> None:
        """Write what is taken at once, and leave the rest to the thread."""
        while not self._is_empty():
            if not self._claim():  # whoever writes goes on with it
                self._backlog.account()
                if self._backlog.is_half_full:
                    self._yield()
                if not self._free:
                    return
                continue
            threaded = self._threaded
            try:
                error = self._send_now() if self.target.prompt or not threaded else None
            finally:
                self._sender = _NOBODY
                self._free[_TURN] = True
            if error is not None:
                self._tell(error)
                if self.target.waiting:  # refused: tried again with the next line
                    return
            elif not self._is_empty():
                self._backlog.account()
                if self._rouse() or not threaded:
                    return

    def _send_now(self) -> Exception | None:
        for _ in range(_ROUNDS):
            error = self._pass(0.0)
            if error is not None or self._is_empty() or self.target.waiting:
                return error
        return None

    def _write_some(self, wait: float) -> bool:
        """Write a batch for at most *wait* seconds, unless somebody else writes; return False if that failed."""
        if not self._claim():
            time.sleep(min(wait, _GAP))
            return True
        try:
            error = self._pass(wait)
        finally:
            self._sender = _NOBODY
            self._free[_TURN] = True
        if error is not None:
            self._tell(error)
        return not self._refused

    def _rouse(self) -> bool:
        """Have the thread look for work; return False if there can be no thread."""
        self._progress = monotonic()
        if not self._ensure_thread():
            self.end()
            return False
        self._asleep = False
        self._wake_up()
        return True

    def _wake_up(self) -> None:
        with contextlib.suppress(RuntimeError):  # it is awake already
            self._wake.release()

    def _yield(self) -> None:
        if monotonic() - self._progress < _PATIENCE and self._thread is not threading.current_thread():
            time.sleep(_YIELD)

    def _ensure_thread(self) -> bool:
        with self._lock:
            if self._thread is not None or not self._threaded:
                return self._threaded
            self._closing = False
            thread = self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        try:
            thread.start()
        except RuntimeError:  # no more threads, or the interpreter ends
            self._thread = None
            return False
        except BaseException:  # an interrupt: a thread that did not start is none
            if thread.ident is None:
                self._thread = None
            raise
        write_before_end_of_worker(self.flush)
        return True

    def _run(self) -> None:
        try:
            while not self._ends():
                self._wake.acquire(timeout=_GATHER)  # lines in quick succession come together
                was_empty = self._is_empty()
                self._write_all()
                if was_empty or self._refused:
                    self._rest()
        finally:  # whatever a callback raises, the next line finds that there is no thread
            if self._thread is threading.current_thread():
                self._thread = None
                self._asleep = True

    def _rest(self) -> None:
        self._asleep = True  # from here on, whoever brings something wakes
        if not self._closing and (self._refused or self._is_empty()):
            self._wake.acquire(timeout=_IDLE)

    def _ends(self) -> bool:
        with self._lock:
            if self._thread is not threading.current_thread():  # an interrupt hid from its starter that it runs
                return True
            if not self._closing or not (self.target.waiting or self._is_empty()):
                return False
            self._thread = None
            self._asleep = True
            return True

    def _write_all(self) -> None:
        while not self._is_empty() and self._claim():
            try:
                while not self._is_empty():
                    error = self._pass(_SLICE)
                    if error is not None:
                        self._tell(error)
                    if self.target.waiting and (error is not None or self._closing):
                        return
                    if self.target.prompt and not self.target.waiting:
                        break  # threads that log write too, in their own turns of running
            finally:
                self._sender = _NOBODY
                self._free[_TURN] = True

    def _pass(self, wait: float) -> Exception | None:
        """Write one batch, or more of the last one."""
        batch = () if self.target.waiting else self._backlog.take(self.target.batch, 2 * GATHERED)
        taken = self._backlog.taken
        try:
            error = self.target.send(batch, wait)
        except Exception as broken:  # noqa: BLE001 - isolation is the job
            error = broken
        if not self.target.waiting:
            self._settled = taken
            self._progress = monotonic()
        self._refused = error is not None and self.target.waiting > 0
        return error

    def _tell(self, error: Exception) -> None:
        if self._on_error is not None:
            self._on_error(error)


def write_before_end_of_worker(flush: Callable[[float], object], timeout: float = FLUSH_TIMEOUT) -> None:
    """Call *flush* at the end of this process if it is a worker of :mod:`multiprocessing`, where exit is not told."""
    util, process = sys.modules.get("multiprocessing.util"), sys.modules.get("multiprocessing.process")
    if util is not None and process is not None and process.parent_process() is not None:
        util.Finalize(None, flush, args=(timeout,), exitpriority=0)
