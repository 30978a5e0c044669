"""Set up logging: structlog over the handlers of :mod:`logging`, one bounded JSON object a line, on standard error.

Importing this module configures nothing. Until somebody configures structlog, loggers made here hand JSON lines to
:mod:`logging`, which without handlers prints those of level warning and above on standard error.
"""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING

import structlog

from oneiric.core.config import LoggingConfig, OneiricSettings
from oneiric.core.logging.captures import Captures
from oneiric.core.logging.exit import Ending
from oneiric.core.logging.fast_path import FastPath, latest
from oneiric.core.logging.internals import structlog_config
from oneiric.core.logging.notes import report_notes
from oneiric.core.logging.processors import (
    CompleteLine,
    as_message,
    drop,
    imported,
    isolated,
    line_formatter,
    with_context,
)
from oneiric.core.logging.render import render_console, render_json
from oneiric.core.logging.setup import LoggingHandle, install, installed, level_number, sink_handlers, total

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from structlog.typing import Processor

    from oneiric.core.logging.failures import LogFailures
    from oneiric.core.logging.handlers import SinkHandler


_ending = Ending()
_captures = Captures()


def configure_logging(
    config: LoggingConfig | None = None,
    suppress_events: bool | None = None,  # noqa: FBT001 - the published signature
    *,
    on_error: Callable[[Exception], object] | None = None,
) -> LoggingHandle:
    """Configure structlog, and give the root logger of :mod:`logging` one handler for each sink of *config*.

    Whatever handlers the root logger had are replaced; those installed here before are closed, a host's own are not. A
    sink whose level is not set takes the level of *config*; an unknown level is INFO. Nothing that happens to a stream,
    file or receiver later is raised into whoever logs, nor makes it wait unless *config* says so: see
    :func:`log_failures`. Warnings and uncaught exceptions become lines too.

    Args:
        config: What to do, such as ``settings.logging``. What a config of its own leaves open is taken from the
            environment, then from the file that ``ONEIRIC_CONFIG`` names, then from the defaults: INFO, JSON, standard
            error.
        suppress_events: Emit nothing at all.
        on_error: Called with each failure to write a line, in the thread where it happened, without a lock held.

    Raises:
        ValueError: A sink lacks a usable path or endpoint, an extra processor cannot be imported, or the environment
            sets something wrong.
        OSError: A log file cannot be opened.
    """
    if suppress_events:
        latest.fast_path = None
        _ending.take((), timeout=0.0, on_sigterm=False)
        _captures.take(shown_warnings=False, uncaught=False)
        install([logging.NullHandler()], level=logging.CRITICAL + 1)
        _configure_structlog([drop])
        return LoggingHandle()
    settings = OneiricSettings(**({} if config is None else {"logging": config}))
    config = settings.logging
    line = CompleteLine(config)
    extra = [isolated(imported(name)) for name in config.extra_processors]
    render = render_json if config.emit_json else render_console
    formatter = line_formatter(line, extra, render=render)
    handlers = sink_handlers(config, formatter, on_error)
    install(handlers, level=level_number(config.level))
    _configure_structlog(
        [
            structlog.stdlib.filter_by_level,
            with_context,
            *extra,
            line,
            as_message(render),
        ]
    )
    latest.fast_path = _fast_path(line, handlers) if config.emit_json and not extra else None
    queue = config.queue
    _ending.take(handlers, timeout=queue.flush_seconds, on_sigterm=queue.flush_on_sigterm)
    _captures.take(shown_warnings=config.capture_warnings, uncaught=config.capture_uncaught)
    report_notes(settings)
    return LoggingHandle(tuple(handlers), timeout=queue.flush_seconds)


def configure_early_logging(suppress_events: bool = False) -> LoggingHandle:  # noqa: FBT001, FBT002 - the published signature
    """Configure logging with the defaults, for lines from before the settings are read."""
    return configure_logging(suppress_events=suppress_events)


def log_failures() -> LogFailures:
    """Return what the installed handlers lost since they were installed; thread-safe."""
    return total(installed())


def bind_log_context(**values: object) -> None:
    """Add *values*, without those that are None, to every line of the present context (thread or task)."""
    structlog.contextvars.bind_contextvars(**_known(values))


def clear_log_context(*keys: str) -> None:
    """Remove *keys*, or everything if none are named, from the present context."""
    if keys:
        structlog.contextvars.unbind_contextvars(*keys)
    else:
        structlog.contextvars.clear_contextvars()


@contextlib.contextmanager
def scoped_log_context(**values: object) -> Iterator[None]:
    """Add *values*, without those that are None, to the context of a block, and restore what was there before."""
    with structlog.contextvars.bound_contextvars(**_known(values)):
        yield


def _fast_path(line: CompleteLine, handlers: Sequence[SinkHandler]) -> FastPath | None:
    """Return the fast path of a configuration; None if this structlog does not let the one in use be looked at fast."""
    in_use = structlog_config()
    if in_use is None:
        return None
    bound = structlog.contextvars.get_contextvars
    return FastPath(line.completion, handlers=handlers, in_use=in_use, bound=bound)


def _configure_structlog(processors: list[Processor]) -> None:
    structlog.configure(
        processors=processors,
        context_class=dict,
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def _known(values: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in values.items() if value is not None}
