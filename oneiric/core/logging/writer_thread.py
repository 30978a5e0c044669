"""The thread of a queue: it writes what the target does not take at once."""

from __future__ import annotations

import contextlib
import threading
from time import monotonic
from typing import TYPE_CHECKING

from oneiric.core.concurrency import BackgroundThread

if TYPE_CHECKING:
    from collections.abc import Callable

    from oneiric.core.logging.delivery import Delivery
    from oneiric.core.logging.target import Target

ENDING = 0.5
"""Seconds that a thread that has to end may take for it, beside its deadline."""

_GATHER = 0.004  # seconds for which the thread lets lines in quick succession gather
_SLICE = 0.1  # seconds after which the thread looks whether it shall end, while a target takes nothing
_IDLE = 1.0  # seconds after which the thread looks for work that nobody woke it for


class WriterThread:
    """A thread that is started when it is needed first, and rests while there is nothing to write.

    Args:
        name: Its name.
        target: Where the lines go.
        delivery: What it writes.
        report: Called with what goes wrong.
        started: Called when the thread was started, in the thread that did so.
        allowed: Whether there may be a thread.

    Attributes:
        allowed: Likewise.
        asleep: Whether whoever brings something has to wake it.
        background: The thread itself.
    """

    def __init__(  # noqa: PLR0913 - what it writes, and whom it calls
        self,
        name: str,
        target: Target,
        delivery: Delivery,
        *,
        report: Callable[[Exception], object],
        started: Callable[[], object],
        allowed: bool,
    ) -> None:
        self.allowed = allowed
        self.asleep = True
        self.background = BackgroundThread(name)
        self._target = target
        self._delivery = delivery
        self._report = report
        self._started = started
        self._lock = threading.RLock()
        self._wake = threading.Lock()
        self._wake.acquire()
        self._closing = False

    def rouse(self) -> bool:
        """Have the thread look for work; return False if there can be no thread."""
        self._delivery.progress = monotonic()
        if not self._ensure():
            return False
        self.asleep = False
        self._wake_up()
        return True

    def end(self, deadline: float) -> None:
        """End the thread, which writes what it can until *deadline*; whoever has something for it starts another."""
        thread = self.background.thread
        if thread is None or self.background.is_current or not self.allowed:
            return
        self._closing = True
        self._wake_up()
        with contextlib.suppress(RuntimeError):  # whoever needs it is about to start it: it finds that it shall end
            thread.join(max(0.0, deadline - monotonic()) + ENDING)

    def _wake_up(self) -> None:
        with contextlib.suppress(RuntimeError):  # it is awake already
            self._wake.release()

    def _ensure(self) -> bool:
        with self._lock:
            if self.background.thread is not None or not self.allowed:
                return self.allowed
            self._closing = False
            self.background.claim(self._run)
        try:
            self.background.start()
        except RuntimeError:  # no more threads, or the interpreter ends
            return False
        self._started()
        return True

    def _run(self) -> None:
        try:
            while not self._ends():
                self._wake.acquire(timeout=_GATHER)  # lines in quick succession come together
                was_empty = self._delivery.is_empty()
                self._write_all()
                if was_empty or self._delivery.refused:
                    self._rest()
        finally:  # whatever a callback raises, the next line finds that there is no thread
            if self.background.is_current:
                self.background.leave()
                self.asleep = True

    def _rest(self) -> None:
        self.asleep = True  # from here on, whoever brings something wakes
        if not self._closing and (self._delivery.refused or self._delivery.is_empty()):
            self._wake.acquire(timeout=_IDLE)

    def _ends(self) -> bool:
        with self._lock:
            if not self.background.is_current:  # an interrupt hid from its starter that it runs
                return True
            if not self._closing or not (self._target.waiting or self._delivery.is_empty()):
                return False
            self.background.leave()
            self.asleep = True
            return True

    def _write_all(self) -> None:
        while not self._delivery.is_empty() and self._delivery.turn.do(self._write) is True:
            pass

    def _write(self) -> bool:
        """Write in one turn, and return whether to go on in another one."""
        target = self._target
        while not self._delivery.is_empty():
            error = self._delivery.send_batch(_SLICE)
            if error is not None:
                self._report(error)
            if target.waiting and (error is not None or self._closing):
                return False
            if target.prompt and not target.waiting:
                break  # threads that log write too, in their own turns of running
        return True
