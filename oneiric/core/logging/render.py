"""Render the fields of a log record as one bounded line, whatever the values are."""

from __future__ import annotations

import functools
import json
import math
import re
from collections.abc import Mapping
from datetime import date, datetime, time
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard

from oneiric.core.redaction import MAX_ERROR_CHARS, SECRET_NAME, describe, redact
from oneiric.core.sizes import MAX_CHARS, is_large, shown_fields

if TYPE_CHECKING:
    from collections.abc import Iterator

Scalar: TypeAlias = str | int | float | bool | None

MAX_LINE_BYTES = 16_384
"""Longest line, newline included; container runtimes split longer ones."""
MAX_VALUE_CHARS = 2_048
"""Longest text of a value where no other bound is named."""
MAX_EXCEPTION_CHARS = 4_096
"""Longest text of a traceback."""
MAX_EVENT_CHARS = 1_024
"""Longest name or message."""
MAX_KEY_CHARS = 128
MAX_FIELDS = 256

# The first ones always fit into a line, at 12 bytes for an escaped character outside the Basic Multilingual Plane.
_FIRST = {"event": MAX_EVENT_CHARS, "level": 32, "logger": 128, "timestamp": 64}
_LIMITS = {**_FIRST, "error": MAX_ERROR_CHARS, "exception": MAX_EXCEPTION_CHARS, "stack": MAX_EXCEPTION_CHARS}
_SENTENCE = re.compile(r"[\s=:]")
_ALWAYS_REDACTED = frozenset({"error", "exception", "stack"})
_TRUNCATED = "truncated"
_MASK = "***"
_INT_BITS = 64  # what readers of JSON can be expected to take as a number
_DEPTH = 4
_NODES = 128

_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


class RenderedLine(str):
    """The text of a log record that is a whole line already."""

    __slots__ = ()


def render_json(fields: Mapping[Any, object]) -> str:
    """Return *fields* as one JSON object of scalars, ASCII only, without a newline, at most MAX_LINE_BYTES with one.

    Too long a line loses its largest fields and gets ``truncated``. Values under keys that look secret are masked.
    """
    flat = flatten(fields)
    line = _encode(flat)
    return line if len(line) < MAX_LINE_BYTES else _encode(_shrink(flat))


def render_console(fields: Mapping[Any, object]) -> str:
    """Return *fields* for a human to read: one line, then the traceback if there is one."""
    flat = flatten(fields)
    time_, level, event = (_printable(str(flat.pop(key, ""))) for key in ("timestamp", "level", "event"))
    traceback = str(flat.pop("exception", ""))
    pairs = [
        f"{_printable(key)}={_shown(value)}"
        for key, value in flat.items()
        if not key.startswith(("oneiric.", "service.", "deployment."))
    ]
    lines = ["  ".join([f"{time_} {level:<8} {event}", *pairs])]
    lines += [f"    {_printable(line)}" for line in traceback.splitlines()]
    return "\n".join(lines)


def flatten(fields: Mapping[Any, object]) -> dict[str, Scalar]:
    """Return *fields* as bounded scalars under bounded names, the event first; a value that cannot be shown says so."""
    flat: dict[str, Scalar] = {key: _scalar(fields[key], limit) for key, limit in _FIRST.items() if key in fields}
    if "event" in fields:
        flat["event"] = _event(fields["event"])
    for key, value in islice(fields.items(), MAX_FIELDS):
        if key not in _FIRST:
            name = _name(key)
            flat[name] = _field(name, value)
    if len(fields) > MAX_FIELDS:
        flat[_TRUNCATED] = True
    return flat


@functools.lru_cache(maxsize=1_024)
def is_plain_event(event: str) -> bool:
    """Whether *event* is shown as it is, as far as credentials and bounds are concerned."""
    return _event(event) == event


def is_plain_name(name: object) -> bool:
    """Whether a field called *name* is shown under this name, and its value neither masked nor always redacted."""
    return (
        type(name) is str
        and len(name) <= MAX_KEY_CHARS
        and name.isascii()
        and name.isprintable()
        and name not in _ALWAYS_REDACTED
        and "://" not in name
        and not _is_secret(name)
    )


def printed(value: object, limit: int = MAX_VALUE_CHARS) -> str:
    """Return *value* as text of at most *limit* characters, redacted; never raises."""
    return str(_scalar(value, limit))


def text_of(value: object) -> str:
    """Return *value* as text; of one that is large, what a line shows of it. Raises what its own methods raise."""
    return printed(value) if is_large(value) else str(value)


def _shrink(flat: dict[str, Scalar]) -> dict[str, Scalar]:
    flat[_TRUNCATED] = True
    sizes = {key: len(_encode(key)) + len(_encode(value)) + 2 for key, value in flat.items()}
    excess = sum(sizes.values()) + 2 - MAX_LINE_BYTES
    for key in sorted(sizes, key=sizes.__getitem__, reverse=True):
        if excess <= 0:
            break
        if key not in _FIRST and key != _TRUNCATED:
            del flat[key]
            excess -= sizes[key]
    return flat


def _field(name: str, value: object) -> Scalar:
    if _is_secret(name) and not _is_constant(value):
        return _MASK
    limit = _LIMITS.get(name, MAX_VALUE_CHARS)
    if name in _ALWAYS_REDACTED and type(value) is str:
        return redact(_text(value, MAX_EXCEPTION_CHARS), limit=limit)
    return _scalar(value, limit)


@functools.lru_cache(maxsize=1_024)
def _is_secret(name: str) -> bool:
    return SECRET_NAME.search(name) is not None


def _event(value: object) -> Scalar:
    """Return a name as it is, and a sentence, which may hold anything, without credentials."""
    if issubclass(type(value), str) and _SENTENCE.search(text := _beginning(value), 0, 2 * MAX_EVENT_CHARS):
        value = redact(text, limit=MAX_EVENT_CHARS)
    return _scalar(value, MAX_EVENT_CHARS)


def _name(key: object) -> str:
    return _text(key, MAX_KEY_CHARS) if type(key) is str else printed(key, MAX_KEY_CHARS)


def _scalar(value: object, limit: int) -> Scalar:
    if type(value) is str:
        return _text(value, limit)
    try:
        return value if _is_constant(value) else _converted(value, limit)
    except Exception as error:  # noqa: BLE001 - the value's own methods are foreign code
        return _text(f"<unprintable {type(value).__name__}: {type(error).__name__}>", limit)


def _is_constant(value: object) -> TypeGuard[bool | None]:
    return value is None or value is True or value is False


def _converted(value: object, limit: int) -> Scalar:
    if isinstance(value, int):
        return _integer(int.__int__(value))
    if isinstance(value, float):
        number = float.__float__(value)
        return number if math.isfinite(number) else None
    if isinstance(value, str):
        return _text(_beginning(value), limit)
    return redact(_text(_described(value), MAX_VALUE_CHARS), limit=limit)


def _described(value: object) -> str:
    if isinstance(value, bytes | bytearray):
        return value[:MAX_VALUE_CHARS].decode("utf-8", "backslashreplace")
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, BaseException):
        return describe(value)[1] or type(value).__name__
    if isinstance(value, dict | list | tuple | set | frozenset):
        return _encode(_plain(value, _DEPTH, iter(range(_NODES))))
    if not is_large(value):
        return str(value)
    return f"{type(value).__name__} {_encode(_plain(_parts(value), _DEPTH, iter(range(_NODES))))}"


def _parts(value: Any) -> object:
    """Return the first of what is in *value*, which is large and neither a text nor an error."""
    if isinstance(value, Mapping):
        return dict(islice(value.items(), _NODES))
    return shown_fields(value) or list(islice(value, _NODES))


def _beginning(value: Any) -> str:
    """Return the first characters of a text of any class; without it the whole would be copied."""
    return str.__getitem__(value, slice(2 * MAX_CHARS))


def _integer(number: int) -> int | str:
    bits = number.bit_length()
    if bits < _INT_BITS:
        return number
    return str(number) if bits <= MAX_VALUE_CHARS else f"<integer of {bits} bits>"


def _text(text: str, limit: int) -> str:
    if "://" in text[: 2 * limit]:  # before it is cut, or a torn URL would show its credentials
        text = redact(text, limit=limit)
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode()  # strict readers refuse a lone surrogate
    return text


def _plain(value: object, depth: int, nodes: Iterator[int]) -> object:
    """Return *value* as plain containers of scalars, of at most *depth* levels and as many values as *nodes* yields."""
    if next(nodes, None) is None:
        return "…"
    if not isinstance(value, dict | list | tuple | set | frozenset):
        return _scalar(value, MAX_KEY_CHARS)
    if depth == 0:
        return "…"
    if isinstance(value, dict):
        return {
            (name := _name(key)): _MASK if _is_secret(name) else _plain(item, depth - 1, nodes)
            for key, item in islice(value.items(), _NODES)
        }
    return [_plain(item, depth - 1, nodes) for item in islice(value, _NODES)]


def _shown(value: Scalar) -> str:
    text = str(value)
    return text if text.isprintable() and text and not set(text) & set(" ='\"") else _encode(value)


def _printable(text: str) -> str:
    return text if text.isprintable() else _encode(text)[1:-1]
