"""The files of a database in its directory: which they are, who may read them, and how they are moved aside."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from oneiric.core.activity.witness import lock

if TYPE_CHECKING:
    from collections.abc import Iterator

SUFFIXES = ("", "-wal", "-shm", "-journal")
"""Of the names of all files of one database."""
MIN_BYTES = 512
"""Of a database; what is smaller was cut, though SQLite takes a single byte for an empty one."""

MOUNTS = Path("/proc/self/mountinfo")
"""Where Linux lists what is mounted, see proc(5)."""

_MOUNT_POINT = 4
_NETWORKED = frozenset(
    ("nfs", "nfs4", "cifs", "smb3", "ceph", "glusterfs", "lustre", "afs", "fuse.sshfs", "fuse.glusterfs", "fuse.s3fs")
)
_LOCK_RETRY = 0.005
_PRIVATE = 0o600


class NotAFileError(OSError):
    """What is at the path is a directory, a device or the like."""


class Seen(NamedTuple):
    """A file as it was when it was looked at; another *changed* means that somebody wrote to it, or renamed it."""

    identity: tuple[int, int]
    size: int
    changed: int


class _DirectoryBusyError(sqlite3.OperationalError):
    sqlite_errorcode = sqlite3.SQLITE_BUSY


def look(path: Path) -> Seen | None:
    """Return what is at *path*, None where nothing is or nobody can tell."""
    try:
        found = path.stat()
    except OSError:
        return None
    return Seen((found.st_dev, found.st_ino), found.st_size, found.st_ctime_ns)


def identity_of_path(path: Path) -> tuple[int, int] | None:
    """Return device and inode of what is at *path*, None where nothing is."""
    found = look(path)
    return None if found is None else found.identity


def make_private(path: Path) -> None:
    """Make the file at *path* and its companions readable for their owner alone; an empty one where there is none."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, _PRIVATE))
    for suffix in SUFFIXES:
        one = path.with_name(path.name + suffix)
        with suppress(FileNotFoundError, PermissionError):  # another user's file is that user's affair
            if one.stat().st_mode & 0o077:
                one.chmod(_PRIVATE)


def network_file_system(path: Path) -> str | None:
    """Return the type of the network file system that *path* lies on, None for a local one or where nobody knows."""
    place, found = Path(os.path.realpath(path)), {}
    with suppress(OSError):
        for line in MOUNTS.read_text("utf-8", "replace").splitlines():
            mounted, _, source = line.partition(" - ")
            fields, kind = mounted.split(" "), source.partition(" ")[0]
            if len(fields) > _MOUNT_POINT:
                found[Path(fields[_MOUNT_POINT].replace("\\040", " "))] = kind  # the last one covers those before
    kind = next((found[above] for above in (place, *place.parents) if above in found), "")
    return kind if kind in _NETWORKED else None


def move_aside(path: Path, word: str) -> Path | None:
    """Rename the file at *path* and its companions, together; return the first one's new name, None: none was there."""
    aside = path.with_name(f"{path.name}.{word}-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}")
    moved = False
    for suffix in SUFFIXES:  # an open connection sees the move and leaves the rest alone
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
            moved = True
    return aside if moved else None


def remove(path: Path) -> None:
    """Remove the file at *path* and its companions."""
    for suffix in SUFFIXES:
        path.with_name(path.name + suffix).unlink(missing_ok=True)


@contextmanager
def directory_locked(directory: Path, wait: float) -> Iterator[None]:
    """Keep other processes from opening or moving a file of *directory* meanwhile; wait *wait* seconds for them."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        deadline = time.monotonic() + wait
        while not lock(descriptor):
            if time.monotonic() >= deadline:
                raise _DirectoryBusyError("another process opens the file")
            time.sleep(_LOCK_RETRY)
        yield
    finally:
        os.close(descriptor)
