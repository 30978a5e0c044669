"""Replace a file so that a reader, or a crash, finds either the old content or the new one."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any


def write_atomic(path: str | os.PathLike[str], data: bytes) -> None:
    """Replace the content of *path* with *data*, durably; its directory is created where it is missing.

    The file, and a directory that is created, are for their owner only. Blocks until the data are on disk; OSError
    leaves the old content in place. Safe to call from several threads and processes at once: the last one wins.
    """
    target = Path(path)
    make_private_directory(target.parent)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    sync_directory(target.parent)


def read_mapping(path: str | os.PathLike[str], *, limit: int) -> dict[str, Any]:
    """Return the JSON object in the first *limit* bytes of *path*, {} for anything else or nothing; never raises."""
    try:
        with Path(path).open("rb") as file:
            content = json.loads(file.read(limit))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def make_private_directory(directory: Path) -> None:
    """Create *directory*, and those above it, for their owner only where they are missing; others stay as they are."""
    if not directory.parent.exists():
        make_private_directory(directory.parent)
    directory.mkdir(mode=0o700, exist_ok=True)


def sync_directory(directory: Path) -> None:
    """Make renames within *directory* durable, which syncing a file alone does not."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
