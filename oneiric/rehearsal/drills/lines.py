"""The log lines of a sandbox: of each kind the first one that is new since the phase before."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

EventKind = tuple[str, str]
"""The event's name and its level."""
OWN = "oneiric"
"""What the names of the runtime's loggers begin with."""


class LogWatch:
    """Follows the file *path* of JSON lines."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0
        self._known: frozenset[EventKind] = frozenset()
        self._count: Counter[EventKind] = Counter()

    def begin(self) -> list[str]:
        """Begin a phase, and return how many lines more of each kind there were in the one that ends."""
        self.look()
        rest = [
            f"{event}: {count - 1} more"
            for (event, level), count in self._count.items()
            if count > 1 and (event, level) not in self._known
        ]
        self._known, self._count = frozenset(self._count), Counter()
        return rest

    def look(self) -> list[str]:
        """Return the new lines that are the first of their kind in this phase, and not of one of the phase before."""
        shown = []
        for line in self._new_lines():
            try:
                record = json.loads(line)
                kind, logger = (str(record["event"]), str(record["level"])), str(record["logger"])
            except (ValueError, KeyError, TypeError):  # of a library that logs in its own way
                continue
            if not logger.startswith(OWN):
                continue
            self._count[kind] += 1
            if self._count[kind] == 1 and kind not in self._known:
                shown.append(line)
        return shown

    def _new_lines(self) -> list[str]:
        with self._path.open("rb") as file:
            file.seek(self._read)
            whole, end, _ = file.read().rpartition(b"\n")
        self._read += len(whole) + len(end)
        return whole.decode("utf-8", "replace").splitlines()
