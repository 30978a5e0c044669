"""Which artifacts go when there are too many, or some are too old: the one unused for longest first."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

PART_PREFIX = ".part-"
"""How the names of unfinished downloads begin."""

MAX_PART_AGE = 3600.0
"""Seconds after its last change that an unfinished download counts as left over by a killed process."""


@dataclass(frozen=True)
class CachedArtifact:
    """An artifact on disk; ``used_at`` is when it was last used, in seconds since the epoch."""

    path: Path
    size: int
    used_at: float


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """What may stay: bytes, seconds since the last use (None for ever), and seconds in which size is no reason."""

    max_bytes: int
    max_age: float | None = None
    grace: float = 0.0


@dataclass(frozen=True)
class Victims:
    """Artifacts to remove, and why."""

    reason: Literal["age", "size", "request"]
    items: list[CachedArtifact]


def take_stock(directory: Path, *, now: float) -> list[CachedArtifact]:
    """Return the artifacts in *directory*, the one unused for longest first; remove left-over unfinished downloads."""
    stock = []
    for path in directory.iterdir():
        try:
            status = path.lstat()
        except FileNotFoundError:  # finished or evicted meanwhile
            continue
        if not stat.S_ISREG(status.st_mode):
            continue
        if not path.name.startswith(PART_PREFIX):
            stock.append(CachedArtifact(path, status.st_size, status.st_mtime))
        elif now - status.st_mtime > MAX_PART_AGE:
            path.unlink(missing_ok=True)
    return sorted(stock, key=lambda item: (item.used_at, item.path.name))


def choose_victims(
    stock: list[CachedArtifact], protected: Collection[str], *, now: float, bounds: Bounds
) -> Iterator[Victims]:
    """Yield what to remove of *stock*, which is sorted, for its age and then for its size; never what is *protected*.

    What is protected, or was used within the grace period, counts towards the size all the same, so more may stay.
    """
    free = [item for item in stock if item.path.name not in protected]
    old = [item for item in free if bounds.max_age is not None and now - item.used_at > bounds.max_age]
    if old:
        yield Victims("age", old)
    excess = sum(item.size for item in stock) - sum(item.size for item in old) - bounds.max_bytes
    surplus = []
    for item in free[len(old) :]:
        if excess <= 0 or now - item.used_at <= bounds.grace:
            break
        surplus.append(item)
        excess -= item.size
    if surplus:
        yield Victims("size", surplus)
