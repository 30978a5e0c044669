"""YAML read as trees whose every character has its place, those of folded and quoted scalars too."""

from __future__ import annotations

from typing import Any

import yaml

from oneiric.monitoring.notation.nodes import MAX_DEPTH, MAX_NODES, DocumentError, Node, NodeKind
from oneiric.monitoring.notation.text import Piece

_KINDS: dict[str, NodeKind] = {"str": "string", "int": "number", "float": "number"}
_MERGE = "<<"
_ESCAPED = {"x": 4, "u": 6, "U": 10}


def read_yaml(piece: Piece) -> list[Node]:
    """Return the documents of *piece*.

    Raises:
        DocumentError: It is not YAML, or too deep or too long.
    """
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        composed = list(yaml.compose_all(piece.text, Loader=loader))
    except yaml.YAMLError as error:
        raise _error(error) from None
    except RecursionError:
        raise DocumentError("nested too deeply", 0, "ON006") from None
    except ValueError as error:  # characters that have no encoding
        raise DocumentError(f"not YAML: {error}", 0, "ON003") from None
    reader = _Reader(piece)
    return [reader.node(document, 0) for document in composed]


def _error(error: yaml.YAMLError) -> DocumentError:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    offset = mark.index if mark is not None else max(getattr(error, "position", 0) or 0, 0)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    if "nesting depth" in str(problem):
        return DocumentError("nested too deeply", offset, "ON006")
    return DocumentError(f"not YAML: {problem}", offset, "ON003")


class _Reader:
    """Makes nodes, and counts them: aliases can make a short text endless."""

    def __init__(self, piece: Piece) -> None:
        self._piece = piece
        self._left = MAX_NODES

    def node(self, node: yaml.Node, depth: int) -> Node:
        start = node.start_mark.index
        self._left -= 1
        if self._left < 0 or depth > MAX_DEPTH:
            raise DocumentError("nested too deeply" if depth > MAX_DEPTH else "too many values", start, "ON006")
        if isinstance(node, yaml.ScalarNode):
            return Node(_KINDS.get(node.tag.rpartition(":")[2], "other"), self._scalar(node))
        here = self._piece[start:start]
        if isinstance(node, yaml.SequenceNode):
            return Node("list", here, items=tuple(self.node(item, depth + 1) for item in node.value))
        pairs = [(self.node(key, depth + 1), self.node(value, depth + 1)) for key, value in node.value]
        return Node("map", here, pairs=_merged(pairs))

    def _scalar(self, node: yaml.ScalarNode) -> Piece:
        start, end = node.start_mark.index, node.end_mark.index
        raw = self._piece.text[start:end]
        if raw == node.value:
            return self._piece[start:end]
        offsets = _aligned(node.value, raw, node.style or "")
        base = self._piece.offsets
        last = len(base) - 1
        return Piece(self._piece.source, node.value, [base[min(start + offset, last)] for offset in offsets])


def _merged(pairs: list[tuple[Node, Node]]) -> tuple[tuple[Node, Node], ...]:
    """Return *pairs* with those of the maps under ``<<``, unless their keys are there already."""
    own = [(key, value) for key, value in pairs if key.text.text != _MERGE]
    if len(own) == len(pairs):
        return tuple(pairs)
    known = {key.text.text for key, _ in own}
    for key, value in pairs:
        for source in (value.items or (value,)) if key.text.text == _MERGE else ():
            added = [pair for pair in source.pairs if pair[0].text.text not in known]
            own += added
            known |= {name.text.text for name, _ in added}
    return tuple(own)


def _aligned(value: str, raw: str, style: str) -> list[int]:
    """Return where in *raw* each character of *value* stands, and its end; a folded line end is where it was."""
    at, offsets = 1 if style in {"'", '"'} else 0, []
    if style in {"|", ">"}:
        at = _after_blanks(raw, raw.find("\n"))
        offsets = [at] * _after_blanks(value, 0)
    while len(offsets) < len(value):
        if style == '"' and raw[at : at + 1] == "\\":
            at = _escape(raw, at, offsets)
        elif raw[at : at + 1].isspace():
            at = _blanks(value, raw, at, style, offsets)
        else:
            offsets.append(at)
            at += 2 if style == "'" and raw.startswith("''", at) else 1
    return [*offsets[: len(value)], min(at, len(raw))]


def _escape(raw: str, at: int, offsets: list[int]) -> int:
    following = raw[at + 1 : at + 2]
    if following in {"\n", "\r"}:
        return _after_blanks(raw, at + 1)
    offsets.append(at)
    return at + _ESCAPED.get(following, 2)


def _blanks(value: str, raw: str, at: int, style: str, offsets: list[int]) -> int:
    end = _after_blanks(raw, at)
    lines = raw.count("\n", at, end)
    if not lines:
        offsets.append(at)
        return at + 1
    count = max(lines - 1, 1)
    if style in {"|", ">"}:
        count = _after_blanks(value, len(offsets)) - len(offsets)
    offsets.extend([at] * count)
    return end


def _after_blanks(text: str, start: int) -> int:
    while text[start : start + 1].isspace():
        start += 1
    return start
