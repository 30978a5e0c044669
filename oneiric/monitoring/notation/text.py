"""Texts that know where they come from: a query in a string in a file still has the file's lines and columns."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True, slots=True)
class Place:
    """A character of a file; line and column count from 1."""

    path: str
    line: int
    column: int


@dataclass(frozen=True)
class Source:
    """A whole file, as it is shown (*path*) and as it reads."""

    path: str
    text: str
    _starts: list[int] = field(init=False, repr=False, compare=False, default_factory=list)

    def __post_init__(self) -> None:
        start = 0
        while start >= 0:
            self._starts.append(start)
            start = self.text.find("\n", start) + 1 or -1

    def place(self, index: int) -> Place:
        """Return where the character *index* is."""
        line = bisect_right(self._starts, index)
        return Place(self.path, line, index - self._starts[line - 1] + 1)

    @property
    def lines(self) -> int:
        """How many lines there are."""
        return len(self._starts)

    def line(self, number: int) -> str:
        """Return line *number*, from 1, without its end."""
        start = self._starts[number - 1]
        end = self._starts[number] if number < len(self._starts) else len(self.text)
        return self.text[start:end].rstrip("\r\n")


@dataclass(frozen=True, slots=True)
class Piece:
    """A text out of a source; ``offsets`` has the place of each character there, and, last, that of the end."""

    source: Source
    text: str
    offsets: Sequence[int]

    @classmethod
    def whole(cls, source: Source) -> Piece:
        """Return all of *source*."""
        return cls(source, source.text, range(len(source.text) + 1))

    def __getitem__(self, part: slice) -> Piece:
        start, stop, _ = part.indices(len(self.text))
        stop = max(start, stop)
        return Piece(self.source, self.text[start:stop], self.offsets[start : stop + 1])

    def place(self, offset: int = 0) -> Place:
        """Return where the character *offset* is in the source."""
        return self.source.place(self.offsets[min(max(offset, 0), len(self.text))])

    def stripped(self) -> Piece:
        """Return this without the blanks around it."""
        start = len(self.text) - len(self.text.lstrip())
        return self[start : start + len(self.text.strip())]

    def replaced(self, changes: Iterable[tuple[int, int, str]]) -> Piece:
        """Return this with *changes* made, each (start, end, new text), in order; new text is where the old one was."""
        text, offsets, done = [], [], 0
        for start, end, new in changes:
            text += [self.text[done:start], new]
            offsets += [*self.offsets[done:start], *[self.offsets[start]] * len(new)]
            done = end
        text.append(self.text[done:])
        offsets += self.offsets[done:]
        return Piece(self.source, "".join(text), offsets)
