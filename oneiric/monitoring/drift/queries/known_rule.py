"""A rule that is known among the checked files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oneiric.monitoring.notation.text import Piece, Place


@dataclass(frozen=True, slots=True, eq=False)
class KnownRule:
    """A rule without the file that it is in.

    Attributes:
        name: What it records, or the alert's name.
        labels: The labels that it adds.
        expr: Its query, as a text of its own.
        is_alert: Whether it is an alert.
        is_logql: Whether Loki evaluates it.
        place: Where its name is.
    """

    name: str
    labels: Mapping[str, str]
    expr: Piece
    is_alert: bool
    is_logql: bool
    place: Place

    @property
    def key(self) -> tuple[str, bool, str, tuple[tuple[str, str], ...]]:
        """What no other rule of the same server should have: directory, kind, name and labels."""
        return str(PurePath(self.place.path).parent), self.is_alert, self.name, tuple(sorted(self.labels.items()))
