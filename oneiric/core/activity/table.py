"""The tables of pauses and drains, in SQLite."""

from __future__ import annotations

import json
import random
import sqlite3
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from oneiric.core.activity.kept import Kept, make_rows, new_identity, suspicion_as_json, suspicion_from_json
from oneiric.core.activity.records import make_records

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from oneiric.core.activity.kept import Suspicion

DAMAGE_CODES = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
"""What SQLite answers where a file is no database, or no whole one."""
LOCK_CODES = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
"""What SQLite answers where somebody else holds a lock."""
_RETRY_SECONDS = 0.001, 0.006

_COLUMNS = "domain, key, paused, draining, note, paused_at"
_CREATE = """CREATE TABLE activity (
    domain TEXT NOT NULL, key TEXT NOT NULL, paused INTEGER NOT NULL DEFAULT 0, draining INTEGER NOT NULL DEFAULT 0,
    note TEXT, paused_at REAL, PRIMARY KEY (domain, key))"""
_CREATE_META = """CREATE TABLE activity_meta (
    id INTEGER PRIMARY KEY CHECK (id = 1), identity TEXT NOT NULL, generation INTEGER NOT NULL, suspicion TEXT)"""
_CREATE_RECORDS = """CREATE TABLE IF NOT EXISTS activity_records (
    kind TEXT NOT NULL, name TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (kind, name))"""
_CREATE_DOCUMENTS = _CREATE_RECORDS.replace("activity_records", "activity_documents")
_INSERT_RECORD = "INSERT OR REPLACE INTO activity_records VALUES (?, ?, ?)"
_INSERT = f"INSERT OR REPLACE INTO activity ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)"  # noqa: S608 - constants only
_SELECT = f"SELECT {_COLUMNS} FROM activity"  # noqa: S608 - constants only


def connect(path: Path, timeout: float, *, read_only: bool = False) -> sqlite3.Connection:
    """Return a connection to the database at *path* that waits *timeout* seconds for a lock."""
    name = f"{path.as_uri()}?mode={'ro' if read_only else 'rwc'}"
    connection = sqlite3.connect(name, timeout=timeout, isolation_level=None, check_same_thread=False, uri=True)
    connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
    return connection


def prepare(connection: sqlite3.Connection, fresh: Kept | None, *, now: float, wait: float) -> Kept:
    """Make the tables, with what is *fresh*, where there are none, and bring older ones up to date; return all."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")  # a pause is rare, and must outlive a power cut
    with transaction(connection, wait):
        if not has_table(connection):
            connection.execute(_CREATE)
        elif "paused_at" not in {name for _, name, *_ in connection.execute("PRAGMA table_info(activity)")}:
            connection.execute("ALTER TABLE activity ADD COLUMN paused_at REAL")
        connection.execute("UPDATE activity SET paused_at = ? WHERE paused AND paused_at IS NULL", (now,))
        if not has_table(connection, "activity_meta"):
            connection.execute(_CREATE_META)
            if fresh is None:
                rows = make_rows(connection.execute(_SELECT))
                fresh = Kept(new_identity(), min(len(rows), 1), rows)
            replace(connection, fresh)
        return load(connection)


def load(connection: sqlite3.Connection) -> Kept:
    """Return all that is kept; of a file without generations, one of no name."""
    with closing(connection.cursor()) as cursor:
        begins = not connection.in_transaction
        if begins:
            cursor.execute("BEGIN")  # both tables as they are at one instant
        try:
            identity, generation, suspicion = _meta(cursor)
            has_times = any(name == "paused_at" for _, name, *_ in cursor.execute("PRAGMA table_info(activity)"))
            found = cursor.execute(_SELECT if has_times else _SELECT.replace("paused_at", "NULL"))
            rows = make_rows(found)
            has_records = has_table(connection, "activity_records")
            values = cursor.execute("SELECT kind, name, value FROM activity_records") if has_records else ()
            return Kept(identity, generation, rows, suspicion, make_records(values))
        finally:
            if begins:
                cursor.execute("ROLLBACK")


def replace(connection: sqlite3.Connection, kept: Kept) -> None:
    """Replace all that is kept; within a transaction."""
    connection.execute("DELETE FROM activity")
    connection.executemany(_INSERT, ((*name, *row) for name, row in kept.rows.items()))
    connection.execute(_CREATE_RECORDS)
    connection.execute("DELETE FROM activity_records")
    connection.executemany(_INSERT_RECORD, ((*name, value) for name, value in kept.records.items()))
    suspicion = None if kept.suspicion is None else json.dumps(suspicion_as_json(kept.suspicion))
    connection.execute(
        "INSERT OR REPLACE INTO activity_meta VALUES (1, ?, ?, ?)", (kept.identity, kept.generation, suspicion)
    )


def put(connection: sqlite3.Connection, kept: Kept, name: tuple[str, str]) -> None:
    """Write the row *name* of *kept*, or delete it if that has none, and its generation; within a transaction."""
    if (row := kept.rows.get(name)) is None:
        connection.execute("DELETE FROM activity WHERE domain = ? AND key = ?", name)
    else:
        connection.execute(_INSERT, (*name, *row))
    connection.execute("UPDATE activity_meta SET generation = ?", (kept.generation,))


def put_record(connection: sqlite3.Connection, kept: Kept, name: tuple[str, str]) -> None:
    """Write the record *name* of *kept*, or delete it if there is none, and its generation; within a transaction."""
    connection.execute(_CREATE_RECORDS)
    if (value := kept.records.get(name)) is None:
        connection.execute("DELETE FROM activity_records WHERE kind = ? AND name = ?", name)
    else:
        connection.execute(_INSERT_RECORD, (*name, value))
    connection.execute("UPDATE activity_meta SET generation = ?", (kept.generation,))


def document(connection: sqlite3.Connection, name: tuple[str, str]) -> bytes | None:
    """Return the document called *name*, None where there is none."""
    if not has_table(connection, "activity_documents"):
        return None
    query = "SELECT value FROM activity_documents WHERE kind = ? AND name = ?"
    found = connection.execute(query, name).fetchone()
    return found[0] if found and isinstance(found[0], bytes) else None


def put_document(connection: sqlite3.Connection, name: tuple[str, str], value: bytes | None) -> None:
    """Write the document called *name*, or delete it for None; within a transaction."""
    connection.execute(_CREATE_DOCUMENTS)
    if value is None:
        connection.execute("DELETE FROM activity_documents WHERE kind = ? AND name = ?", name)
    else:
        connection.execute("INSERT OR REPLACE INTO activity_documents VALUES (?, ?, ?)", (*name, value))


def has_table(connection: sqlite3.Connection, name: str = "activity") -> bool:
    """Whether the database has the table *name*."""
    query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
    return connection.execute(query, (name,)).fetchone() is not None


def table_intact(connection: sqlite3.Connection) -> bool:
    """Whether SQLite finds nothing wrong with the table."""
    (verdict,) = connection.execute("PRAGMA integrity_check(activity)").fetchone()
    return bool(verdict == "ok")


@contextmanager
def transaction(connection: sqlite3.Connection, wait: float) -> Iterator[None]:
    """Commit what is done within, or undo it where that raises; wait *wait* seconds for other writers."""
    _begin(connection, time.monotonic() + wait)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _begin(connection: sqlite3.Connection, deadline: float) -> None:
    """Begin to write; SQLite itself asks ever more rarely, so that one of many writers may never get its turn."""
    while True:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if sqlite_code(error) not in LOCK_CODES or time.monotonic() >= deadline:
                raise
        else:
            return
        time.sleep(random.uniform(*_RETRY_SECONDS))  # noqa: S311 - so that writers do not keep step


def sqlite_code(error: BaseException) -> int:
    """Return the primary result code of an SQLite error; 0 for any other."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF  # the rest of it details the first byte


def _meta(cursor: sqlite3.Cursor) -> tuple[str, int, Suspicion | None]:
    has_meta = cursor.execute("SELECT 1 FROM sqlite_master WHERE name = 'activity_meta'").fetchone()
    found = cursor.execute("SELECT identity, generation, suspicion FROM activity_meta").fetchone() if has_meta else None
    if found is None:
        return "", 0, None
    identity, generation, text = found
    try:
        return str(identity), int(generation), suspicion_from_json(json.loads(text)) if text else None
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(f"activity_meta: {type(error).__name__}: {error}") from error


def _damaged(text: str) -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError(text)
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error
