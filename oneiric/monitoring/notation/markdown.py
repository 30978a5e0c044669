"""Markdown: its fenced blocks, the code in its text, and the anchors that links into it can have."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from oneiric.monitoring.notation.text import Piece

if TYPE_CHECKING:
    from collections.abc import Iterator

Lines: TypeAlias = "list[tuple[int, int]]"

_FENCE = re.compile(
    r"^(?P<indent>[ \t>]*(?:[-*+]|\d+[.)])?[ \t]*)(?P<marks>`{3,}|~{3,})[ \t]*(?P<language>[\w+-]*)[^`\n]*$"
)
_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_HEADING = re.compile(r"^ {0,3}#{1,6}[ \t]+(.*?)[ \t]*#*$")
_ANCHOR = re.compile(r"<a\s+(?:id|name)=\"([^\"]+)\"")


@dataclass(frozen=True, slots=True)
class Fence:
    """A fenced block: its language in lower case, and its text without the fence's indentation."""

    language: str
    piece: Piece


def fences(piece: Piece) -> Iterator[Fence]:
    """Give the fenced blocks of the document *piece*; one that is not closed ends with the document."""
    return (_fence(piece, opened, lines) for opened, lines in _parts(piece.text) if opened is not None)


def spans(piece: Piece) -> Iterator[tuple[int, int]]:
    """Give where the code in the text of *piece*, outside of fences, begins and ends, without the marks around it."""
    for start, end in _prose(piece.text):
        yield from (found.span(1) for found in _SPAN.finditer(piece.text, start, end))


def anchors(piece: Piece) -> frozenset[str]:
    """Return the anchors that links into the document *piece* can have, made as GitHub makes them."""
    made: set[str] = set(_ANCHOR.findall(piece.text))
    used: Counter[str] = Counter(made)
    for start, end in _prose(piece.text):
        if (found := _HEADING.match(piece.text[start:end].rstrip("\r"))) is not None:
            made.add(_unused(_slug(found[1]), made, used))
    return frozenset(made)


def _prose(text: str) -> Iterator[tuple[int, int]]:
    """Give where each line outside of fences begins and ends."""
    return (line for opened, lines in _parts(text) if opened is None for line in lines)


def _parts(text: str) -> Iterator[tuple[re.Match[str] | None, Lines]]:
    """Give the lines of each fence, with its opening line, and of the text before, between and after fences."""
    opened: re.Match[str] | None = None
    lines: Lines = []
    for start, end in _lines(text):
        line = text[start:end]
        found = _FENCE.match(line) if opened is None else None
        if found is not None or (opened is not None and _closes(line, opened["marks"])):
            yield opened, lines
            opened, lines = found, []
        else:
            lines.append((start, end))
    yield opened, lines


def _closes(line: str, marks: str) -> bool:
    return re.fullmatch(rf"[ \t>]*{re.escape(marks[0])}{{{len(marks)},}}[ \t]*", line) is not None


def _lines(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    while start <= len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        yield start, end
        start = end + 1


def _fence(piece: Piece, opened: re.Match[str], lines: list[tuple[int, int]]) -> Fence:
    width = len(opened["indent"])
    text: list[str] = []
    offsets: list[int] = []
    for start, end in lines:
        line = piece.text[start:end]
        cut = len(line[:width]) - len(line[:width].lstrip(" \t>"))
        text.append(line[cut:] + "\n")
        offsets += piece.offsets[start + cut : end + 1]
    offsets.append(piece.offsets[lines[-1][1] if lines else opened.end()])
    return Fence(opened["language"].lower(), Piece(piece.source, "".join(text), offsets))


def _slug(title: str) -> str:
    title = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title)
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def _unused(slug: str, taken: set[str], used: Counter[str]) -> str:
    """Return *slug*, with the next number where it is there already; *used* counts how often it was."""
    while True:
        number = used[slug]
        used[slug] += 1
        anchor = f"{slug}-{number}" if number else slug
        if anchor not in taken:
            return anchor
