"""Make log lines of what Python would print in words of its own: warnings, and errors that nobody caught."""

from __future__ import annotations

import logging
import sys
import threading
import warnings
from typing import TYPE_CHECKING, Any, TextIO

from oneiric.core.logging.handlers import LineHandler
from oneiric.core.logging.internals import WARNING_MODULES
from oneiric.core.logging.render import MAX_EVENT_CHARS, printed

if TYPE_CHECKING:
    from types import TracebackType

WARNINGS_LOGGER = "py.warnings"
UNCAUGHT_LOGGER = "py.uncaught"


class Captures:
    """Takes the place of Python's hooks, and gives it back.

    A warning becomes a line where it would have been printed on standard error; where the host shows warnings in a way
    of its own, that way stays. An error that ends the program or a thread, or that Python ignores, becomes a line too.
    A hook that the host had installed before is called as well. Python's own is called where the line does not reach
    standard error or standard output, so that whoever sits there sees what happened.
    """

    def __init__(self) -> None:
        self._show: Any = None
        self._hooks: dict[str, Any] = {}

    def take(self, *, shown_warnings: bool, uncaught: bool) -> None:
        """Capture what is asked for from now on, and nothing else."""
        present = warnings.showwarning
        if shown_warnings and present.__module__ in WARNING_MODULES:
            self._show, warnings.showwarning = present, self._warn
        elif not shown_warnings and present == self._warn:
            warnings.showwarning = self._show
        for module, name, own in (
            (sys, "excepthook", self._ended),
            (threading, "excepthook", self._thread_ended),
            (sys, "unraisablehook", self._ignored),
        ):
            self._take_hook(module, name, own, wanted=uncaught)

    def _take_hook(self, module: Any, name: str, own: Any, *, wanted: bool) -> None:
        present, key = getattr(module, name), f"{module.__name__}.{name}"
        if wanted and present != own:
            self._hooks[key] = present
            setattr(module, name, own)
        elif not wanted and present == own:
            setattr(module, name, self._hooks.pop(key))

    def _warn(  # noqa: PLR0913, PLR0917 - the published signature
        self,
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if file is not None:
            self._show(message, category, filename, lineno, file, line)
            return
        where = {"warning_type": category.__name__, "file": filename, "line": lineno}
        logging.getLogger(WARNINGS_LOGGER).warning(printed(str(message), MAX_EVENT_CHARS), extra=where)

    def _ended(self, kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        level = logging.WARNING if issubclass(kind, KeyboardInterrupt) else logging.CRITICAL
        seen = _log(level, "uncaught exception", (kind, error, traceback))
        self._call("sys.excepthook", sys.__excepthook__, seen, kind, error, traceback)

    def _thread_ended(self, args: threading.ExceptHookArgs) -> None:
        if args.exc_type is SystemExit:
            return
        raised = (args.exc_type, args.exc_value, args.exc_traceback)
        name = args.thread.name if args.thread is not None else ""
        seen = _log(logging.ERROR, "uncaught exception in a thread", raised, thread_name=name)
        self._call("threading.excepthook", threading.__excepthook__, seen, args)

    def _ignored(self, args: sys.UnraisableHookArgs) -> None:
        raised = (args.exc_type, args.exc_value, args.exc_traceback)
        message = args.err_msg or "Exception ignored in"
        seen = _log(logging.ERROR, "exception ignored", raised, reason=message, object=printed(args.object))
        self._call("sys.unraisablehook", sys.__unraisablehook__, seen, args)

    def _call(self, key: str, pythons: Any, seen: bool, *args: Any) -> None:  # noqa: FBT001 - a state, not a choice
        hook = self._hooks.get(key, pythons)
        if hook is not pythons or not seen:
            hook(*args)


def _log(level: int, event: str, raised: Any, **fields: str) -> bool:
    """Log what was *raised*; return whether a sink shows the line on standard error or standard output."""
    logger = logging.getLogger(UNCAUGHT_LOGGER)
    try:
        logger.log(level, event, exc_info=raised, extra={**fields, "error": raised[1]})
    except Exception:  # noqa: BLE001 - a handler of the host; Python's own hook shows the error then
        return False
    consoles = [handler for handler in logging.getLogger().handlers if isinstance(handler, LineHandler)]
    return logger.isEnabledFor(level) and any(handler.level <= level for handler in consoles)
