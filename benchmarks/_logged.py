"""Logging to the null device for as long as something is measured, and nothing of it afterwards."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import structlog

from oneiric.core.events import HookFailed
from oneiric.core.logging import LoggingConfig, configure_logging, log_failures
from oneiric.observability.events import LogSuppressed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oneiric.core.events import Event
    from oneiric.core.observers import Receiver


class NoLosses:
    """An observer that ends the program when a log event is suppressed, or a line cannot be written."""

    def receiver(self, event_type: type[Event]) -> Receiver | None:
        """Want to know of either."""
        return _end if event_type in {LogSuppressed, HookFailed} else None


def _end(event: Event) -> None:
    raise SystemExit(f"a line was not written: {event}")


@contextlib.contextmanager
def null_stream() -> Iterator[TextIO]:
    """Yield the null device, line by line, as standard error is."""
    with Path(os.devnull).open("w", buffering=1, encoding="utf-8") as stream:
        yield stream


@contextlib.contextmanager
def logging_to_nowhere() -> Iterator[None]:
    """Configure our logging with its defaults, standard error being the null device; a lost line is an error."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    with null_stream() as stream, contextlib.redirect_stderr(stream):
        handle = configure_logging(LoggingConfig())
        try:
            yield
            if (lost := log_failures()).dropped or lost.failed:
                raise AssertionError(f"lines were lost: {lost}")
        finally:
            handle.close()
            root.handlers[:] = handlers
            root.setLevel(level)
            structlog.reset_defaults()


def flush() -> None:
    """Wait until the lines logged so far are written."""
    for handler in logging.getLogger().handlers:
        handler.flush()
    sys.stderr.flush()
