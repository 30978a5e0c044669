"""Capture log lines as they would be written, whatever the logging configuration in force writes."""

from __future__ import annotations

import json
import logging
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from oneiric.core.logging import json_logger
from oneiric.core.observers import Observers
from oneiric.observability.catalogue import CATALOGUE
from oneiric.observability.logs import UNLIMITED, LogSink

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger

    from oneiric.testing.kept import Kept

LogLine: TypeAlias = dict[str, Any]
"""One line, read from its JSON."""


def capturing_sink(lines: Kept[LogLine]) -> LogSink:
    """Return the production log sink, writing every level and without a rate limit into *lines*.

    What it writes is not reported as written: the sink of the runtime does that for what it writes itself.
    """
    return LogSink(CATALOGUE, Observers(), rate_limit=0.0, limits=UNLIMITED, logger=partial(_logger, lines))


def _logger(lines: Kept[LogLine], name: str) -> BoundLogger:
    return json_logger(_Recorder(name, lines))


class _Recorder(logging.Logger):
    """A logger that no manager knows, so that no level, handler or ``logging.disable`` of the process reaches it."""

    def __init__(self, name: str, lines: Kept[LogLine]) -> None:
        super().__init__(name, logging.DEBUG)
        self._lines = lines

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 - the interface is the standard library's
        del level
        return True

    def handle(self, record: logging.LogRecord) -> None:
        self._lines.append(json.loads(record.msg))
