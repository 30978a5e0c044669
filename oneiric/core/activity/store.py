"""Which components are paused or draining: kept in one file that several processes share."""

from __future__ import annotations

import sqlite3
import threading
import time
import weakref
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from oneiric.core.activity.database import ActivityFile, FileDamagedError, NotAFileError, make_row
from oneiric.core.activity.memory import MemoryActivityStore, Row, Rows
from oneiric.core.activity.table import sqlite_code
from oneiric.core.names import is_valid_name

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator

    from oneiric.core.events import ActivityCount
    from oneiric.core.observers import Observers


MAX_BUSY_TIMEOUT = 60.0
"""Longest time a write may wait for other processes, in seconds."""

_SINK = "activity_store"
_BROKEN = (OSError, sqlite3.Error, FileDamagedError)


class ActivityStoreError(RuntimeError):
    """The activity store cannot be used; the text names the file and what to do."""


class DomainActivityStore(MemoryActivityStore):
    """The activity of every component, in the SQLite file *path*, which several processes may use at once.

    Thread-safe. Reads answer what the file holds now, or what was last known (and report a failed hook) where it
    cannot be read. Writes are one transaction each, durable when they return; they raise ActivityStoreError where the
    file cannot be written. A damaged file is moved aside as ``<name>.corrupt-<UTC time>`` and written anew from what
    this process knows; so is one that was removed.

    Args:
        path: The file; its directory is made, for this user alone.
        observers: Notified of transitions.
        busy_timeout: Seconds a write waits for other processes, from 0 to 60.
        clock: Seconds since the epoch.

    Raises:
        ActivityStoreError: The file cannot be opened for writing.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        observers: Observers | None = None,
        busy_timeout: float = 1.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(observers=observers, clock=clock)
        if not 0 <= busy_timeout <= MAX_BUSY_TIMEOUT:
            raise ValueError(f"busy_timeout must be from 0 to {MAX_BUSY_TIMEOUT:g} seconds, not {busy_timeout!r:.80}")
        self.path = Path(path)
        self._busy_timeout = busy_timeout
        self._writing = threading.Lock()  # guards the file's writer; taken before _lock, which guards its reader
        self._closed = False
        self._file = ActivityFile(self.path.absolute(), busy_timeout=busy_timeout, clock=clock)
        weakref.finalize(self, self._file.close)
        self._renew()

    def states(self) -> Iterator[ActivityCount]:
        """Yield the counts of the usual domains, and of every other one that has any activity.

        Never waits for a write or a repair; what cannot be read at once is answered from what was last known.
        """
        if self._lock.acquire(blocking=False):
            try:
                with suppress(sqlite3.Error, FileDamagedError):  # the next read or write reports or repairs it
                    self._load()
            finally:
                self._lock.release()
        return super().states()

    def close(self) -> None:
        """Close the file; reads then answer what was last known, writes raise. Idempotent."""
        with self._writing, self._lock:
            self._closed = True
            self._file.close()

    def _known(self) -> Rows:
        try:
            with self._lock:
                self._load()
        except FileDamagedError as damage:
            with suppress(ActivityStoreError):  # reported by the repair
                self._repair(damage)
        except sqlite3.Error as error:
            self.observers.hook_failed(_SINK, error)
        return self._rows

    def _load(self) -> None:
        if self._closed or (found := self._file.read()) is None:
            return
        rows: Rows = {}
        for domain, key, *columns in found:
            row = make_row(*columns)
            if is_valid_name(domain) and is_valid_name(key) and not row.is_default:
                rows[str(domain), str(key)] = self._dated(row, self._rows.get((str(domain), str(key)), Row()))
        self._rows = rows

    def _dated(self, row: Row, known: Row) -> Row:
        if row.paused and row.paused_at is None:  # written by a program that does not know the column
            return row._replace(paused_at=known.paused_at or self._clock())
        return row

    def _write(self, domain: str, key: str, decide: Callable[[Row], Row]) -> Row:
        try:
            try:
                return self._write_once(domain, key, decide)
            except FileDamagedError as damage:
                self._repair(damage)
                return self._write_once(domain, key, decide)
        except _BROKEN as error:
            raise self._unusable(error) from error

    def _write_once(self, domain: str, key: str, decide: Callable[[Row], Row]) -> Row:
        with self._writing:
            if self._closed:
                raise ActivityStoreError(f"{self.path}: the activity store is closed")
            before, after = self._file.update(domain, key, decide)
            with self._lock:  # what was written is known at once, even if the file cannot be read
                self._remember(domain, key, before, after)
                self._file.reread()
        return after

    def _renew(self) -> None:
        try:
            with self._writing, self._lock:
                damage = self._file.renew(self._rows)
                self._load()
        except _BROKEN as error:
            self._file.close()
            raise self._unusable(error) from error
        if damage:
            self.observers.hook_failed(_SINK, FileDamagedError(damage))

    def _repair(self, damage: FileDamagedError) -> None:
        try:
            with self._writing, self._lock:
                if not self._closed and damage.generation == self._file.generation:  # else somebody was quicker
                    self._file.renew(self._rows)
                    self._load()
        except _BROKEN as error:
            unusable = self._unusable(error)
            self.observers.hook_failed(_SINK, unusable)
            raise unusable from error
        self.observers.hook_failed(_SINK, damage)

    def _unusable(self, error: Exception) -> ActivityStoreError:
        return ActivityStoreError(f"{self.path}: {self._advice(error)}")

    def _advice(self, error: Exception) -> str:
        if isinstance(error, NotAFileError):
            return f"{error}, not a file; set runtime_paths.domain_activity_path to the path of a file"
        match sqlite_code(error):
            case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
                return (
                    f"locked by another process for more than {self._busy_timeout:g} s; find it with "
                    f"'fuser {self.path}', end it or wait for it, and try again"
                )
            case sqlite3.SQLITE_FULL:
                return "the disk is full; free some space and try again"
            case sqlite3.SQLITE_ERROR:
                return f"is not an activity store ({error}); set runtime_paths.domain_activity_path to another file"
            case _:
                return f"cannot be used ({error}); the file and its directory must be writable by this user"
