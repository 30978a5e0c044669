"""The table of pauses and drains, in SQLite."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from oneiric.core.activity.memory import Rows

COLUMNS = "domain, key, paused, draining, note, paused_at"
_CREATE = """CREATE TABLE activity (
    domain TEXT NOT NULL, key TEXT NOT NULL, paused INTEGER NOT NULL DEFAULT 0, draining INTEGER NOT NULL DEFAULT 0,
    note TEXT, paused_at REAL, PRIMARY KEY (domain, key))"""
INSERT = f"INTO activity ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)"


def connect(path: Path, timeout: float) -> sqlite3.Connection:
    """Return a connection to the database at *path* that waits *timeout* seconds for a lock."""
    connection = sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=False)
    connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
    return connection


def prepare(connection: sqlite3.Connection, known: Rows, *, now: float) -> None:
    """Make the table with what is *known* where there is none, and bring an older one up to date."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")  # a pause is rare, and must outlive a power cut
    with transaction(connection):
        if not has_table(connection):
            connection.execute(_CREATE)
            connection.executemany(f"INSERT {INSERT}", ((*name, *row) for name, row in known.items()))
        elif "paused_at" not in {name for _, name, *_ in connection.execute("PRAGMA table_info(activity)")}:
            connection.execute("ALTER TABLE activity ADD COLUMN paused_at REAL")
        connection.execute("UPDATE activity SET paused_at = ? WHERE paused AND paused_at IS NULL", (now,))


def has_table(connection: sqlite3.Connection) -> bool:
    """Whether the database has the table."""
    found = connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'activity'").fetchone()
    return found is not None


def table_intact(connection: sqlite3.Connection) -> bool:
    """Whether SQLite finds nothing wrong with the table."""
    (verdict,) = connection.execute("PRAGMA integrity_check(activity)").fetchone()
    return bool(verdict == "ok")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit what is done within, or undo it where that raises."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def sqlite_code(error: BaseException) -> int:
    """Return the primary result code of an SQLite error; 0 for any other."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF  # the rest of it details the first byte
