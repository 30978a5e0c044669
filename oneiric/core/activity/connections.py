"""The two connections to a file, one to read and one to write, and the descriptors that SQLite has for them."""

from __future__ import annotations

import ctypes
import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING

from oneiric.core.activity.places import SUFFIXES, identity_of_path
from oneiric.core.activity.table import connect, prepare
from oneiric.core.descriptors import identity_of, open_files

if TYPE_CHECKING:
    from pathlib import Path

    from oneiric.core.activity.kept import Kept

READ_WAIT = 0.05
"""Seconds a read waits for a lock at most; readers of a WAL file wait only where its owner insists."""


class Connections:
    """Two connections to the file at *path*; both None until :meth:`open`.

    Attributes:
        reader: The one to read.
        writer: The one to write.
        identity: The file that they are to, None where there are none.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.reader: sqlite3.Connection | None = None
        self.writer: sqlite3.Connection | None = None
        self.identity: tuple[int, int] | None = None
        self._descriptors: dict[int, tuple[int, int]] = {}  # those of the connections, as far as they can be known

    def open(self, fresh: Kept | None, *, now: float, wait: float) -> Kept:
        """Open them, make the tables with what is *fresh* where there are none, and return all that is kept."""
        before = open_files()
        writer = connect(self._path, wait)
        try:
            kept = prepare(writer, fresh, now=now, wait=wait)
            writer.execute("PRAGMA busy_timeout = 0")  # a transaction waits by itself
            reader = connect(self._path, READ_WAIT)
        except BaseException:
            writer.close()
            raise
        with suppress(sqlite3.Error):
            reader.execute("PRAGMA schema_version").fetchone()  # opens the rest of its files
        ours = {identity_of_path(self._path.with_name(self._path.name + suffix)) for suffix in SUFFIXES}
        found = open_files().items()
        self._descriptors = {at: file for at, file in found if file in ours and before.get(at) != file}
        self.writer, self.reader, self.identity = writer, reader, identity_of_path(self._path)
        return kept

    def close(self) -> None:
        """Close both; idempotent.

        Where other code closed their descriptors they stay as they are for good: SQLite would write to, and close,
        whatever file has the numbers now.
        """
        if not self.holds_descriptors():
            self.abandon()
        for connection in (self.reader, self.writer):
            if connection is not None:
                with suppress(sqlite3.Error):
                    connection.close()
        self._forget()

    def abandon(self) -> None:
        """Have nothing to do with them any more: they stay open as they are for good."""
        for connection in (self.reader, self.writer):
            if connection is not None:
                ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))
        self._forget()

    def holds_descriptors(self) -> bool:
        """Whether no other code of this process has closed them."""
        return all(identity_of(number) == identity for number, identity in self._descriptors.items())

    def _forget(self) -> None:
        self.reader = self.writer = self.identity = None
        self._descriptors = {}
