"""What a log line says besides what its caller said: when, where in a trace, and what was raised."""

from __future__ import annotations

import sys
import time
import traceback
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from oneiric.core.logging.internals import STRUCTLOG_FIELDS
from oneiric.core.logging.render import MAX_EVENT_CHARS, MAX_EXCEPTION_CHARS, printed, text_of
from oneiric.core.redaction import describe, redact
from oneiric.core.sizes import is_large

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping

LineT = TypeVar("LineT", bound="MutableMapping[str, Any]")

COPIES = {
    **{
        name: f"oneiric.{name}"
        for name in ("domain", "key", "provider", "workflow", "run_id", "node", "operation", "adapter", "category")
    },
    "event_topic": "oneiric.event.topic",
    "event_handler": "oneiric.event.handler",
}
"""Fields that a line carries a second time, under a name that no application uses."""

TAKEN = STRUCTLOG_FIELDS | {"self", "event", "method_name"}
_MAX_FRAMES = 30
_MAX_ERRORS = 64  # that hang together


class Stamp:
    """Makes timestamps in UTC: ISO 8601 with microseconds and ``Z``, or *form* as :func:`time.strftime` takes it."""

    def __init__(self, form: str) -> None:
        self._form = "" if form == "iso" else form
        time.strftime(self._form, time.gmtime(0))  # a format that cannot be used raises here, not in every line

    def __call__(self, seconds: float) -> str:
        """Return the instant *seconds* after the Unix epoch."""
        if self._form:
            return time.strftime(self._form, time.gmtime(seconds))
        return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"

    @property
    def now(self) -> Callable[[], str | datetime]:
        """What returns the present instant as text, or as what msgspec writes in the same form."""
        return (lambda: self(time.time())) if self._form else partial(datetime.now, UTC)


class Completion:
    """Adds what every line carries to what its caller said.

    The time, the level and the logger are those of the line: what the caller has under these names gets another one.
    Other fields that are there already stay.

    Args:
        service: Fields with fixed values.
        traced: Whether the ids of the current span belong to them.
        stamp: Makes the timestamp.
    """

    def __init__(self, service: dict[str, str], *, traced: bool, stamp: Stamp) -> None:
        self.service = service
        self.traced = traced
        self.stamp = stamp

    def __call__(self, event: LineT, logger: str, level: str, seconds: float) -> LineT:
        """Complete *event*, a line that *logger* writes at *level* and the time *seconds*, and return it."""
        flatten_exception(event)
        interpolate(event, event.pop("positional_args", ()))
        _claim(event, "level", level)
        _claim(event, "logger", logger)
        _claim(event, "timestamp", self.stamp(seconds))
        for key, value in self.service.items():
            event.setdefault(key, value)
        if self.traced and "trace_id" not in event:
            event.update(trace_ids())
        for key, copy in COPIES.items():
            if key in event:
                event.setdefault(copy, event[key])
        return event


def free_names(fields: dict[str, Any]) -> dict[str, Any]:
    """Return *fields* without names that structlog itself uses in a call: those get a ``_``."""
    if not fields.keys() & TAKEN:
        return fields
    return {_free(name, fields) if name in TAKEN else name: value for name, value in fields.items()}


def _claim(event: MutableMapping[str, Any], name: str, value: str) -> None:
    if name in event and not (type(given := event[name]) is str and given == value):
        event[_free(name, event)] = given
    event[name] = value


def _free(name: str, fields: MutableMapping[str, Any]) -> str:
    while name in fields or name in TAKEN:
        name += "_"
    return name


def trace_ids() -> dict[str, str]:
    """Return ``trace_id`` and ``span_id`` of the current span, or nothing; OpenTelemetry is never imported for it."""
    trace = sys.modules.get("opentelemetry.trace")  # while nobody imported it no span can be current
    if trace is None:
        return {}
    try:
        context = trace.get_current_span().get_span_context()
        if not context.is_valid:
            return {}
        return {"trace_id": format(context.trace_id, "032x"), "span_id": format(context.span_id, "016x")}
    except Exception:  # noqa: BLE001 - half imported elsewhere, or a vendor's span; a line without ids is still a line
        return {}


def flatten_exception(event: MutableMapping[str, object]) -> None:
    """Replace ``exc_info`` and ``stack_info`` in *event* by text: ``exception``, ``error_type`` and ``stack``."""
    if (error := _raised(event.pop("exc_info", None))) is not None:
        event.setdefault("error_type", type(error).__name__)
        event.setdefault("exception", format_exception(error))
    if stack := event.pop("stack_info", None):
        lines = stack[-2 * MAX_EXCEPTION_CHARS :].splitlines(keepends=True) if isinstance(stack, str) else None
        event.setdefault("stack", _fitted(lines or traceback.format_stack()))
    if isinstance(raised := event.get("error"), BaseException):
        event.setdefault("error_type", type(raised).__name__)


def format_exception(error: BaseException) -> str:
    """Return the traceback of *error*, redacted and bounded; what was raised, at its end, is kept."""
    try:
        if _is_large(error):
            text = ": ".join(part for part in describe(error) if part)
            lines = [*traceback.format_tb(error.__traceback__, limit=-_MAX_FRAMES), text]
        else:
            lines = traceback.format_exception(type(error), error, error.__traceback__, limit=-_MAX_FRAMES)
    except Exception:  # noqa: BLE001 - an error's attributes are foreign code
        return printed(error)
    return _fitted(lines)


def interpolate(event: MutableMapping[str, object], args: object) -> None:
    """Fill *args* into the text under ``event``, as :mod:`logging` does; if they do not fit, show them beside it."""
    if not args:
        return
    try:
        event["event"] = text_of(event.get("event"))[: 4 * MAX_EVENT_CHARS] % _bounded(args)
    except Exception:  # noqa: BLE001 - a wrong format is the caller's, and no reason to lose the line
        event.setdefault("positional_args", args)


class _Shown:
    """An argument of which little is shown."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __str__(self) -> str:
        return printed(self._value)

    __repr__ = __str__

    def __getitem__(self, key: str) -> object:
        return _small(self._value[key])


def _bounded(args: object) -> object:
    return tuple(map(_small, args)) if isinstance(args, tuple) else _small(args)


def _small(value: object) -> object:
    return _Shown(value) if is_large(value) else value


def _is_large(error: BaseException) -> bool:
    """Whether *error*, with all that it was raised from and the notes of these, has a long text."""
    left: list[BaseException | None] = [error]
    for _ in range(_MAX_ERRORS):
        if not left:
            return False
        if (one := left.pop()) is not None:
            if is_large([one, getattr(one, "__notes__", ())]):
                return True
            left += [one.__cause__, one.__context__]
    return True


def _raised(exc_info: object) -> BaseException | None:
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        return exc_info[1] if len(exc_info) > 1 and isinstance(exc_info[1], BaseException) else None
    return sys.exc_info()[1] if exc_info else None


def _fitted(lines: list[str]) -> str:
    return "".join(redact(line, limit=MAX_EXCEPTION_CHARS // 2) for line in _last(lines)).rstrip("\n")


def _last(lines: list[str]) -> list[str]:
    """Return as many of the last of *lines* as fit, the first of them replaced by a note if any are left out."""
    kept: list[str] = []
    room = MAX_EXCEPTION_CHARS - len("…\n")
    for line in reversed(lines):
        cut = min(len(line), MAX_EXCEPTION_CHARS // 2)
        if cut > room:
            return ["…\n", *reversed(kept)]
        kept.append(line)
        room -= cut
    return list(reversed(kept))
