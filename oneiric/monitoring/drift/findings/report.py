"""Where findings are gathered: each once, and no more than can be read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from oneiric.monitoring.drift.findings.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oneiric.monitoring.drift.findings.codes import Level
    from oneiric.monitoring.notation.text import Piece, Place

MAX_FINDINGS = 1000
"""So many findings are reported; one more says that there are others."""


@dataclass(slots=True)
class Report:
    """The findings of one run, each once; those over :data:`MAX_FINDINGS` are counted only."""

    found: set[Finding] = field(default_factory=set)
    left_out: int = 0

    def add(self, place: Place, code: str, message: str, hint: str = "", *, level: Level | None = None) -> None:
        """Keep a finding at *place*; *level* says where it is less grave than its code."""
        finding = Finding(place.path, place.line, place.column, code, message, hint, level)
        if finding in self.found:
            return
        if len(self.found) < MAX_FINDINGS:
            self.found.add(finding)
        else:
            self.left_out += 1

    def at(  # noqa: PLR0913 - a place, and what is wrong there
        self, piece: Piece, offset: int, code: str, message: str, hint: str = "", *, level: Level | None = None
    ) -> None:
        """Keep a finding at the character *offset* of *piece*."""
        self.add(piece.place(offset), code, message, hint, level=level)

    def __iter__(self) -> Iterator[Finding]:
        yield from sorted(self.found)
        if self.left_out:
            yield Finding("", 1, 1, "ON009", f"{self.left_out} further findings are not shown")
