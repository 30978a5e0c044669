"""The file that keeps pauses and drains: SQLite in WAL mode, written by several processes."""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import sqlite3
import tempfile
import time
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from oneiric.core.activity.memory import Row
from oneiric.core.activity.table import (
    COLUMNS,
    INSERT,
    connect,
    has_table,
    prepare,
    sqlite_code,
    table_intact,
    transaction,
)
from oneiric.core.descriptors import identity_of, open_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from oneiric.core.activity.memory import Rows

READ_WAIT = 0.05
"""Seconds a read waits for a lock at most; readers of a WAL file wait only where its owner insists."""

_LOCK_RETRY = 0.005
_MIN_BYTES = 512  # of a database; what is smaller was cut, though SQLite takes a single byte for an empty one
_SUFFIXES = ("", "-wal", "-shm", "-journal")
_DAMAGE_CODES = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


class FileDamagedError(Exception):
    """The file is damaged, was removed or replaced; it must be opened anew, unless that was done since."""

    def __init__(self, text: str, *, generation: int = 0) -> None:
        super().__init__(text)
        self.generation = generation


class NotAFileError(OSError):
    """What is at the path is a directory, a device or the like."""


class _DirectoryBusyError(sqlite3.OperationalError):
    sqlite_errorcode = sqlite3.SQLITE_BUSY


class ActivityFile:
    """Two connections to the file at *path*, one to read and one to write; the owner serialises the use of each.

    Methods raise sqlite3.Error, OSError, or FileDamagedError where :meth:`renew` is the answer.

    Attributes:
        generation: How often the file was opened.
    """

    def __init__(self, path: Path, *, busy_timeout: float, clock: Callable[[], float]) -> None:
        self._path = path
        self._clock = clock
        self._busy_timeout = busy_timeout
        self._reader: sqlite3.Connection | None = None
        self._writer: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._version: int | None = None
        self._descriptors: dict[int, tuple[int, int]] = {}  # those of the connections, as far as they can be known
        self._is_lost = False
        self.generation = 0

    def renew(self, known: Rows) -> str:
        """Open the file; move it aside if it is damaged, and write what is *known* to a new one.

        A file whose descriptors were lost is replaced by a new one with all that it holds: what SQLite believes about
        locks on the old one is no longer true. Return what was damaged and where it went; "" if nothing.
        """
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._path.exists() and not self._path.is_file():
            raise NotAFileError("is a directory or a device")
        with self._directory_locked():
            if self._is_lost:
                known = self._copied(known)
            damaged = self._identity is not None and self._identity == _identity(self._path)
            aside = self._move_aside() if damaged or not self._is_intact() else None
            self.close()
            self._open(known)
            if self._is_lost and aside is not None:
                _remove(aside)
                aside = None
            self._is_lost = False
        self.generation += 1
        return f"{self._path}: damaged; moved to {aside.name} and written anew" if aside else ""

    def read(self) -> list[tuple[object, ...]] | None:
        """Return all rows; None if nothing has changed since the last time."""
        with self._damage_told():
            reader = self._present(self._reader)
            (version,) = reader.execute("PRAGMA data_version").fetchone()
            if version == self._version:
                return None
            rows = reader.execute(f"SELECT {COLUMNS} FROM activity").fetchall()  # noqa: S608 - constants only
            self._version = version
            return rows

    def reread(self) -> None:
        """Have the next :meth:`read` return the rows in any case."""
        self._version = None

    def update(self, domain: str, key: str, decide: Callable[[Row], Row]) -> tuple[Row, Row]:
        """Replace the row with what *decide* makes of it, in one transaction; return it before and after."""
        with self._damage_told():
            writer = self._present(self._writer)
            with transaction(writer):
                found = writer.execute(
                    "SELECT paused, draining, note, paused_at FROM activity WHERE domain = ? AND key = ?", (domain, key)
                ).fetchone()
                before = make_row(*found) if found else Row()
                after = decide(before)
                if after == before:
                    return before, after
                if after.is_default:
                    writer.execute("DELETE FROM activity WHERE domain = ? AND key = ?", (domain, key))
                else:
                    writer.execute(f"INSERT OR REPLACE {INSERT}", (domain, key, *after))
                return before, after

    def close(self) -> None:
        """Close both connections; idempotent.

        Where other code closed their descriptors they stay as they are for good: SQLite would write to, and close,
        whatever file has the numbers now.
        """
        holds = self._holds_descriptors()
        for connection in (self._reader, self._writer):
            if connection is None:
                continue
            if not holds:
                ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))
                continue
            with suppress(sqlite3.Error):
                connection.close()
        self._reader = self._writer = self._identity = self._version = None
        self._descriptors = {}

    def _open(self, known: Rows) -> None:
        before = open_files()
        writer = connect(self._path, self._busy_timeout)
        try:
            prepare(writer, known, now=self._clock())
            reader = connect(self._path, min(READ_WAIT, self._busy_timeout))
        except BaseException:
            writer.close()
            raise
        with suppress(sqlite3.Error):
            reader.execute("PRAGMA schema_version").fetchone()  # opens the rest of its files
        ours = {_identity(self._path.with_name(self._path.name + suffix)) for suffix in _SUFFIXES}
        found = open_files().items()
        self._descriptors = {at: file for at, file in found if file in ours and before.get(at) != file}
        self._writer, self._reader, self._identity = writer, reader, _identity(self._path)

    def _is_intact(self) -> bool:
        try:
            size = self._path.stat().st_size
        except FileNotFoundError:
            size = 0
        if size < _MIN_BYTES:
            return size == 0
        with closing(connect(self._path, self._busy_timeout)) as connection:
            try:
                connection.execute("PRAGMA schema_version").fetchone()
                return not has_table(connection) or table_intact(connection)
            except sqlite3.DatabaseError as error:
                if sqlite_code(error) in _DAMAGE_CODES:
                    return False
                raise

    def _move_aside(self) -> Path:
        aside = self._path.with_name(f"{self._path.name}.corrupt-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}")
        for suffix in _SUFFIXES:  # an open connection sees the move and leaves the rest alone
            with suppress(FileNotFoundError):
                self._path.with_name(self._path.name + suffix).rename(aside.with_name(aside.name + suffix))
        return aside

    def _present(self, connection: sqlite3.Connection | None) -> sqlite3.Connection:
        if connection is None:
            raise self._damaged("could not be opened anew before")
        if (identity := _identity(self._path)) != self._identity:
            raise self._damaged(f"was {'replaced' if identity else 'removed'} while in use")
        if not self._holds_descriptors():
            self._is_lost = True
            raise self._damaged("other code of this process closed its descriptors; written anew")
        return connection

    def _holds_descriptors(self) -> bool:
        return all(identity_of(number) == identity for number, identity in self._descriptors.items())

    def _copied(self, known: Rows) -> Rows:
        """Return what the file holds, read from a copy; *known* where that cannot be had."""
        try:
            with tempfile.TemporaryDirectory(prefix=f".{self._path.name}.", dir=self._path.parent) as directory:
                copy = Path(directory) / self._path.name
                shutil.copyfile(self._path, copy)
                with suppress(FileNotFoundError):
                    shutil.copyfile(f"{self._path}-wal", f"{copy}-wal")
                with closing(connect(copy, self._busy_timeout)) as connection:
                    rows = connection.execute(f"SELECT {COLUMNS} FROM activity").fetchall()  # noqa: S608 - constants
        except (OSError, sqlite3.Error):
            return known
        return {(str(domain), str(key)): make_row(*columns) for domain, key, *columns in rows}

    def _damaged(self, what: str) -> FileDamagedError:
        return FileDamagedError(f"{self._path}: {what}", generation=self.generation)

    @contextmanager
    def _damage_told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            if sqlite_code(error) in _DAMAGE_CODES or self._has_lost_table(error):
                raise self._damaged(str(error)) from error
            raise

    def _has_lost_table(self, error: sqlite3.DatabaseError) -> bool:
        """Whether the table, there when the file was opened, is gone; another table in its place is no damage."""
        if sqlite_code(error) != sqlite3.SQLITE_ERROR or self._reader is None:
            return False
        with suppress(sqlite3.Error):
            return not has_table(self._reader)
        return False

    @contextmanager
    def _directory_locked(self) -> Iterator[None]:
        """Keep other processes from opening or moving the file at the same time."""
        descriptor = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            deadline = time.monotonic() + self._busy_timeout
            while not _lock(descriptor):
                if time.monotonic() > deadline:
                    raise _DirectoryBusyError("another process opens the file")
                time.sleep(_LOCK_RETRY)
            yield
        finally:
            os.close(descriptor)


def _remove(path: Path) -> None:
    for suffix in _SUFFIXES:
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def make_row(paused: object, draining: object, note: object, paused_at: object) -> Row:
    """Return the row of these columns, whatever another program wrote into them."""
    return Row(
        bool(paused),
        bool(draining),
        note if isinstance(note, str) and note else None,
        float(paused_at) if paused and isinstance(paused_at, (int, float)) else None,
    )


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
