"""The settings of logging: how lines look, where they go, and what waits for a slow reader."""

from __future__ import annotations

import os
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from oneiric.core import limits
from oneiric.core.config.section import Section

DEFAULT_FILE_SIZE = 64 * 1024 * 1024
"""Bytes a log file grows to before it is rotated."""
MIN_QUEUE_BYTES = 65_536
"""Least that may wait for a sink; a few lines of the greatest length."""

_GIB = 1024**3
_MAX_FLUSH_SECONDS = 300.0


def _path_text(value: object) -> object:
    return os.fspath(value) if isinstance(value, os.PathLike) else value


PathText = Annotated[str, BeforeValidator(_path_text)]
"""A path as text; a :class:`os.PathLike` is accepted too."""


class LoggingSinkConfig(Section):
    """Where log lines go; ``path`` is for a file, ``endpoint`` and ``method`` are for http.

    Attributes:
        target: Standard output, standard error, a file that is rotated, or a receiver of HTTP requests.
        level: Least level of its lines; where it is not set, ``logging.level``.
        path: The file.
        max_bytes: Bytes the file grows to before it is rotated; 0: without bound.
        backup_count: Rotated files that are kept.
        endpoint: URL of the receiver.
        method: ``POST`` or ``GET``.
    """

    target: Literal["stdout", "stderr", "file", "http"] = "stderr"
    level: str = "INFO"
    path: PathText | None = None
    max_bytes: int = Field(default=DEFAULT_FILE_SIZE, ge=0, le=1024 * _GIB)
    backup_count: int = Field(default=5, ge=0, le=10_000)
    endpoint: str | None = None
    method: str = "POST"


class LogQueueConfig(Section):
    """What waits for a sink that is slow, each sink having a queue of its own, and how long the end waits for it.

    Attributes:
        max_lines: Lines that wait.
        max_bytes: Bytes that wait.
        drop: Which line is lost when one more comes: the oldest that waits, or the newest, which comes.
        flush_seconds: Longest that closing, the end of the process and SIGTERM wait for the sinks.
        flush_on_sigterm: Whether SIGTERM, where nobody handles it, ends the process only after its lines are written.
        write_at_once: Which lines are written, with all before them, before the call that logs them returns: none,
            those of level error and above, or all. Such a line survives ``os._exit``, ``abort`` and SIGKILL; the call
            waits for the sink, for at most *flush_seconds*.
    """

    max_lines: int = Field(default=limits.QUEUE_LINES, ge=1, le=10_000_000)
    max_bytes: int = Field(default=limits.QUEUE_BYTES, ge=MIN_QUEUE_BYTES, le=_GIB)
    drop: Literal["oldest", "newest"] = "oldest"
    flush_seconds: float = Field(default=limits.FLUSH_TIMEOUT, ge=0, le=_MAX_FLUSH_SECONDS)
    flush_on_sigterm: bool = True
    write_at_once: Literal["none", "errors", "all"] = "none"


class LoggingConfig(Section):
    """How log lines look and where they go.

    Attributes:
        level: Least level of the lines; an unknown one is ``INFO``.
        emit_json: One JSON object a line; otherwise text for people.
        service_name: The name of the service in log lines, spans and OTLP, before ``app.name``, ``OTEL_SERVICE_NAME``
            and ``OTEL_RESOURCE_ATTRIBUTES``.
        environment: Where it is deployed, before ``app.environment`` and ``OTEL_RESOURCE_ATTRIBUTES``.
        release: Its version, before ``OTEL_RESOURCE_ATTRIBUTES``.
        timestamper_format: ``iso`` for ISO 8601, or a format of ``strftime``; times are in UTC.
        extra_processors: Processors of structlog to run, as ``package.module.name``.
        include_trace_context: Whether lines carry ``trace_id`` and ``span_id`` of the current span.
        sinks: Where lines go, each a section of its own.
        queue: What waits for a sink that is slow.
        capture_warnings: Whether warnings become lines, where nobody shows them in a way of its own.
        capture_uncaught: Whether errors that nobody caught, in any thread or a finaliser, become lines.
    """

    level: str = "INFO"
    emit_json: bool = True
    service_name: str = "oneiric"
    environment: str | None = None
    release: str | None = None
    timestamper_format: str = "iso"
    extra_processors: list[str] = []
    include_trace_context: bool = True
    sinks: list[LoggingSinkConfig] = [LoggingSinkConfig()]
    queue: LogQueueConfig = LogQueueConfig()
    capture_warnings: bool = True
    capture_uncaught: bool = True


class LogRateConfig(Section):
    """How often one log event is written: *rate* a second, and *burst* at once; a rate of 0 limits nothing.

    Attributes:
        rate: Lines of one event a second; 0 limits nothing.
        burst: Lines of one event at once.
    """

    rate: float = Field(default=limits.LOG_RATE, ge=0, le=1e9)
    burst: int = Field(default=limits.LOG_BURST, ge=1, le=100_000_000)


class LogLimitsConfig(LogRateConfig):
    """How often log events are written; what goes beyond is counted and summarised.

    Attributes:
        events: Rates of certain event names, instead of the common one.
        total_rate: Events of all names together a second; 0 limits nothing.
        total_burst: Events of all names together at once.
        error_reserve: Events of level error that are written when the burst of all together is used up.
    """

    events: dict[str, LogRateConfig] = {}
    total_rate: float = Field(default=limits.TOTAL_LOG_RATE, ge=0, le=1e9)
    total_burst: int = Field(default=limits.TOTAL_LOG_BURST, ge=1, le=100_000_000)
    error_reserve: int = Field(default=limits.LOG_ERROR_RESERVE, ge=0, le=100_000_000)
