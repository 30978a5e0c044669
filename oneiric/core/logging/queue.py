"""The queue of a sink: whoever logs puts a line in and goes on, however slow the sink is."""

from __future__ import annotations

import time
from functools import partial
from threading import get_ident
from time import monotonic
from typing import TYPE_CHECKING

from oneiric.core.concurrency import FREE, NOBODY, TAKEN, renew_after_fork
from oneiric.core.logging.buffer import QueueLimits
from oneiric.core.logging.delivery import GATHERED, Delivery
from oneiric.core.logging.failures import trouble
from oneiric.core.logging.internals import flush_before_end_of_worker
from oneiric.core.logging.writer_thread import ENDING, WriterThread

if TYPE_CHECKING:
    from collections.abc import Callable

    from oneiric.core.logging.buffer import EncodedLine
    from oneiric.core.logging.target import Target

_GAP = 0.001  # seconds within which lines are in quick succession
_SLICE = 0.1  # seconds that a target may take for a part of what it is waited for
_YIELD = 0.0001  # seconds that a thread lets others run, to give the writer its turn
_MAX_WAIT = 0.1  # seconds without progress after which the target is what is slow, not the writer's turn


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
        self._gap = 0.0 if target.in_memory else _GAP
        self._is_late = False
        self._begin(threaded=not target.in_memory)
        renew_after_fork(self.renew)

    @property
    def waiting(self) -> int:
        """Lines in the queue."""
        self._buffer.account()
        return len(self._buffer.lines)

    @property
    def dropped(self) -> int:
        """Lines lost for want of room."""
        return self._buffer.dropped

    @property
    def abandoned(self) -> int:
        """Lines that waited when :meth:`close` gave up, and wait still: neither written nor dropped since."""
        return max(0, self.target.unwritten + self._given_up - self._buffer.taken) if self._given_up else 0

    @property
    def entered(self) -> bool:
        """Whether the calling thread was interrupted in the middle of a call, which it has to finish first."""
        return self._delivery.entered

    def put(self, line: EncodedLine) -> None:
        """Take *line*, without its newline, or count it or an older one as dropped."""
        incoming, writer = self._incoming, self._writer
        if not writer.asleep or self._follows():
            incoming.append(line)
            if len(incoming) >= GATHERED or (writer.asleep and not self._rouse()):
                self._forward()
            return
        me, turn, free = get_ident(), self._turn, self._free
        try:
            del free[FREE]  # what Turn.do does, without its calls, which a line that is written alone would pay for
        except KeyError:
            incoming.append(line)
            self._forward()
            return
        error, target = None, self.target
        try:
            turn.owner = me
            if target.waiting or not target.prompt or self._lines or incoming:
                incoming.append(line)
            else:
                error = target.send((line,), 0.0)
                if target.waiting:
                    self._delivery.hold(error)
        finally:
            turn.owner = NOBODY
            free[FREE] = None
        if error is not None:
            self._report(error)
        elif incoming or self._lines or target.waiting:
            self._forward()

    def flush(self, timeout: float) -> bool:
        """Wait at most *timeout* seconds until what was put before is written or lost; return whether it is.

        After :meth:`end`, do not wait.
        """
        deadline = monotonic() + (timeout if self._writer.allowed else 0.0)
        if self._delivery.entered:  # the interrupted call would have to end first
            return False
        self._delivery.refused = False
        mark = self._delivery.mark()
        while not self._delivery.has_settled(mark):
            self._forward()
            nobody_writes = self._free and not self._writer.background.thread
            is_over = self._delivery.refused or nobody_writes or monotonic() >= deadline
            if is_over and not self._delivery.has_settled(mark):
                return False
            time.sleep(_GAP)
        return True

    def put_through(self, line: EncodedLine, timeout: float) -> bool:
        """Take *line*, and write it and what came before in this thread; return whether that is done after *timeout*.

        A target that did not take a line in time is not waited for again until it takes one.
        """
        self._incoming.append(line)
        if self._delivery.entered:  # the interrupted call writes it
            return False
        mark = self._delivery.mark()
        deadline = monotonic() + (0.0 if self._is_late else timeout)
        while not self._delivery.has_settled(mark):
            left = deadline - monotonic()
            done = self._write_some(min(max(0.0, left), _SLICE))
            if not done or (left <= 0.0 and not self._delivery.has_settled(mark)):
                self._is_late = True
                self._rouse()
                return False
        self._is_late = False
        return True

    def end(self) -> None:
        """Do without the thread from now on: what is logged later is written as far as it is taken at once."""
        self._writer.allowed = False
        self._gap = 0.0
        self._writer.asleep = True

    def close(self, timeout: float) -> bool:
        """Flush, and end the thread; return whether all is written. A later line starts it again."""
        deadline = monotonic() + timeout
        done = self.flush(timeout)
        self._writer.end(deadline)
        self._given_up = 0 if done else self._buffer.added
        if self.abandoned:
            trouble.seen += 1
        return done

    def exclusively(self, work: Callable[[], None]) -> bool:
        """Do *work* while nobody writes; return False if somebody does, for long."""
        deadline = monotonic() + ENDING
        while self._turn.do(work) is TAKEN:
            if self.entered or monotonic() >= deadline:
                return False
            time.sleep(_GAP)
        return True

    def renew(self) -> None:
        """Begin anew, in a forked child."""
        self.target.forget()
        self._buffer.clear()  # whoever forked in the middle of writing goes on with these, and finds nothing left
        self._writer.background.leave()
        self._begin(threaded=self._writer.allowed)

    def _begin(self, *, threaded: bool) -> None:
        self._delivery = delivery = Delivery(self.target, self._limits)
        self._buffer = buffer = delivery.buffer
        self._incoming, self._lines = buffer.incoming, buffer.lines  # looked at for each line, as the turn is
        self._turn, self._free = delivery.turn, delivery.turn.free
        self._writer = WriterThread(
            self._name,
            self.target,
            delivery,
            report=self._report,
            started=partial(flush_before_end_of_worker, self.flush),
            allowed=threaded,
        )
        self._given_up = 0
        self._last = 0.0
        self._is_late = False

    def _follows(self) -> bool:
        """Whether a line comes soon after the last one that came alone."""
        now = monotonic()
        if now - self._last < self._gap:
            return True
        self._last = now
        return False

    def _forward(self) -> None:
        """Write what is taken at once, and leave the rest to the thread."""
        while not self._delivery.is_empty():
            threaded = self._writer.allowed
            error = self._turn.do(self._delivery.send_at_once if self.target.prompt or not threaded else _leave)
            if error is TAKEN:  # whoever writes goes on with it
                self._buffer.account()
                if self._buffer.is_half_full:
                    self._yield()
                if not self._free:
                    return
            elif error is not None:
                self._report(error)
                if self.target.waiting:  # refused: tried again with the next line
                    return
            elif not self._delivery.is_empty():
                self._buffer.account()
                if self._rouse() or not threaded:
                    return

    def _write_some(self, wait: float) -> bool:
        """Write a batch for at most *wait* seconds, unless somebody else writes; return False if that failed."""
        error = self._turn.do(partial(self._delivery.send_batch, wait))
        if error is TAKEN:
            time.sleep(min(wait, _GAP))
            return True
        if error is not None:
            self._report(error)
        return not self._delivery.refused

    def _rouse(self) -> bool:
        """Have the thread look for work; return False if there can be no thread."""
        if self._writer.rouse():
            return True
        self.end()
        return False

    def _yield(self) -> None:
        if monotonic() - self._delivery.progress < _MAX_WAIT and not self._writer.background.is_current:
            time.sleep(_YIELD)

    def _report(self, error: Exception) -> None:
        if self._on_error is not None:
            self._on_error(error)


def _leave() -> None:
    pass
