"""What a check finds: where, which rule, what is wrong, and what would be right."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from oneiric.monitoring.drift.findings.codes import CODES, Level

if TYPE_CHECKING:
    from collections.abc import Iterable

LIKE_AN_ALERT = 0.85
"""How alike a name is to that of an alert which is meant: all of ours begin alike, and others have alerts, too."""


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing that is wrong; findings sort by place.

    Attributes:
        path: The file, as it was named, or the URL.
        line: From 1.
        column: From 1, in characters.
        code: One of :data:`oneiric.monitoring.drift.findings.codes.CODES`.
        message: What is wrong, in one line.
        hint: What would be right, or "".
        own_level: How grave it is here, where that is not what its code says.
    """

    path: str
    line: int
    column: int
    code: str
    message: str
    hint: str = ""
    own_level: Level | None = field(default=None, compare=False)

    @property
    def level(self) -> Level:
        """How grave it is."""
        return self.own_level or CODES[self.code].level


def did_you_mean(word: str, known: Iterable[str], *, alike: float = 0.6) -> str:
    """Return a question for the one of *known* that is most like *word*, or "" where none is *alike* (0 to 1)."""
    close = difflib.get_close_matches(word, sorted({*known}), n=1, cutoff=alike)
    return f"did you mean {close[0]}?" if close else ""


def one_of(allowed: Iterable[str], word: str = "") -> str:
    """Return a hint that names what is most like *word* of *allowed*, or else all of them."""
    known = sorted({*allowed})
    return (did_you_mean(word, known) if word else "") or (f"it is one of {', '.join(known)}" if known else "")
