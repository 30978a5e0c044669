"""Set up logging: structlog over the handlers of :mod:`logging`, one bounded JSON object a line, on standard error.

Importing this module configures nothing. Until somebody configures structlog, loggers made here hand JSON lines to
:mod:`logging`, which without handlers prints those of level warning and above on standard error.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import logging
import sys
import time
from typing import TYPE_CHECKING, Any, cast

import structlog
from structlog.stdlib import ProcessorFormatter

from oneiric.core.config import LoggingConfig, OneiricSettings
from oneiric.core.logging.captures import Captures
from oneiric.core.logging.exit import Ending
from oneiric.core.logging.fields import Completion, Stamp, free_names, interpolate
from oneiric.core.logging.logger import LateLogger
from oneiric.core.logging.ready import ReadyLines, latest
from oneiric.core.logging.render import MAX_EVENT_CHARS, RenderedLine, render_console, render_json, text_of
from oneiric.core.logging.setup import LoggingHandle, install, installed, level_number, sink_handlers, total
from oneiric.core.redaction import redact
from oneiric.core.service_identity import logged_identity
from oneiric.core.sizes import is_large

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from structlog.stdlib import BoundLogger
    from structlog.typing import EventDict, Processor, ProcessorReturnValue

    from oneiric.core.logging.handlers import SinkHandler
    from oneiric.core.logging.stream import LogFailures


DEFAULT_LOGGER_NAME = "oneiric"
_ending = Ending()
_captures = Captures()
_RECORD_NAMES = frozenset({*vars(logging.makeLogRecord({})), "message", "asctime"})
_LEVEL_NAMES = {"warn": "warning", "exception": "error", "fatal": "critical"}


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
        latest.ready = None
        _ending.take((), timeout=0.0, on_sigterm=False)
        _captures.take(shown_warnings=False, uncaught=False)
        install([logging.NullHandler()], level=logging.CRITICAL + 1)
        _configure_structlog([_drop])
        return LoggingHandle()
    config = OneiricSettings(**({} if config is None else {"logging": config})).logging
    line = _Line(config)
    extra = [_isolated(_imported(name)) for name in config.extra_processors]
    render = render_json if config.emit_json else render_console
    formatter = _formatter(line, extra, render=render)
    handlers = sink_handlers(config, formatter, on_error)
    install(handlers, level=level_number(config.level))
    _configure_structlog(
        [
            structlog.stdlib.filter_by_level,
            _with_context,
            *extra,
            line,
            _as_message(render),
        ]
    )
    latest.ready = _ready(line, handlers) if config.emit_json and not extra else None
    queue = config.queue
    _ending.take(handlers, timeout=queue.flush_seconds, on_sigterm=queue.flush_on_sigterm)
    _captures.take(shown_warnings=config.capture_warnings, uncaught=config.capture_uncaught)
    return LoggingHandle(tuple(handlers), timeout=queue.flush_seconds)


def configure_early_logging(suppress_events: bool = False) -> LoggingHandle:  # noqa: FBT001, FBT002 - the published signature
    """Configure logging with the defaults, for lines from before the settings are read."""
    return configure_logging(suppress_events=suppress_events)


def get_logger(name: str | None = None, **initial: object) -> BoundLogger:
    """Return a logger called *name* that carries *initial* in every line.

    It takes the configuration of the moment in which it is used, so that it may be made before anything is configured.
    """
    return cast("BoundLogger", LateLogger(name or DEFAULT_LOGGER_NAME, initial, event_logger))


def event_logger(name: str) -> BoundLogger:
    """Return the logger called *name* under the present configuration.

    If structlog was configured, by whomever, this is its logger, and that configuration decides about everything.
    Otherwise it is a logger of :mod:`logging` that is given one JSON object as the message.
    """
    if structlog.is_configured():
        return cast("BoundLogger", structlog.get_logger(name))
    return json_logger(logging.getLogger(name))


def json_logger(logger: logging.Logger) -> BoundLogger:
    """Return what gives *logger* one JSON object for each event as the message, however structlog is configured."""
    return structlog.stdlib.BoundLogger(logger, processors=_unconfigured_processors(), context={})


def is_enabled(logger: Any, level: int) -> bool:
    """Whether *logger*, of :mod:`logging` or structlog, would do anything with a line of *level*; True if unknown."""
    if isinstance(logger, LateLogger):
        logger = logger.current()
    bound = logger.bind() if isinstance(logger, structlog.typing.BindableLogger) else logger
    # Looked up on the class: on an instance, structlog's generic logger would take the name for a log method.
    own = getattr(type(bound), "is_enabled_for", None) or getattr(type(bound), "isEnabledFor", None)
    if own is not None and not own(bound, level):
        return False
    wrapped = getattr(bound, "_logger", None)
    return wrapped.isEnabledFor(level) if isinstance(wrapped, logging.Logger | logging.LoggerAdapter) else True


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


class _Line:
    """A processor that adds what every line carries."""

    def __init__(self, config: LoggingConfig) -> None:
        identity = logged_identity(config)
        service = {
            "service.name": identity.name,
            "service.version": identity.version,
            "deployment.environment": identity.environment,
        }
        self.completion = Completion(
            {key: value for key, value in service.items() if value is not None},
            traced=config.include_trace_context,
            stamp=Stamp(config.timestamper_format),
        )

    def __call__(self, logger: Any, method: str, event: EventDict) -> EventDict:
        record = event.get("_record")
        seconds = record.created if isinstance(record, logging.LogRecord) else time.time()
        name = getattr(record or logger, "name", DEFAULT_LOGGER_NAME)
        return self.completion(event, name, _LEVEL_NAMES.get(method, method), seconds)


@functools.cache
def _unconfigured_processors() -> tuple[Processor, ...]:
    return (
        structlog.stdlib.filter_by_level,
        _with_context,
        _Line(_unconfigured()),
        _as_message(render_json),
    )


def _as_message(render: Callable[[EventDict], str]) -> Processor:
    """Return what makes a line the message of a record, which any handler writes as it is."""

    def rendered(_logger: Any, _method: str, event: EventDict) -> ProcessorReturnValue:
        return (RenderedLine(render(event)),), {"exc_info": False}  # the line already holds the traceback

    return rendered


def _with_context(_logger: Any, _method: str, event: EventDict) -> EventDict:
    return {**free_names(structlog.contextvars.get_contextvars()), **event}


def _with_extra(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Add what is given to :mod:`logging` as ``extra``."""
    extra = {name: value for name, value in vars(event["_record"]).items() if name not in _RECORD_NAMES}
    return {**free_names(extra), **event}


class _LineFormatter(ProcessorFormatter):
    """Renders the records of libraries; others hold a line."""

    def format(self, record: logging.LogRecord) -> str:
        if type(record.msg) is RenderedLine:
            return record.msg
        if is_large(record.msg):
            record = logging.makeLogRecord({**vars(record), "msg": text_of(record.msg)})
        return super().format(record)


def _unconfigured() -> LoggingConfig:
    try:
        return OneiricSettings().logging
    except (OSError, ValueError):  # whoever reads the settings to use them is told
        return LoggingConfig()


def _drop(_logger: Any, _method: str, _event: EventDict) -> EventDict:
    raise structlog.DropEvent


def _formatter(line: Processor, extra: Iterable[Processor], *, render: Callable[[EventDict], str]) -> logging.Formatter:
    def rendered(_logger: Any, _method: str, event: EventDict) -> str:
        return render(event)

    return _LineFormatter(
        processors=[ProcessorFormatter.remove_processors_meta, rendered],
        foreign_pre_chain=[
            _with_extra,
            _with_context,
            _redacted_message,
            *extra,
            line,
        ],
        use_get_message=False,
        pass_foreign_args=True,
    )


def _redacted_message(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Redact what a library says in its own words: the URL of each request, for instance."""
    interpolate(event, event.pop("positional_args", ()))
    event["event"] = redact(text_of(event["event"])[:MAX_EVENT_CHARS], limit=MAX_EVENT_CHARS)
    return event


def _ready(line: _Line, handlers: Sequence[SinkHandler]) -> ReadyLines | None:
    """Return the fast way for a configuration; None if this structlog does not let the one in use be looked at fast."""
    in_use = getattr(sys.modules.get("structlog._config"), "_CONFIG", None)
    if not all(hasattr(in_use, name) for name in ("default_processors", "default_wrapper_class", "logger_factory")):
        return None
    bound = structlog.contextvars.get_contextvars
    return ReadyLines(line.completion, handlers=handlers, in_use=in_use, bound=bound)


def _configure_structlog(processors: list[Processor]) -> None:
    structlog.configure(
        processors=processors,
        context_class=dict,
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def _imported(name: str) -> Processor:
    module, _, attribute = name.replace(":", ".").rpartition(".")
    try:
        target = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"extra_processors: cannot import {name[:128]!r}; give 'package.module.name'.") from error
    return cast("Processor", target() if isinstance(target, type) else target)


def _isolated(processor: Processor) -> Processor:
    def guarded(logger: Any, method: str, event: EventDict) -> ProcessorReturnValue:
        try:
            processed = processor(logger, method, dict(event))
        except structlog.DropEvent:
            raise
        except Exception as error:  # noqa: BLE001 - isolation is the job
            return {**event, "processor_error": error}
        return processed if isinstance(processed, dict) else event

    return guarded


def _known(values: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in values.items() if value is not None}
