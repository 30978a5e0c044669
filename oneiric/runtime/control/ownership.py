"""Whose socket it is: a lock beside it that ends with its process, however that ends.

This module is imported by every command and imports little.
"""

from __future__ import annotations

import fcntl
from pathlib import Path

LOCK_SUFFIX = ".lock"
"""Of the file beside the socket that its owner holds locked; it has the owner's process id."""

_MAX_LOCK_BYTES = 32


def lock_path(path: str | Path) -> Path:
    """Return where the lock of the socket at *path* is."""
    return Path(f"{path}{LOCK_SUFFIX}")


def owner_of(path: str | Path) -> int | None:
    """Return the process that owns the socket at *path*, 0 for one that is not known; None where none does.

    PermissionError where that cannot be seen.
    """
    try:
        with lock_path(path).open("rb") as file:
            try:
                fcntl.flock(file.fileno(), fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                text = file.read(_MAX_LOCK_BYTES).decode("ascii", "replace").strip()
                return int(text) if text.isdecimal() else 0
    except (FileNotFoundError, NotADirectoryError):
        return None
    return None
