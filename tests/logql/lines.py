"""A log line on its way through a pipeline: its text, its labels by where they came from, and what went wrong."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ERROR = "__error__"
_EXTRACTED = "_extracted"
_NO_NAME = re.compile(r"[^a-zA-Z0-9_]")


@dataclass(frozen=True, slots=True)
class Line:
    """A line as Loki keeps it.

    Attributes:
        text: The line.
        stream: The labels of its stream.
        metadata: Its structured metadata.
        seconds: When it was written, in seconds since the epoch.
    """

    text: str
    stream: Mapping[str, str]
    metadata: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0


class Entry:
    """A line in a pipeline; stages change its text and labels."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.text = line.text
        self.value = 0.0
        """The sample that ``unwrap`` took."""
        self._base = {**line.metadata, **line.stream}
        self._labels = dict(self._base)
        self._error = ""

    @property
    def labels(self) -> dict[str, str]:
        """All labels, the error included if there is one; those without a value are none."""
        labels = self._labels | ({ERROR: self._error} if self._error else {})
        return {name: value for name, value in labels.items() if value}

    def find(self, name: str) -> str | None:
        """Return the value of the label *name*, or None without one; an absent error is empty."""
        return self._error if name == ERROR else self._labels.get(name)

    def extract(self, name: str, value: str) -> None:
        """Set what a parser found; where the line came with a label of that name, with a suffix."""
        name = label_name(name)
        self._labels[name + _EXTRACTED if name in self._base else name] = value

    def assign(self, name: str, value: str) -> None:
        """Set a label, whatever it was."""
        self._labels[name] = value

    def remove(self, names: Iterable[str]) -> None:
        """Take labels away, the error included."""
        for name in names:
            self._labels.pop(name, None)
            if name == ERROR:
                self._error = ""

    def fail(self, error: str) -> None:
        """Note what went wrong; the first error stays."""
        self._error = self._error or error


def label_name(field_name: str) -> str:
    """Return the label that a parser makes of a field: what no label may have becomes ``_``."""
    name = _NO_NAME.sub("_", field_name)
    return f"_{name}" if name[:1].isdigit() else name
