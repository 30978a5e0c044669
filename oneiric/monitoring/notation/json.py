"""JSON read as trees whose every character has its place, those of escapes too."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from oneiric.monitoring.notation.nodes import MAX_DEPTH, MAX_NODES, DocumentError, Node, NodeKind
from oneiric.monitoring.notation.text import Piece

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOKEN = re.compile(r'[ \t\r\n]*(?:([\[\]{}:,])|("(?:[^"\\]|\\.)*")|([^\[\]{}:,"\s]+))')
_ESCAPE = re.compile(r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)|.", re.DOTALL)


def read_json(piece: Piece) -> Node:
    """Return the value of *piece*.

    Raises:
        DocumentError: It is not JSON, or too deep or too long.
    """
    try:
        json.loads(piece.text, parse_int=str, parse_float=str)
    except json.JSONDecodeError as error:
        raise DocumentError(f"not JSON: {error.msg}", error.pos, "ON004") from None
    except RecursionError:
        raise DocumentError("nested too deeply", 0, "ON006") from None
    return _Reader(piece).value(0)


class _Reader:
    """Makes nodes of a text that is known to be JSON."""

    def __init__(self, piece: Piece) -> None:
        self._piece = piece
        self._tokens = _tokens(piece.text)
        self._left = MAX_NODES

    def value(self, depth: int) -> Node:
        return self._value(*next(self._tokens), depth)

    def _value(self, start: int, text: str, depth: int) -> Node:
        self._left -= 1
        if self._left < 0 or depth > MAX_DEPTH:
            raise DocumentError("nested too deeply" if depth > MAX_DEPTH else "too many values", start, "ON006")
        if text == "[":
            return Node("list", self._piece[start:start], items=tuple(self._items(depth)))
        if text == "{":
            return Node("map", self._piece[start:start], pairs=tuple(self._pairs(depth)))
        if text[0] == '"':
            return self._string(start, text)
        kind: NodeKind = "other" if text in {"true", "false", "null"} else "number"
        return Node(kind, self._piece[start : start + len(text)])

    def _items(self, depth: int) -> Iterator[Node]:
        for start, text in self._tokens:
            if text == "]":
                return
            if text != ",":
                yield self._value(start, text, depth + 1)

    def _pairs(self, depth: int) -> Iterator[tuple[Node, Node]]:
        for start, text in self._tokens:
            if text == "}":
                return
            if text != ",":
                next(self._tokens)  # the colon
                yield self._string(start, text), self.value(depth + 1)

    def _string(self, start: int, text: str) -> Node:
        if "\\" not in text:
            return Node("string", self._piece[start + 1 : start + len(text) - 1])
        offsets = [start + found.start() for found in _ESCAPE.finditer(text, 1, len(text) - 1)]
        base = self._piece.offsets
        text = json.loads(text)
        return Node("string", Piece(self._piece.source, text, [base[at] for at in (*offsets, start + len(text) - 1)]))


def _tokens(text: str) -> Iterator[tuple[int, str]]:
    for found in _TOKEN.finditer(text):
        group = found.lastindex or 0
        yield found.start(group), found[group]
