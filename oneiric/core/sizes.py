"""Find out that the text of a value would be long, before it is made."""

from __future__ import annotations

import dataclasses
from array import array
from collections import deque
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

MAX_NODES = 256
"""Values in a container, at any depth, that are looked at."""
MAX_CHARS = 8_192
"""Length of a text from which on it is long."""

_BITS_PER_DIGIT = 3
_MAPPINGS = (dict, MappingProxyType)
_SEQUENCES: tuple[type[Collection[object]], ...] = (
    list,
    tuple,
    set,
    frozenset,
    deque,
    array,
    *map(type, ({}.keys(), {}.values(), {}.items())),
)


def is_large(value: object) -> bool:
    """Whether the text of *value* is long, as far as that can be said of it without making the text; never raises.

    It can of texts, bytes, numbers, errors, the containers of the standard library and dataclasses, nested or not. Of
    anything else only its own code knows.
    """
    left, nodes, room = [value], MAX_NODES, MAX_CHARS
    try:
        while left and nodes >= 0 and room >= 0:
            item = left.pop()
            nodes -= 1
            if isinstance(item, str | bytes | bytearray):
                room -= len(item)
            elif isinstance(item, int):
                room -= item.bit_length() // _BITS_PER_DIGIT
            else:
                parts = _parts(item, nodes)
                if parts is None:
                    return True
                left += parts
    except Exception:  # noqa: BLE001 - a subclass's own methods are foreign code
        return False
    return nodes < 0 or room < 0


def shown_fields(value: object) -> dict[str, object] | None:
    """Return what a dataclass shows of itself; None if *value* is none, or shows itself in a way of its own."""
    kind = type(value)
    if not dataclasses.is_dataclass(kind) or kind.__str__ is not object.__str__:
        return None
    if not hasattr(kind.__repr__, "__wrapped__"):  # as the generated one has
        return None
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(kind) if field.repr}


def _parts(item: object, room: int) -> list[object] | None:
    """Return what is in *item*; None if that is more than *room* values."""
    if isinstance(item, BaseException):
        return [item.args]
    if isinstance(item, _MAPPINGS):
        return [*item.keys(), *item.values()] if 2 * len(item) <= room else None
    if isinstance(item, _SEQUENCES):
        return [*item] if len(item) <= room else None
    fields = shown_fields(item)
    return list(fields.values()) if fields else []
