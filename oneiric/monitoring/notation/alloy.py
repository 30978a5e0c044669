"""Grafana Alloy's configurations: their components, and the way that lines take through them."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from oneiric.monitoring.notation.nodes import MAX_DEPTH

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from oneiric.monitoring.notation.text import Piece

Lexeme: TypeAlias = "re.Match[str]"

_TOKEN = re.compile(
    r"(?P<blank>\s+|//[^\n]*|/\*.*?(?:\*/|\Z))|(?P<string>\"(?:[^\"\\\n]|\\.)*\"|`[^`]*`)|(?P<word>[\w.]+)|(?P<sign>[{}()\[\]=,])"
    r"|(?P<other>.)",
    re.DOTALL,
)
_ESCAPE = re.compile(
    r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U(000[0-9a-fA-F]{5}|0010[0-9a-fA-F]{4})|([0-7]{3})|(.))"
)
_CONTROL = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_MOST_PARTS = 6
"""A reference has at most so many names with dots between that matter: component, label and export."""


@dataclass(frozen=True, slots=True)
class Component:
    """A block with a label: what it is, as others refer to it, and what stands between its braces."""

    name: str
    label: str
    body: Sequence[Lexeme]

    @property
    def path(self) -> str:
        """How others refer to it."""
        return f"{self.name}.{self.label}"

    def mentions(self, word: str) -> bool:
        """Whether its label or one of its texts holds *word*."""
        texts = (token[0] for token in self.body if token.lastgroup == "string")
        return any(word in text.lower() for text in (self.label, *texts))


def tokens(text: str) -> list[Lexeme]:
    """Return the tokens of *text*, without blanks and comments."""
    return [one for one in _TOKEN.finditer(text) if one.lastgroup != "blank"]


def unbalanced(found: Iterable[Lexeme]) -> int | None:
    """Return where a bracket is that is not closed, or not opened; None where all are balanced."""
    closing, opened = {"}": "{", ")": "(", "]": "["}, []
    for token in found:
        if token[0] in {"{", "(", "["}:
            opened.append(token)
        elif token[0] in closing and (not opened or opened.pop()[0] != closing[token[0]]):
            return token.start()
    return opened[-1].start() if opened else None


def too_deep(found: Iterable[Lexeme]) -> int | None:
    """Return where braces lie deeper in each other than is followed; None where they do not."""
    depth = 0
    for token in found:
        depth += (token[0] == "{") - (token[0] == "}")
        if depth > MAX_DEPTH:
            return token.start()
    return None


def components(piece: Piece, found: Sequence[Lexeme]) -> list[Component]:
    """Return the components among the tokens *found* of *piece*, those within others included."""
    return [
        Component(name[0], string(piece, label).text, body(found, index + 2))
        for index, (name, label, brace) in enumerate(zip(found, found[1:], found[2:], strict=False))
        if name.lastgroup == "word" and label.lastgroup == "string" and brace[0] == "{"
    ]


class Flow:
    """How the components *parts* hand lines, and what they find out, on to each other."""

    def __init__(self, parts: Iterable[Component]) -> None:
        self._known = {one.path: one for one in parts}
        self._after: defaultdict[str, set[str]] = defaultdict(set)
        self._before: defaultdict[str, set[str]] = defaultdict(set)
        for one in self._known.values():
            for reference, export in _references(one, self._known):
                first, then = (one.path, reference) if export in {"receiver", "input"} else (reference, one.path)
                self._after[first].add(then)
                self._before[then].add(first)

    def passed(self, word: str) -> list[Component]:
        """Return the components that lines of *word* pass: those that mention it, and those they hand lines on to."""
        return self._reached([path for path, one in self._known.items() if one.mentions(word)], self._after)

    def feeding(self, parts: Iterable[Component]) -> list[Component]:
        """Return *parts*, and the components that hand something on to them."""
        return self._reached([one.path for one in parts], self._before)

    def _reached(self, waiting: list[str], edges: Mapping[str, set[str]]) -> list[Component]:
        reached = {*waiting}
        while waiting:
            new = edges.get(waiting.pop(), set()) - reached
            reached |= new
            waiting += new
        return [one for path, one in self._known.items() if path in reached]


def _references(one: Component, known: Iterable[str]) -> Iterator[tuple[str, str]]:
    for token in one.body:
        parts = token[0].split(".", _MOST_PARTS) if token.lastgroup == "word" else []
        for end in range(2, len(parts)):
            if (path := ".".join(parts[:end])) in known:
                yield path, parts[end]


def body(among: Sequence[Lexeme], start: int) -> Sequence[Lexeme]:
    """Return the tokens from *start* on, which is a brace, up to the one that closes it, that one left out."""
    depth = 0
    for index in range(start, len(among)):
        depth += (among[index][0] == "{") - (among[index][0] == "}")
        if depth == 0:
            return among[start:index]
    return among[start:]


def attribute(piece: Piece, within: Sequence[Lexeme], name: str) -> Iterator[Piece]:
    """Give the text of each attribute *name* that is one."""
    for key, equals, value in zip(within, within[1:], within[2:], strict=False):
        if key[0] == name and equals[0] == "=" and value.lastgroup == "string":
            yield string(piece, value)


def listed(piece: Piece, within: Sequence[Lexeme], name: str) -> Iterator[Piece]:
    """Give the texts of the list that is the attribute *name*."""
    for index, token in enumerate(within):
        if token[0] == name and [one[0] for one in within[index + 1 : index + 3]] == ["=", "["]:
            for item in within[index + 3 :]:
                if item[0] == "]":
                    break
                if item.lastgroup == "string":
                    yield string(piece, item)


def keys(piece: Piece, within: Sequence[Lexeme]) -> Iterator[Piece]:
    """Give every key of a map *within*; names of attributes and blocks are none."""
    are_maps: list[bool] = []
    before = ""
    for token, following in zip(within, [*within[1:], None], strict=True):
        if token[0] == "{":
            are_maps.append(before in {"=", "[", ",", "("})
        elif token[0] == "}" and are_maps:
            are_maps.pop()
        elif following is not None and following[0] == "=" and are_maps[-1:] == [True]:
            yield string(piece, token)
        before = token[0]


def pairs(piece: Piece, within: Sequence[Lexeme], name: str) -> Iterator[tuple[Piece, Piece]]:
    """Give the pairs of the map that is the attribute *name*; what is empty or null stands for the key itself."""
    starts = [index for index in range(len(within) - 2) if within[index][0] == name and within[index + 1][0] == "="]
    inner = body(within, starts[0] + 2)[1:] if starts else ()
    for key, equals, value in zip(inner, inner[1:], inner[2:], strict=False):
        if equals[0] == "=" and (value.lastgroup == "string" or value[0] == "null"):
            named = string(piece, key)
            source = string(piece, value) if value[0] != "null" else named
            yield named, source if source.text else named


def string(piece: Piece, token: Lexeme) -> Piece:
    """Return the value of *token* of *piece*: a text without its quotes and escapes, a word as it is."""
    if token.lastgroup != "string":
        return piece[token.start() : token.end()]
    inner = piece[token.start() + 1 : token.end() - 1]
    if token[0].startswith("`"):
        return inner
    return inner.replaced((one.start(), one.end(), _escaped(one)) for one in _ESCAPE.finditer(inner.text))


def _escaped(found: re.Match[str]) -> str:
    hexadecimal = found[1] or found[2] or found[3]
    if hexadecimal:
        character = chr(int(hexadecimal, 16))
        return character if character.isprintable() or character.isspace() else "\ufffd"
    return chr(int(found[4], 8)) if found[4] else _CONTROL.get(found[5], found[5])
