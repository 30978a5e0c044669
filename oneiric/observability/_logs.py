"""The log sink, compiled from the catalogue: one structured line for each log event that is enabled."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any, TypeAlias

from oneiric.core.events import Event, Finished, HookFailed, Operation
from oneiric.core.logging import event_logger, is_enabled, log_failures
from oneiric.observability import events as own
from oneiric.observability._fields import Getter, getter, label_values
from oneiric.observability._model import ENDED, Catalogue, Log, Phase, Signal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from oneiric.core.observers import Observers, Receiver

LOGGER_PREFIX = "oneiric."
COMMON_FIELDS = ("domain", "key", "provider", "error_type", "error")
"""Fields that every log event carries where its event has a value for them."""

DEFAULT_RATE_LIMIT_SECONDS = 1.0
"""A rate-limited log event is written at most once in this time for each subject."""

SUBJECT_FIELDS = ("domain", "key", "sink", "collector")
"""Fields that tell subjects apart: one component that is blocked again and again does not hide another."""

MAX_LIMITED_SUBJECTS = 256
"""Subjects that a rate-limited log event tells apart at a time; any others count as one."""

Write: TypeAlias = "Callable[[Any], None]"


class LogSink:
    """Write the catalogue's log events through structlog.

    It uses the logging set-up that is in force when a line is written, and configures none. Which levels are enabled is
    looked up when the sink is added to a seam, and again by ``Observers.refresh``. Lines that the set-up of
    :mod:`oneiric.core.logging` could not write are reported as failures of this sink.

    Args:
        catalogue: What to write.
        observers: The seam through which the sink reports what it wrote and suppressed.
        rate_limit: Seconds in which a rate-limited event is written at most once for a subject; 0 writes all.
        clock: Monotonic seconds; measures the rate limit.
        logger: Asked for the logger of a name each time a line is written; it has a method for each level.
    """

    name = "log"

    def __init__(
        self,
        catalogue: Catalogue,
        observers: Observers,
        *,
        rate_limit: float = DEFAULT_RATE_LIMIT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        logger: Callable[[str], Any] = event_logger,
    ) -> None:
        self._catalogue = catalogue
        self._observers = observers
        self._rate_limit = rate_limit
        self._clock = clock
        self._logger = logger
        self._lost = _lost()

    def receiver(self, event_type: type[Event]) -> Receiver | None:
        """Return what writes the log events of *event_type*, or None where none is enabled."""
        signal = self._catalogue.signal(event_type)
        logs = [log for log in signal.logs if self._enabled(signal, log)] if signal else []
        if signal is None or not logs:
            return None
        if not issubclass(event_type, Operation):
            return _sequence([self._writer(signal, log) for log in logs])
        phases: tuple[Phase, ...] = ("started", *ENDED)
        return _OperationReceiver(
            {phase: _sequence([self._writer(signal, log) for log in logs if phase in log.on]) for phase in phases}
        )

    def _enabled(self, signal: Signal, log: Log) -> bool:
        return is_enabled(self._logger(LOGGER_PREFIX + signal.area), _LEVELS[log.level])

    def _writer(self, signal: Signal, log: Log) -> Write:
        write = self._write(signal, log)
        return self._limited(signal, log, write) if log.limited and self._rate_limit > 0 else write

    def _write(self, signal: Signal, log: Log) -> Write:
        logger, logger_name, observers = self._logger, LOGGER_PREFIX + signal.area, self._observers
        told = own.LogWritten(event=log.name, level=log.level)
        common = _getters(signal, [name for name in COMMON_FIELDS if name in signal.fields])
        further = _getters(signal, log.fields)

        def write(event: Any) -> None:
            fields = {name: value for name, get in common if (value := get(event)) != ""}
            fields.update(log.const)
            fields.update((name, get(event)) for name, get in further)
            getattr(logger(logger_name), log.level)(log.name, **fields)
            observers.notify(told)

        def write_and_look(event: Any) -> None:
            write(event)
            self._tell_losses()

        return write if signal.event is HookFailed else write_and_look  # a loss is told in a line, which may be lost

    def _tell_losses(self) -> None:
        lost = _lost()
        if lost > self._lost:
            failures = log_failures()
            text = f"{failures.dropped} lines dropped, {failures.failed} failures to write; {failures.last_error}"
            self._observers.hook_failed(self.name, OSError(text))
        self._lost = lost

    def _limited(self, signal: Signal, log: Log, write: Write) -> Write:
        observers, clock, interval = self._observers, self._clock, self._rate_limit
        told = own.LogSuppressed(event=log.name)
        subject_of = label_values(signal.event, [name for name in SUBJECT_FIELDS if name in signal.fields], {})
        due: dict[tuple[str, ...], float] = {}
        lock = threading.Lock()

        def is_due(event: Any) -> bool:
            now, subject = clock(), subject_of(event)
            with lock:
                if subject not in due and len(due) >= MAX_LIMITED_SUBJECTS:
                    _forget(due, before=now)
                    subject = subject if len(due) < MAX_LIMITED_SUBJECTS else _ALL_OTHERS
                if now < due.get(subject, now):
                    return False
                due[subject] = now + interval
                return True

        def write_at_times(event: Any) -> None:
            if is_due(event):
                write(event)
            else:
                observers.notify(told)

        return write_at_times


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


def _forget(due: dict[tuple[str, ...], float], *, before: float) -> None:
    for subject in [subject for subject, when in due.items() if when <= before]:
        del due[subject]


def _lost() -> int:
    failures = log_failures()
    return failures.dropped + failures.failed


def _getters(signal: Signal, names: tuple[str, ...] | list[str]) -> list[tuple[str, Getter]]:
    return [(name, getter(signal.event, name)) for name in names]


def _sequence(writes: list[Write]) -> Write:
    if len(writes) == 1:
        return writes[0]

    def write_all(event: Any) -> None:
        for write in writes:
            write(event)

    return write_all
