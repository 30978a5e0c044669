"""The loggers that applications and the runtime write with."""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING, Any, cast

import structlog

from oneiric.core.config import LoggingConfig, OneiricSettings
from oneiric.core.logging.internals import wrapped_logger
from oneiric.core.logging.logger import LateLogger
from oneiric.core.logging.processors import (
    DEFAULT_LOGGER_NAME,
    CompleteLine,
    as_message,
    with_context,
)
from oneiric.core.logging.render import render_json

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger
    from structlog.typing import Processor


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
    wrapped = wrapped_logger(bound)
    return wrapped.isEnabledFor(level) if isinstance(wrapped, logging.Logger | logging.LoggerAdapter) else True


@functools.cache
def _unconfigured_processors() -> tuple[Processor, ...]:
    return (
        structlog.stdlib.filter_by_level,
        with_context,
        CompleteLine(_unconfigured()),
        as_message(render_json),
    )


def _unconfigured() -> LoggingConfig:
    try:
        return OneiricSettings().logging
    except (OSError, ValueError):  # raised where the settings are read to be used
        return LoggingConfig()
