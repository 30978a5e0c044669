"""Install the handlers that a logging configuration asks for, and take them away again."""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from oneiric.core.config import LoggingConfig, LoggingSinkConfig
from oneiric.core.limits import FLUSH_TIMEOUT
from oneiric.core.logging.buffer import QueueLimits
from oneiric.core.logging.exit import close_all, flush_all
from oneiric.core.logging.failures import LogFailures
from oneiric.core.logging.handlers import LineHandler, RotatingLineHandler, SinkHandler
from oneiric.core.logging.http import QueuedHTTPHandler

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence


@dataclass(frozen=True)
class LoggingHandle:
    """What :func:`configure_logging` installed.

    Attributes:
        handlers: A handler for each sink.
        timeout: Seconds that flushing and closing may take.
    """

    handlers: tuple[SinkHandler, ...] = ()
    timeout: float = FLUSH_TIMEOUT

    @property
    def dropped(self) -> int:
        """Lines lost so far."""
        return total(self.handlers).dropped

    @property
    def failed(self) -> int:
        """Attempts to write that failed so far."""
        return total(self.handlers).failed

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until what was logged before is written, for at most *timeout* seconds; return whether all of it is."""
        return flush_all(self.handlers, self.timeout if timeout is None else timeout)

    def close(self) -> bool:
        """Do the same, and let go of files and threads.

        Idempotent. The handlers stay installed: later lines are still written, and reopen what they need.
        """
        return close_all(self.handlers, self.timeout)


def sink_handlers(
    config: LoggingConfig, formatter: logging.Formatter, on_error: Callable[[Exception], object] | None
) -> list[SinkHandler]:
    """Return a handler for each sink of *config*; ValueError or OSError if one cannot be had."""
    queue = config.queue
    limits = QueueLimits(lines=queue.max_lines, size=queue.max_bytes, drop=queue.drop)
    handlers: list[SinkHandler] = []
    try:
        for sink in config.sinks or [LoggingSinkConfig()]:
            handlers.append(handler := _handler(sink, limits))
            handler.setLevel(level_number(sink.level if "level" in sink.model_fields_set else config.level))
            handler.setFormatter(formatter)
            handler.on_error = on_error
            if queue.write_at_once != "none":
                handler.write_at_once(logging.ERROR if queue.write_at_once == "errors" else 0, queue.flush_seconds)
    except (ValueError, OSError):
        close_all(handlers, timeout=0.0)
        raise
    return handlers


def _handler(sink: LoggingSinkConfig, limits: QueueLimits) -> SinkHandler:
    if sink.target == "http":
        return QueuedHTTPHandler(_endpoint(sink), method=_method(sink), limits=limits)
    if sink.target == "file":
        if not sink.path:
            raise ValueError("File sink requires 'path'.")
        return RotatingLineHandler(
            Path(sink.path), max_bytes=sink.max_bytes, backup_count=sink.backup_count, limits=limits
        )
    return LineHandler(sys.stdout if sink.target == "stdout" else sys.stderr, limits)


def _endpoint(sink: LoggingSinkConfig) -> str:
    if not sink.endpoint:
        raise ValueError("HTTP sink requires 'endpoint'.")
    parts = urlsplit(sink.endpoint)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("HTTP sink 'endpoint' must be http(s).")
    return sink.endpoint


def _method(sink: LoggingSinkConfig) -> str:
    method = sink.method.upper()
    if method not in {"GET", "POST"}:
        raise ValueError(f"HTTP sink 'method' must be GET or POST, not {sink.method[:32]!r}.")
    return method


def install(handlers: Sequence[logging.Handler], *, level: int) -> None:
    """Replace the root logger's handlers, without a moment in which it has none."""
    root = logging.getLogger()
    previous = list(root.handlers)
    for handler in handlers:
        root.addHandler(handler)
    for handler in previous:
        root.removeHandler(handler)
    LoggingHandle(tuple(handler for handler in previous if isinstance(handler, SinkHandler))).close()
    root.setLevel(level)


def installed() -> tuple[SinkHandler, ...]:
    """Return the handlers of the root logger that were installed here."""
    return tuple(handler for handler in logging.getLogger().handlers if isinstance(handler, SinkHandler))


def total(handlers: Iterable[SinkHandler]) -> LogFailures:
    """Return what *handlers* lost together."""
    each = [handler.failures() for handler in handlers]
    last_errors = [failures.last_error for failures in each if failures.last_error]
    return LogFailures(
        dropped=sum(failures.dropped for failures in each),
        failed=sum(failures.failed for failures in each),
        last_error=last_errors[-1] if last_errors else "",
    )


def level_number(name: str) -> int:
    """Return the level that *name* names, or is the number of; INFO if it is unknown."""
    text = name.strip().upper()
    return int(text) if text.isdecimal() else logging.getLevelNamesMapping().get(text, logging.INFO)
