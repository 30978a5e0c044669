"""What a file holds, and whether that can be what was kept last; looked at without what a connection remembers."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from oneiric.core.activity import table
from oneiric.core.activity.kept import Kept, contradiction
from oneiric.core.activity.places import MIN_BYTES, look
from oneiric.core.activity.table import connect, sqlite_code

if TYPE_CHECKING:
    from oneiric.core.events import SuspectReason

NOTHING = Kept("", 0, {})
"""What a file holds that is not there, or empty."""


class Finding(NamedTuple):
    """What a file holds, None where that cannot be read, and what is wrong with it, None for nothing."""

    kept: Kept | None
    reason: SuspectReason | None


def inspect(path: Path, before: Kept | None, *, wait: float) -> Finding:
    """Return what the file at *path* holds, which must follow *before*, None where nothing is known of before."""
    seen = look(path)
    if seen is None or seen.size == 0:
        log = look(path.with_name(f"{path.name}-wal"))  # SQLite throws it away where the file is empty
        is_new = before is None and (log is None or log.size == 0)
        return Finding(NOTHING, None if is_new else "removed" if seen is None else "emptied")
    if seen.size < MIN_BYTES:
        return Finding(None, "damaged")
    with closing(connect(path, wait)) as connection:
        try:
            connection.execute("PRAGMA schema_version").fetchone()
            if not table.has_table(connection):
                return Finding(NOTHING, None if before is None else "rows_lost")
            if not table.table_intact(connection):
                return Finding(None, "damaged")
            found = table.load(connection)
        except sqlite3.DatabaseError as error:
            if sqlite_code(error) in table.DAMAGE_CODES:
                return Finding(None, "damaged")
            raise
    return Finding(found, None if before is None else contradiction(found, before))


def glimpse(path: Path) -> Kept | None:
    """Return what the file at *path* holds, without writing or waiting; None where it cannot be read like that."""
    with suppress(OSError, sqlite3.Error), closing(connect(path, 0, read_only=True)) as connection:
        return table.load(connection)
    return None


def copied(path: Path, *, wait: float) -> Kept | None:
    """Return what the file at *path* holds, read from a copy; None where that cannot be had."""
    try:
        with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as directory:
            copy = Path(directory) / path.name
            shutil.copyfile(path, copy)
            with suppress(FileNotFoundError):
                shutil.copyfile(f"{path}-wal", f"{copy}-wal")
            with closing(connect(copy, wait)) as connection:
                return table.load(connection)
    except (OSError, sqlite3.Error):
        return None
