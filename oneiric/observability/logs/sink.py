"""The log sink, compiled from the catalogue: one structured line for each log event that is enabled."""

from __future__ import annotations

import logging
import time
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, TypeAlias

from oneiric.core.concurrency import ForkSafeLock
from oneiric.core.events import Event, Finished, HookFailed, Operation
from oneiric.core.limits import LOG_REPEAT_INTERVAL
from oneiric.core.logging import EventLine, event_logger, is_enabled, log_failures, log_trouble
from oneiric.observability import events as own
from oneiric.observability.fields import label_values
from oneiric.observability.logs.limits import SUMMARY_SECONDS, Limiter, LogLimits, Summaries, Suppressed
from oneiric.observability.logs.values import log_values
from oneiric.observability.model import ENDED, Catalogue, Log, Phase, Signal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from oneiric.core.observers import Observers, Receiver

LOGGER_PREFIX = "oneiric."
SUBJECT_FIELDS = ("domain", "key", "sink", "collector")
"""Fields that distinguish subjects: one component that is blocked again and again does not hide another."""

MAX_LIMITED_SUBJECTS = 256
"""Subjects that a rate-limited log event distinguishes at a time; any others count as one."""

Write: TypeAlias = "Callable[[Any], None]"


class LogSink:
    """Write the catalogue's log events through structlog, or faster where the set-up of this package is in force.

    It uses the logging set-up that is in force when a line is written, and configures none. Which levels are enabled is
    looked up when the sink is added to a seam, and again by ``Observers.refresh``. Lines that the set-up of
    :mod:`oneiric.core.logging` could not write are reported as failures of this sink.

    An event over its limit is left out and counted. The next line of that name says in its field ``suppressed`` how
    many were; if none follows in time, the last of them is written after all, and says so of the others: each event is
    either written or counted as left out.

    Args:
        catalogue: What to write.
        observers: The seam through which the sink reports what it wrote and suppressed.
        rate_limit: Seconds in which a rate-limited event is written at most once for a subject; 0 writes all.
        limits: How often any event is written.
        clock: Monotonic seconds; measures the limits.
        logger: Asked for the logger of a name each time a line is written; it has a method for each level.
    """

    name = "log"

    def __init__(  # noqa: PLR0913 - what it writes, and each bound and source
        self,
        catalogue: Catalogue,
        observers: Observers,
        *,
        rate_limit: float = LOG_REPEAT_INTERVAL,
        limits: LogLimits | None = None,
        clock: Callable[[], float] = time.monotonic,
        logger: Callable[[str], Any] = event_logger,
    ) -> None:
        limits = limits or LogLimits()
        _require_known(limits, catalogue)
        self._catalogue = catalogue
        self._observers = observers
        self._rate_limit = rate_limit
        self._clock = clock
        self._logger = logger
        self._limiter = Limiter(limits, clock)
        self._summaries = Summaries()
        self._trouble, self._lost = log_trouble.seen, _lost()

    def receiver(self, event_type: type[Event]) -> Receiver | None:
        """Return what writes the log events of *event_type*, or None where none is enabled."""
        signal = self._catalogue.signal(event_type)
        logs = [log for log in signal.logs if self._enabled(signal, log)] if signal else []
        if signal is None or not logs:
            return None
        if not issubclass(event_type, Operation):
            return _sequence([self._writer(signal, log) for log in logs])
        phases: tuple[Phase, ...] = ("started", *ENDED)
        writers = {log.name: self._writer(signal, log) for log in logs}
        return _OperationReceiver(
            {phase: _sequence([writers[log.name] for log in logs if phase in log.on]) for phase in phases}
        )

    def close(self) -> None:
        """Write what was left out and is in no line yet; idempotent."""
        self._summaries.close()

    def _enabled(self, signal: Signal, log: Log) -> bool:
        return is_enabled(self._logger(LOGGER_PREFIX + signal.area), _LEVELS[log.level])

    def _writer(self, signal: Signal, log: Log) -> Write:
        write_line = self._line(signal, log)
        allow = self._limiter.allow(log.name, log.level)
        is_due = self._schedule(signal) if log.limited and self._rate_limit > 0 else None
        if allow is None and is_due is None:
            return write_line
        suppression, observers, summaries = own.LogSuppressed(event=log.name), self._observers, self._summaries
        after = max(SUMMARY_SECONDS, self._rate_limit if is_due else 0.0)
        suppressed = Suppressed(write_line, after=after)

        def write(event: Any) -> None:
            if (is_due is None or is_due(event)) and (allow is None or allow()):
                count = suppressed.take() if suppressed.count else 0
                write_line(event, count)
                if count:
                    observers.notify(suppression)
                return
            if suppressed.add(event):
                observers.notify(suppression)
            summaries.expect(suppressed)

        return write

    def _line(self, signal: Signal, log: Log) -> Callable[..., None]:
        fields, values, errors = log_values(signal, log)
        logger, logger_name, observers = self._logger, LOGGER_PREFIX + signal.area, self._observers
        written = own.LogWritten(event=log.name, level=log.level)
        looks = signal.event is not HookFailed  # a loss is reported in a line, which may be lost

        def ordinary(fields: dict[str, Any]) -> None:
            getattr(logger(logger_name), log.level)(log.name, **fields)

        line = EventLine(logger_name, log.level, log.name, fields, ordinary, fast=logger is event_logger)

        def write(event: Any, suppressed: int = 0) -> None:
            line.write(values(event), errors(event), suppressed)
            observers.notify(written)
            if looks and log_trouble.seen != self._trouble:
                self._report_losses()

        return write

    def _report_losses(self) -> None:
        self._trouble = log_trouble.seen
        lost = _lost()
        before, self._lost = self._lost, lost
        if lost > before:
            failures = log_failures()
            text = f"{failures.dropped} lines dropped, {failures.failed} failures to write; {failures.last_error}"
            self._observers.hook_failed(self.name, OSError(text))

    def _schedule(self, signal: Signal) -> Callable[[Any], bool]:
        """Return what decides whether a line about the subject of an event is due again."""
        clock, interval = self._clock, self._rate_limit
        subject_of = label_values(signal.event, [name for name in SUBJECT_FIELDS if name in signal.fields], {})
        due: dict[tuple[str, ...], float] = {}
        lock = ForkSafeLock()

        def is_due(event: Any) -> bool:
            now, subject = clock(), subject_of(event)
            with lock.held:
                if subject not in due and len(due) >= MAX_LIMITED_SUBJECTS:
                    _forget(due, before=now)
                    subject = subject if len(due) < MAX_LIMITED_SUBJECTS else _ALL_OTHERS
                if now < due.get(subject, now):
                    return False
                due[subject] = now + interval
                return True

        return is_due


class _OperationReceiver:
    """Writes at the start and at the end of an operation; the same object is the scope of all of its type."""

    def __init__(self, writers: Mapping[Phase, Write]) -> None:
        self._writers = writers

    def __call__(self, operation: Operation) -> _OperationReceiver:
        self._writers["started"](Finished(operation=operation, outcome="success"))
        return self

    def finished(self, finished: Finished) -> None:
        self._writers[finished.outcome](finished)

    def close(self) -> None:
        pass


_ALL_OTHERS = ("",)
_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


def _require_known(limits: LogLimits, catalogue: Catalogue) -> None:
    names = {log.name for _, log in catalogue.log_events}
    for name in limits.events:
        if name not in names:
            nearest = ", ".join(get_close_matches(name, sorted(names), n=3)) or "one of the reference"
            raise ValueError(f"log_limits.events: there is no log event {name[:80]!r}; the nearest: {nearest}")


def _forget(due: dict[tuple[str, ...], float], *, before: float) -> None:
    for subject in [subject for subject, when in due.items() if when <= before]:
        del due[subject]


def _lost() -> int:
    failures = log_failures()
    return failures.dropped + failures.failed


def _sequence(writes: list[Write]) -> Write:
    if len(writes) == 1:
        return writes[0]

    def write_all(event: Any) -> None:
        for write in writes:
            write(event)

    return write_all
