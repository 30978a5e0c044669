"""Read log lines: of a file and its rotated predecessors, one at a time, whatever their number and size."""

from __future__ import annotations

import gzip
import json
import time
from datetime import UTC, datetime, timedelta
from typing import IO, TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

MAX_LINE_BYTES = 1024 * 1024
"""A longer line is cut into several."""
LEVELS = ("debug", "info", "warning", "error", "critical")
POLL_SECONDS = 0.25
"""How often it is looked whether a file that is followed has grown."""

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class Line(NamedTuple):
    """A line as it was written, and its fields where it is JSON."""

    text: str
    fields: dict[str, Any]


class Wanted(NamedTuple):
    """Which lines are wanted; None: any.

    Attributes:
        level: The least level.
        since: The earliest time.
    """

    event: str | None = None
    level: str | None = None
    domain: str | None = None
    key: str | None = None
    since: datetime | None = None

    def matches(self, line: Line) -> bool:
        """Whether *line* is wanted; one that is no JSON only where any is."""
        fields = line.fields
        named = (("event", self.event), ("domain", self.domain), ("key", self.key))
        if any(value is not None and fields.get(name) != value for name, value in named):
            return False
        if self.level is not None and _rank(str(fields.get("level", ""))) < _rank(self.level):
            return False
        return self.since is None or self.since <= (_time(fields) or datetime.min.replace(tzinfo=UTC))


def parse_since(text: str, now: datetime) -> datetime:
    """Return the time that *text* names: so many s, m, h or d before *now*, or in ISO 8601; ValueError for others."""
    if text[-1:] in _UNITS and text[:-1].isdecimal():
        return now - timedelta(seconds=int(text[:-1]) * _UNITS[text[-1]])
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r:.40} is no time: write 90s, 15m, 2h, 7d, or 2026-01-31T12:00") from None
    return found if found.tzinfo is not None else found.astimezone()


def parsed(text: str) -> Line:
    """Return *text* with its fields."""
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        fields = None
    return Line(text, fields if isinstance(fields, dict) else {})


def lines_of(path: Path, file: IO[bytes]) -> Iterator[Line]:
    """Yield the lines of the rotated predecessors of *path*, oldest first, and then of *file*, which is open at it."""
    for older in _rotated(path):
        try:
            with _opened(older) as predecessor:
                yield from _lines(predecessor)
        except FileNotFoundError:  # rotated away meanwhile
            continue
    yield from _lines(file)


def lines_of_stream(file: IO[bytes]) -> Iterator[Line]:
    """Yield the lines of *file* as they come."""
    return _lines(file)


def followed(path: Path, file: IO[bytes]) -> Iterator[Line]:
    """Yield the lines from where *file*, open at *path*, was read to, for ever, through rotations and truncations."""
    rest = b""
    try:
        while True:
            if chunk := file.readline(MAX_LINE_BYTES):
                rest += chunk
                if rest.endswith(b"\n") or len(rest) >= MAX_LINE_BYTES:
                    yield _decoded(rest)
                    rest = b""
                continue
            successor = _successor(path, file)
            if successor is not None:
                file.close()
                file, rest = successor, b""
                continue
            time.sleep(POLL_SECONDS)
    finally:
        file.close()


def _successor(path: Path, file: IO[bytes]) -> IO[bytes] | None:
    """Return the file that took the place of *file*, all read, at *path*; None while it is still in its place."""
    import os  # noqa: PLC0415 - only where a file is followed

    mine = os.fstat(file.fileno())
    try:
        there = path.stat()
    except FileNotFoundError:
        return None
    if (there.st_dev, there.st_ino) != (mine.st_dev, mine.st_ino):
        return path.open("rb")
    if there.st_size < file.tell():
        file.seek(0)  # emptied in its place
    return None


def _rotated(path: Path) -> list[Path]:
    numbered = []
    for other in path.parent.glob(f"{path.name}.*"):
        number = other.name.removeprefix(f"{path.name}.").removesuffix(".gz")
        if number.isdecimal():
            numbered.append((int(number), other))
    return [other for _, other in sorted(numbered, reverse=True)]


def _opened(path: Path) -> IO[bytes]:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value] # reads bytes


def _lines(file: IO[bytes]) -> Iterator[Line]:
    while chunk := file.readline(MAX_LINE_BYTES):
        yield _decoded(chunk)


def _decoded(chunk: bytes) -> Line:
    return parsed(chunk.decode("utf-8", "replace").rstrip("\r\n"))


def _rank(level: str) -> int:
    return LEVELS.index(level.lower()) if level.lower() in LEVELS else -1


def _time(fields: dict[str, Any]) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(fields.get("timestamp")))
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def last(lines: Iterable[Line], count: int) -> Iterable[Line]:
    """Return the last *count* of *lines*, all for 0."""
    from collections import deque  # noqa: PLC0415 - only here

    return deque(lines, maxlen=count) if count else lines
