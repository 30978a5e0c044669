"""Limit how often a log event is written, and account for what is left out."""

from __future__ import annotations

import atexit
import contextlib
import threading
import time
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from oneiric.core.concurrency import BackgroundThread, ForkSafeLock, renew_after_fork
from oneiric.core.limits import LOG_BURST, LOG_ERROR_RESERVE, LOG_RATE, TOTAL_LOG_BURST, TOTAL_LOG_RATE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

SUMMARY_SECONDS = 1.0
"""Seconds after which events that were left out get a line of their own, if no other line of the event counts them."""


@dataclass(frozen=True)
class LogRate:
    """So many a second on average, and *burst* at once after a quiet time; a rate of 0 limits nothing."""

    rate: float
    burst: int


@dataclass(frozen=True)
class LogLimits:
    """How often log events are written.

    Attributes:
        each: Of one event name.
        total: Of all events together.
        errors: How many events of level error are written after the burst of all together is used up.
        events: Of certain event names, instead of *each*; a name that there is not is a ValueError of the log sink.
    """

    each: LogRate = LogRate(LOG_RATE, LOG_BURST)
    total: LogRate = LogRate(TOTAL_LOG_RATE, TOTAL_LOG_BURST)
    errors: int = LOG_ERROR_RESERVE
    events: Mapping[str, LogRate] = field(default_factory=dict)


UNLIMITED = LogLimits(each=LogRate(0.0, 0), total=LogRate(0.0, 0))
"""Write everything."""


class Bucket:
    """Gives out tokens: *burst* at once, and then *rate* a second. Thread-safe, and takes no lock while it has some.

    What it gets back while it still has tokens counts when they are used up: over any time it gives out at most twice
    its burst and what its rate allows.
    """

    def __init__(self, rate: LogRate, clock: Callable[[], float]) -> None:
        self._rate, self._clock = rate, clock
        self._lock = ForkSafeLock()
        self._filled = clock()
        self._tokens: Iterator[int] = iter(range(rate.burst))

    def take(self) -> bool:
        """Take a token; return whether there was one."""
        for _ in self._tokens:
            return True
        return self._take_refilled()

    def _take_refilled(self) -> bool:
        with self._lock.held:
            for _ in self._tokens:  # another thread refilled it
                return True
            now = self._clock()
            due = int((now - self._filled) * self._rate.rate)
            if due < 1:
                return False
            if due >= self._rate.burst:
                due, self._filled = self._rate.burst, now
            else:
                self._filled += due / self._rate.rate
            self._tokens = iter(range(due - 1))
            return True


Allow: TypeAlias = "Callable[[], bool]"


class Limiter:
    """Decides which log events are written.

    Args:
        limits: How often.
        clock: Monotonic seconds.
    """

    def __init__(self, limits: LogLimits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits, self._clock = limits, clock
        self._each: dict[str, Bucket | None] = {}
        self._total = self._bucket(limits.total)
        self._errors = self._bucket(LogRate(limits.total.rate, limits.errors))

    def allow(self, event: str, level: str) -> Allow | None:
        """Return what decides, each time, whether *event* is written; None if it always is."""
        if event not in self._each:
            self._each[event] = self._bucket(self._limits.events.get(event, self._limits.each))
        own, total = self._each[event], self._total
        if total is None:
            return own.take if own is not None else None
        all_together = _either(total.take, self._errors.take) if level == "error" and self._errors else total.take
        return _both(own.take, all_together) if own is not None else all_together

    def _bucket(self, rate: LogRate) -> Bucket | None:
        return Bucket(rate, self._clock) if rate.rate > 0 and rate.burst > 0 else None


def _both(first: Allow, second: Allow) -> Allow:
    return lambda: first() and second()


def _either(first: Allow, second: Allow) -> Allow:
    return lambda: first() or second()


class Suppressed:
    """What was left out of one log event since its last line. Thread-safe.

    The last one is kept, and may be written yet: it is left out for good once another one or a line follows it.

    Args:
        write: Writes a line of an event, with the number of those left out beside it.
        after: Seconds after which the last one is written, with the number of the others.

    Attributes:
        count: How many were left out, the last one included.
    """

    def __init__(self, write: Callable[[Any, int], None], *, after: float) -> None:
        self.after = after
        self.count = 0
        self._write = write
        self._last: tuple[Context, Any] | None = None
        self.renew()
        renew_after_fork(self.renew)

    def add(self, event: Any) -> bool:
        """Keep *event* with the present context; return whether another one is left out for good."""
        context = copy_context()
        with self._lock:
            self.count += 1
            replaces, self._last = self._last is not None, (context, event)
        return replaces

    def take(self) -> int:
        """Return how many were left out, the last one for good now, for a line that counts them."""
        with self._lock:
            count, self.count, self._last = self.count, 0, None
        return count

    def write_last(self) -> None:
        """Write the last one after all, if there is one, with the number of the others."""
        with self._lock:
            last = self._last
            count = self.take()
        if last is not None:
            context, event = last
            context.run(self._write, event, count - 1)

    def renew(self) -> None:
        """Begin at nothing, in a forked child: the parent writes its own."""
        self._lock = threading.RLock()
        self.count, self._last = 0, None


class Summaries:
    """Writes what was left out where no further line counts it, in a thread that runs only while there is something.

    Thread-safe.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._due: dict[int, tuple[float, Suppressed]] = {}
        self._thread = BackgroundThread("log-summary")
        self._stop = threading.Lock()
        self._at_exit = False
        renew_after_fork(self.renew)

    def expect(self, suppressed: Suppressed) -> None:
        """Have *suppressed* written when it is due."""
        due = time.monotonic() + suppressed.after
        with self._lock:
            self._due.setdefault(id(suppressed), (due, suppressed))
            if not self._at_exit:
                self._at_exit = True
                atexit.register(self.close)
            if self._thread.thread is not None:
                return
            self._stop = threading.Lock()
            self._stop.acquire()
            self._thread.claim(self._run, self._stop)
        with contextlib.suppress(RuntimeError):  # no thread to be had: written with the next line, or at the end
            self._thread.start()

    def close(self) -> None:
        """Write everything now, and end the thread; idempotent."""
        with self._lock:
            self._at_exit = False
            atexit.unregister(self.close)
            thread = self._thread.leave()
            due, self._due = self._due, {}
        if thread is not None and thread.is_alive() and thread is not threading.current_thread():
            with contextlib.suppress(RuntimeError):
                self._stop.release()
            thread.join(SUMMARY_SECONDS)
        for _, suppressed in due.values():
            _write_last(suppressed)

    def renew(self) -> None:
        """Begin anew, in a forked child."""
        self._lock = threading.RLock()
        self._due = {}
        self._thread = BackgroundThread("log-summary")
        self._stop = threading.Lock()

    def _run(self, stop: threading.Lock) -> None:
        while (wait := self._next()) is not None and not stop.acquire(timeout=wait):
            for suppressed in self._now_due():
                _write_last(suppressed)

    def _next(self) -> float | None:
        """Return the seconds until something is due; None, and end the thread, if nothing will be."""
        with self._lock:
            if not self._due:
                if self._thread.is_current:
                    self._thread.leave()
                return None
            return max(0.0, min(due for due, _ in self._due.values()) - time.monotonic())

    def _now_due(self) -> list[Suppressed]:
        with self._lock:
            now = time.monotonic()
            done = [(key, suppressed) for key, (due, suppressed) in self._due.items() if due <= now]
            for key, _ in done:
                del self._due[key]
        return [suppressed for _, suppressed in done]


def _write_last(suppressed: Suppressed) -> None:
    with contextlib.suppress(Exception):  # a broken log set-up is reported where lines are written
        suppressed.write_last()
