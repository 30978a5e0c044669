"""Documents as trees whose every text has its place, whatever the notation was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from oneiric.monitoring.notation.text import Piece, Source

if TYPE_CHECKING:
    from collections.abc import Iterator

NodeKind = Literal["nothing", "string", "number", "other", "list", "map"]

MAX_NODES = 300_000
"""A document has at most so many values; aliases count each time they are used."""

MAX_DEPTH = 100
"""Values lie at most so deep in each other."""


class DocumentError(ValueError):
    """A text is not a document of its kind; ``offset`` is where."""

    def __init__(self, message: str, offset: int, code: str) -> None:
        super().__init__(message)
        self.offset, self.code = offset, code


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """A value of a document; a value that it lacks is :data:`NOTHING`, which lacks every value itself.

    Attributes:
        kind: What it is.
        text: The characters of a string, number or other scalar; of a list or map, where it begins.
        items: The values of a list.
        pairs: The keys and values of a map, in their order.
    """

    kind: NodeKind
    text: Piece
    items: tuple[Node, ...] = ()
    pairs: tuple[tuple[Node, Node], ...] = ()

    def __bool__(self) -> bool:
        return self.kind != "nothing"

    def get(self, *path: str) -> Node:
        """Return the value at *path*, or NOTHING."""
        node = self
        for key in path:
            node = next((value for name, value in node.pairs if name.text.text == key), NOTHING)
        return node

    def string(self, *path: str) -> Piece | None:
        """Return the text of the string at *path*, or None where there is none."""
        node = self.get(*path)
        return node.text if node.kind == "string" else None

    def word(self, *path: str) -> str:
        """Return the characters of the scalar at *path*, or ""."""
        node = self.get(*path)
        return node.text.text if node.kind in {"string", "number", "other"} else ""

    def walk(self) -> Iterator[Node]:
        """Give this and every value in it, in their order."""
        waiting = [self]
        while waiting:
            node = waiting.pop()
            yield node
            inner = (*node.items, *(value for _, value in node.pairs))
            waiting.extend(reversed(inner))


NOTHING = Node("nothing", Piece.whole(Source("", "")))
