"""A daemon thread that does something now and then, at once when asked, and a last time before it ends."""

from __future__ import annotations

import atexit
import math
import threading
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Protocol

from oneiric.core.concurrency import BackgroundThread, renew_after_fork
from oneiric.observability.export.deadline import Deadline

if TYPE_CHECKING:
    from oneiric.core.observers import Observers

STOP_SECONDS = 4.0
"""Longest that stopping may take; what is not done by then is left undone."""
GRACE_SECONDS = 1.5
"""How much of that is left to what was under way."""
RETRY_SECONDS = 5.0
"""When work that raised is done again."""
LONGEST_SLEEP_SECONDS = 3600.0
"""When it looks even if nothing is due."""


class Work(Protocol):
    """What a :class:`Worker` does."""

    def due_in(self) -> float:
        """Return in how many seconds something is due, inf for never."""

    def do(self, *, everything: bool, deadline: Deadline) -> bool:
        """Do what is due, or everything, and return whether it succeeded; what failed was reported."""


class Worker:
    """Does *work* in a daemon thread of its own; thread-safe, and not running in a forked child until started there.

    At the interpreter's exit the worker is stopped.

    Args:
        name: The thread's name, and the sink's in reports.
        work: What to do.
        observers: Notified of what *work* raises.
    """

    def __init__(self, name: str, work: Work, observers: Observers) -> None:
        self._name = name
        self._work = work
        self._observers = observers
        self._stopped = False
        self._lock = threading.RLock()
        self._orders: SimpleQueue[_Order | None] = SimpleQueue()
        self._thread = BackgroundThread(f"oneiric-{name}")
        self._current = Deadline(math.inf)
        self._last: _Order | None = None
        renew_after_fork(self._renew)

    @property
    def running(self) -> bool:
        """Whether there is a thread, or will never be one again."""
        return self._thread.thread is not None or self._stopped

    def start(self) -> None:
        """Start the thread; idempotent, and without effect once stopped."""
        with self._lock:
            if self._stopped or not self._thread.claim(self._run, self._orders):
                return
            try:
                self._thread.start()
            except RuntimeError as error:  # no thread can be had, or the interpreter is ending
                self._observers.hook_failed(self._name, error)
            else:
                atexit.register(self.stop)

    def wake(self) -> None:
        """Let it look now whether something is due; also from a signal handler or a finaliser."""
        self._orders.put(None)

    def flush(self, seconds: float) -> bool:
        """Do everything now and return whether that was done within *seconds*, without an error."""
        if self._thread.thread is None:
            return False
        order = _Order(Deadline(seconds), last=False)
        self._orders.put(order)
        return order.wait()

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Do everything a last time and end, within *seconds*; idempotent."""
        self.begin_stop(seconds)
        self.join()

    def begin_stop(self, seconds: float = STOP_SECONDS) -> None:
        """Begin to stop without waiting; :meth:`join` waits."""
        with self._lock:
            if self._stopped:
                return
            self._stopped = True
            if self._thread.thread is None:
                return
            self._last = _Order(Deadline(seconds), last=True)
            self._current.bring_forward(min(GRACE_SECONDS, seconds / 3))
            self._orders.put(self._last)

    def join(self) -> None:
        """Wait until it has ended, or its time to stop is over; then what it hangs in is left behind."""
        order, thread = self._last, self._thread.thread
        if order is None or thread is None:
            return
        atexit.unregister(self.stop)
        order.wait()
        if order.done:
            thread.join(order.deadline.remaining)

    def _run(self, orders: SimpleQueue[_Order | None]) -> None:
        wait = 0.0
        while True:
            order = _next(orders, wait)
            done = self._do(self._begin(order), everything=order is not None)
            if order is not None:
                order.finish(ok=bool(done))
                if order.last:
                    return
            wait = RETRY_SECONDS if done is None else self._work.due_in()

    def _begin(self, order: _Order | None) -> Deadline:
        """Return the deadline of what is done next, which stopping brings forward."""
        with self._lock:
            self._current = Deadline(GRACE_SECONDS if self._stopped else math.inf) if order is None else order.deadline
            return self._current

    def _do(self, deadline: Deadline, *, everything: bool) -> bool | None:
        try:
            return self._work.do(everything=everything, deadline=deadline)
        except Exception as error:  # noqa: BLE001 - isolation is the job
            self._observers.hook_failed(self._name, error)
            return None

    def _renew(self) -> None:
        self._lock = threading.RLock()
        self._orders = SimpleQueue()
        self._thread = BackgroundThread(f"oneiric-{self._name}")
        self._current = Deadline(math.inf)
        self._last = None


class _Order:
    """Somebody asks that everything be done by a deadline."""

    def __init__(self, deadline: Deadline, *, last: bool) -> None:
        self.deadline = deadline
        self.last = last
        self.done = False
        self._ok = False
        self._finished = threading.Event()

    def finish(self, *, ok: bool) -> None:
        """Let whoever waits know that it was done, and whether without an error."""
        self._ok, self.done = ok, True
        self._finished.set()

    def wait(self) -> bool:
        """Return whether it was done in time and without an error."""
        return self._finished.wait(self.deadline.remaining) and self._ok


def _next(orders: SimpleQueue[_Order | None], wait: float) -> _Order | None:
    """Return the next order, or None when somebody wakes the thread or *wait* seconds are over."""
    try:
        return orders.get(timeout=min(max(wait, 0.0), LONGEST_SLEEP_SECONDS))
    except Empty:
        return None
