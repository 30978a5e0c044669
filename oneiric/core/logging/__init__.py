"""Structured log lines: made, queued and written without holding up whoever logs."""

from oneiric.core.config import DEFAULT_FILE_SIZE, LoggingConfig, LoggingSinkConfig, LogQueueConfig
from oneiric.core.limits import FLUSH_TIMEOUT
from oneiric.core.logging.configure import (
    bind_log_context,
    clear_log_context,
    configure_early_logging,
    configure_logging,
    log_failures,
    scoped_log_context,
)
from oneiric.core.logging.event_line import EventFields, EventLine
from oneiric.core.logging.failures import LogFailures
from oneiric.core.logging.failures import trouble as log_trouble
from oneiric.core.logging.loggers import event_logger, get_logger, is_enabled, json_logger
from oneiric.core.logging.notes import report_notes
from oneiric.core.logging.processors import DEFAULT_LOGGER_NAME
from oneiric.core.logging.setup import LoggingHandle

__all__ = [
    "DEFAULT_FILE_SIZE",
    "DEFAULT_LOGGER_NAME",
    "FLUSH_TIMEOUT",
    "EventFields",
    "EventLine",
    "LogFailures",
    "LogQueueConfig",
    "LoggingConfig",
    "LoggingHandle",
    "LoggingSinkConfig",
    "bind_log_context",
    "clear_log_context",
    "configure_early_logging",
    "configure_logging",
    "event_logger",
    "get_logger",
    "is_enabled",
    "json_logger",
    "log_failures",
    "log_trouble",
    "report_notes",
    "scoped_log_context",
]
