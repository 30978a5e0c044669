"""The structlog processors that make a line of an event, and the formatter that makes one of a library's record."""

from __future__ import annotations

import importlib
import logging
import time
from typing import TYPE_CHECKING, Any, cast

import structlog
from structlog.stdlib import ProcessorFormatter

from oneiric.core.logging.fields import Completion, Stamp, free_names, interpolate
from oneiric.core.logging.internals import record_of
from oneiric.core.logging.render import MAX_EVENT_CHARS, RenderedLine, text_of
from oneiric.core.redaction import redact
from oneiric.core.service_identity import logged_identity
from oneiric.core.sizes import is_large

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from structlog.typing import EventDict, Processor, ProcessorReturnValue

    from oneiric.core.config import LoggingConfig

DEFAULT_LOGGER_NAME = "oneiric"

_RECORD_NAMES = frozenset({*vars(logging.makeLogRecord({})), "message", "asctime"})
_LEVEL_NAMES = {"warn": "warning", "exception": "error", "fatal": "critical"}


class CompleteLine:
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
        """Return *event* with them."""
        record = record_of(event)
        seconds = record.created if record is not None else time.time()
        name = getattr(record or logger, "name", DEFAULT_LOGGER_NAME)
        return self.completion(event, name, _LEVEL_NAMES.get(method, method), seconds)


def as_message(render: Callable[[EventDict], str]) -> Processor:
    """Return what makes a line the message of a record, which any handler writes as it is."""

    def rendered(_logger: Any, _method: str, event: EventDict) -> ProcessorReturnValue:
        return (RenderedLine(render(event)),), {"exc_info": False}  # the line already holds the traceback

    return rendered


def with_context(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Add what is bound to the present context."""
    return {**free_names(structlog.contextvars.get_contextvars()), **event}


def _with_extra(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Add what is given to :mod:`logging` as ``extra``."""
    extra = {name: value for name, value in vars(record_of(event)).items() if name not in _RECORD_NAMES}
    return {**free_names(extra), **event}


class _LineFormatter(ProcessorFormatter):
    """Renders the records of libraries; others hold a line."""

    def format(self, record: logging.LogRecord) -> str:
        if type(record.msg) is RenderedLine:
            return record.msg
        if is_large(record.msg):
            record = logging.makeLogRecord({**vars(record), "msg": text_of(record.msg)})
        return super().format(record)


def drop(_logger: Any, _method: str, _event: EventDict) -> EventDict:
    """Emit nothing."""
    raise structlog.DropEvent


def line_formatter(
    line: Processor, extra: Iterable[Processor], *, render: Callable[[EventDict], str]
) -> logging.Formatter:
    """Return the formatter of the handlers: of a library's record it makes a line with *line*, *extra* and *render*."""

    def rendered(_logger: Any, _method: str, event: EventDict) -> str:
        return render(event)

    return _LineFormatter(
        processors=[ProcessorFormatter.remove_processors_meta, rendered],
        foreign_pre_chain=[
            _with_extra,
            with_context,
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


def imported(name: str) -> Processor:
    """Return the processor that *name*, 'package.module.name', names; ValueError if it cannot be imported."""
    module, _, attribute = name.replace(":", ".").rpartition(".")
    try:
        target = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"extra_processors: cannot import {name[:128]!r}; give 'package.module.name'.") from error
    return cast("Processor", target() if isinstance(target, type) else target)


def isolated(processor: Processor) -> Processor:
    """Return *processor* as one that never raises: what it raises is shown in the line."""

    def guarded(logger: Any, method: str, event: EventDict) -> ProcessorReturnValue:
        try:
            processed = processor(logger, method, dict(event))
        except structlog.DropEvent:
            raise
        except Exception as error:  # noqa: BLE001 - isolation is the job
            return {**event, "processor_error": error}
        return processed if isinstance(processed, dict) else event

    return guarded
