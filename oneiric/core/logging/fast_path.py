"""The fast path: make a line without structlog's processors and logging's records, while the set-up is our own.

What a line says is the same either way. A line is made here where nothing of it has to be cut, redacted or replaced,
and in the ordinary way otherwise.
"""

from __future__ import annotations

import logging
import os
import time
from contextvars import copy_context
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from oneiric.core.logging.fields import COPIES, TAKEN, free_names, trace_ids
from oneiric.core.logging.internals import CALL_HANDLERS, HANDLE
from oneiric.core.logging.render import MAX_EVENT_CHARS, MAX_KEY_CHARS, is_plain_name, render_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from oneiric.core.logging.fields import Completion
    from oneiric.core.logging.handlers import SinkHandler

MAX_SHAPES = 256
"""Sets of field names that lines are prepared for; lines of any other are made in the ordinary way."""

_FIRST = ("event", "level", "logger", "timestamp")
_MAX_SHAPE_FIELDS = 64
_LEAST, _MOST = -(1 << 63), 1 << 63  # integers in between are shown as numbers
_USUAL_BYTES = 448  # saves growing while it is filled
_DELETE, _SLASH = 0x7F, 0x2F

_NUMBERS = {name.lower(): number for name, number in logging.getLevelNamesMapping().items()}
_SPECIAL = frozenset(
    {
        *TAKEN,
        *_FIRST,
        "exc_info",
        "stack_info",
        "positional_args",
        *("service.name", "service.version"),
        "deployment.environment",
    }
)

_encode = msgspec.json.Encoder().encode_into


_Shape: TypeAlias = "tuple[Callable[..., object] | None, Callable[[Any], tuple[Any, ...]] | None]"
"""What makes lines that have the same fields: the object to encode, and the values that stand in it twice."""

_ORDINARY: _Shape = (None, None)


class FastPath:
    """The fast path of one configuration.

    Args:
        completion: What each line says besides what its caller said.
        handlers: The handlers of the root logger, all of them.
        in_use: structlog's configuration, as it is from moment to moment, and now as it has to be.
        bound: Returns what is bound to the present context.

    Attributes:
        altered: Whether somebody gave one of the handlers a filter, or another formatter.
    """

    def __init__(
        self,
        completion: Completion,
        *,
        handlers: Sequence[SinkHandler],
        in_use: Any,
        bound: Callable[[], Mapping[str, object]],
    ) -> None:
        self.completion = completion
        self._handlers = list(handlers)
        self._sinks = [(handler, handler.queue.put) for handler in handlers]
        self.altered = False
        for handler in handlers:
            handler.on_change = self._alter
        self._in_use, self._bound = in_use, bound
        self._processors = list(in_use.default_processors)
        self._wrapper, self._factory = in_use.default_wrapper_class, in_use.logger_factory
        self._root = logging.getLogger()
        self._now = completion.stamp.now
        self._shapes: dict[tuple[str, ...], _Shape] = {}
        # Where the current span is not kept in a context variable, an empty context does not mean that there is none.
        self._looks_for_span = os.environ.get("OTEL_PYTHON_CONTEXT", "contextvars_context") != "contextvars_context"

    def write(
        self,
        logger: logging.Logger,
        level: str,
        event: str,
        names: tuple[str, ...],
        values: tuple[Any, ...],
    ) -> bool:
        """Hand a line of *logger* at *level* to the handlers whose own level lets it through.

        Return False, and do nothing, unless nobody but the handlers given would see the line, in the form in which they
        write it.
        """
        config, root, kind_of_logger = self._in_use, self._root, logger.__class__
        if (
            config.default_processors != self._processors
            or config.default_wrapper_class is not self._wrapper
            or config.logger_factory is not self._factory
            or kind_of_logger.handle is not HANDLE  # replaced or overridden by who listens to every line
            or kind_of_logger.callHandlers is not CALL_HANDLERS
            or logger.filters
            or logger.handlers
            or logger.disabled
            or not logger.propagate
            or root.handlers != self._handlers
            or self.altered
        ):
            return False
        above = logger.parent
        while above is not root:
            if above is None or above.handlers or not above.propagate:
                return False
            above = above.parent
        number = _NUMBERS[level]
        if not logger.isEnabledFor(number):
            return True
        if copy_context() or self._looks_for_span:
            names, values = self._with_context(names, values)
        line = self._line(logger.name, level, event, names, values)
        for handler, put in self._sinks:
            if handler.level <= number:
                if handler.special:
                    handler.send(line, number)
                else:
                    put(line)
        return True

    def _line(  # noqa: C901, PLR0912 - in one piece: a call costs as much as what it would name
        self, logger: str, level: str, event: str, names: tuple[str, ...], values: tuple[Any, ...]
    ) -> bytes | bytearray:
        try:
            make, copied = self._shapes[names]
        except KeyError:
            make, copied = self._learn(names)
        line: bytes | bytearray | None = None
        if make is not None:
            for value in values:
                kind = type(value)
                if kind is str:
                    if len(value) > MAX_EVENT_CHARS:
                        break
                elif kind is int:
                    if not _LEAST < value < _MOST:
                        break
                elif kind is not float and kind is not bool and value is not None:
                    break
            else:
                try:
                    if copied is None:
                        whole = make(event, level, logger, self._now(), *values)
                    else:
                        whole = make(event, level, logger, self._now(), *values, *copied(values))
                    _encode(whole, encoded := bytearray(_USUAL_BYTES))
                    line = encoded
                except ValueError:  # a lone surrogate
                    pass
        if (
            line is None
            or len(line) > MAX_EVENT_CHARS
            or not line.isascii()
            or _DELETE in line
            or (_SLASH in line and b"//" in line)
        ):
            return self._ordinary(logger, level, event, names, values)
        return line

    def _alter(self) -> None:
        self.altered = True

    def _with_context(self, names: tuple[str, ...], values: tuple[Any, ...]) -> tuple[tuple[str, ...], tuple[Any, ...]]:
        fields = {**self._bound(), **dict(zip(names, values, strict=True))}
        if self.completion.traced and "trace_id" not in fields:
            fields.update(trace_ids())
        return tuple(fields), tuple(fields.values())

    def _ordinary(self, logger: str, level: str, event: str, names: tuple[str, ...], values: tuple[Any, ...]) -> bytes:
        fields = {**free_names(dict(zip(names, values, strict=True))), "event": event}
        return render_json(self.completion(fields, logger, level, time.time())).encode("ascii")

    def _learn(self, names: tuple[str, ...]) -> _Shape:
        if len(self._shapes) >= MAX_SHAPES or max(map(len, names), default=0) > MAX_KEY_CHARS:
            return _ORDINARY
        self._shapes[names] = _shape(names, self.completion.service) if _are_plain(names) else _ORDINARY
        return self._shapes[names]


def _shape(names: Sequence[str], service: Mapping[str, str]) -> _Shape:
    copies = [(names.index(name), copy) for name, copy in COPIES.items() if name in names and copy not in names]
    shown = (*_FIRST, *names, *(copy for _, copy in copies))
    fields = [(f"f{number}", Any, msgspec.field(name=name)) for number, name in enumerate(shown)]
    fixed = [
        (f"s{number}", Any, msgspec.field(name=name, default=service[name])) for number, name in enumerate(service)
    ]
    make = msgspec.defstruct("Line", [*fields, *fixed], frozen=True, gc=False)
    return make, _picker([index for index, _ in copies])


def _picker(positions: Sequence[int]) -> Callable[[tuple[object, ...]], tuple[object, ...]] | None:
    if not positions:
        return None
    return itemgetter(*positions) if len(positions) > 1 else itemgetter(slice(positions[0], positions[0] + 1))


class Latest:
    """The latest configuration of this process.

    Attributes:
        fast_path: Its fast path, which may not be in force any more; None where it has none.
    """

    fast_path: FastPath | None = None


latest = Latest()


def _are_plain(names: tuple[str, ...]) -> bool:
    return len(names) <= _MAX_SHAPE_FIELDS and not set(names) & _SPECIAL and all(map(is_plain_name, names))
