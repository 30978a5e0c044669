"""Documents written out again, a value a line, so that what is said of a line can be found in the file."""

from __future__ import annotations

import json
from array import array
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oneiric.monitoring.notation.nodes import Node


def written(node: Node, *, key: str = "") -> tuple[list[str], Sequence[int]]:
    """Return *node* as the lines of a YAML document, below *key* if there is one, and the line of each in its file."""
    writer = _Writer()
    if key:
        writer.line(f"{{{json.dumps(key)}:", node)
    writer.value(node)
    if key:
        writer.line("}", node)
    return writer.texts, writer.lines


class _Writer:
    def __init__(self) -> None:
        self.texts: list[str] = []
        self.lines = array("L")

    def line(self, text: str, node: Node) -> None:
        self.texts.append(text)
        self.lines.append(node.text.place().line)

    def value(self, node: Node) -> None:
        if node.kind == "list":
            self.line("[", node)
            for item in node.items:
                self.value(item)
                self.texts[-1] += ","
            self.line("]", node)
        elif node.kind == "map":
            self.line("{", node)
            for key, value in node.pairs:
                self._pair(key, value)
            self.line("}", node)
        else:
            self.line(_scalar(node), node)

    def _pair(self, key: Node, value: Node) -> None:
        name = json.dumps(key.text.text)
        if value.kind in {"list", "map"}:
            self.line(f"{name}:", key)
            self.value(value)
            self.texts[-1] += ","
        else:
            self.line(f"{name}: {_scalar(value)},", key)


def _scalar(node: Node) -> str:
    """Return *node* as it is written on one line."""
    text = node.text.text
    if node.kind == "string":
        return json.dumps(text)
    return text.strip() if text.strip() and "\n" not in text else "null"
