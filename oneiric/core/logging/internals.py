"""What rests on private names of structlog, logging, warnings and multiprocessing: all of it, and nothing else.

Each of them may change with any release. Where one is gone, what stands here says so with None or does without, and a
test fails: lines are then made in the ordinary way, which is several times slower.
"""

from __future__ import annotations

import logging
import logging.handlers
import sys
from typing import TYPE_CHECKING, Any

from oneiric.core.limits import FLUSH_TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from io import TextIOWrapper

STRUCTLOG_FIELDS = frozenset({"_record", "_from_structlog"})
"""Fields that structlog's formatter adds to an event for its processors."""

WARNING_MODULES = frozenset({"warnings", "_py_warnings"})
"""Modules of the standard library whose functions show warnings."""

_CONFIG_FIELDS = ("default_processors", "default_wrapper_class", "logger_factory")


def structlog_config() -> Any:
    """Return structlog's configuration, as it is from moment to moment; None if it is kept in another way."""
    config = getattr(sys.modules.get("structlog._config"), "_CONFIG", None)
    return config if all(hasattr(config, name) for name in _CONFIG_FIELDS) else None


def wrapped_logger(bound: object) -> object:
    """Return the logger that structlog's *bound* logger hands its events to; None if it does not say."""
    return getattr(bound, "_logger", None)


def record_of(event: Mapping[str, Any]) -> logging.LogRecord | None:
    """Return the record of which structlog's formatter made *event*; None where an application logged it."""
    record = event.get("_record")
    return record if isinstance(record, logging.LogRecord) else None


def _own(method: Callable[..., object]) -> Callable[..., object] | None:
    return method if getattr(method, "__globals__", None) is vars(logging) else None


HANDLE, CALL_HANDLERS = _own(logging.Logger.handle), _own(logging.Logger.callHandlers)
"""Methods of logging's loggers; None if a library had put its own in their place when this module was imported."""


def opened(handler: logging.handlers.RotatingFileHandler) -> TextIOWrapper:
    """Return the file of *handler*, opened anew."""
    return handler._open()  # noqa: SLF001 - the standard library's own way


def flush_before_end_of_worker(flush: Callable[[float], object], timeout: float = FLUSH_TIMEOUT) -> None:
    """Call *flush* at the end of this process where exit handlers do not run: in a worker of :mod:`multiprocessing`."""
    util, process = sys.modules.get("multiprocessing.util"), sys.modules.get("multiprocessing.process")
    if util is not None and process is not None and process.parent_process() is not None:
        util.Finalize(None, flush, args=(timeout,), exitpriority=0)
