"""Which components are paused or draining: kept in one file that several processes share."""

from __future__ import annotations

import os
import sqlite3
import time
import weakref
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from oneiric.core.activity.advice import ActivityStoreError, passes
from oneiric.core.activity.connections import READ_WAIT
from oneiric.core.activity.database import ActivityFile, FileDamagedError, Renewal
from oneiric.core.activity.kept import Kept, NothingToDecideError, held
from oneiric.core.activity.memory import MemoryActivityStore, Row, Rows, transitions
from oneiric.core.activity.records import with_record
from oneiric.core.activity.reporting import SINK, Reports
from oneiric.core.activity.witness import Witness, witness_path
from oneiric.core.concurrency import ForkSafeLock, renew_after_fork
from oneiric.core.events import ActivityStateRecovered, ActivityStoreState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from oneiric.core.activity.kept import Account, Suspicion
    from oneiric.core.events import State
    from oneiric.core.observers import Observers

MAX_BUSY_TIMEOUT = 60.0
"""Longest time a write may wait for other processes, in seconds."""
RETRY_SECONDS = 1.0
"""From one attempt of a read to open a file that cannot be opened to the next."""

T = TypeVar("T")

_REPAIRS = 3
_BROKEN = (OSError, sqlite3.Error, FileDamagedError)


class DomainActivityStore(MemoryActivityStore):
    """The activity of every component, in the SQLite file *path*, which several processes may use at once.

    Thread-safe. Reads answer what the file holds now, or what was last known (and report a failed hook) where it
    cannot be read; they hardly wait. Writes are one transaction each, durable when they return; they raise
    ActivityStoreError where the file cannot be written. Where it is locked or the disk is full at the start, what can
    be read is in force, and opening it is tried again.

    A second witness outside the directory says after each change what the file must hold. A file that cannot be what
    it was (removed, emptied, replaced, an older copy, rows gone, damaged) is moved aside as
    ``<name>.quarantine-<UTC time>`` and written anew. Where anything was paused or draining the state is suspect then:
    all that was known stays in force until :meth:`recover`.

    Args:
        path: The file; its directory is made, for this user alone, as the file is.
        observers: Notified of transitions, and of what is suspect.
        busy_timeout: Seconds a write waits for other processes, from 0 to 60.
        clock: Seconds since the epoch.
        witness: The witness's file; None: in ``$STATE_DIRECTORY``, or else in the user's XDG state, by the path.

    Raises:
        ActivityStoreError: The file cannot be opened for writing, and waiting will not help.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        observers: Observers | None = None,
        busy_timeout: float = 5.0,
        clock: Callable[[], float] = time.time,
        witness: str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__(observers=observers, clock=clock)
        if not 0 <= busy_timeout <= MAX_BUSY_TIMEOUT:
            raise ValueError(f"busy_timeout must be from 0 to {MAX_BUSY_TIMEOUT:g} seconds, not {busy_timeout!r:.80}")
        self.path = Path(path)
        self._busy_timeout = busy_timeout
        self._writing = ForkSafeLock()  # guards the file's writer; taken before _lock, which guards its reader
        self._closed = False
        absolute = self.path.absolute()
        self._witness = Witness(witness_path(absolute, os.environ) if witness is None else Path(witness).absolute())
        self._file = ActivityFile(absolute, self._witness, busy_timeout=busy_timeout, clock=clock)
        self._suspicion: Suspicion | None = None
        self._next_try = 0.0
        self._reports = Reports(self.path, self.observers, self._witness, busy_timeout=busy_timeout)
        renew_after_fork(self._renew_in_child)
        weakref.finalize(self, self._file.close)
        self._start()

    @property
    def witness_path(self) -> Path | None:
        """Where the witness is; None: there is no place for one."""
        return self._witness.path

    @property
    def suspicion(self) -> Suspicion | None:
        """Why the state is not known for certain, None where it is."""
        self._known()
        return self._suspicion

    def states(self) -> Iterator[State]:
        """Yield the counts of the usual domains and of every other one that has any activity, and the store's state.

        Never waits for a write or a repair; what cannot be read at once is answered from what was last known.
        """
        lock = self._lock.held
        if lock.acquire(blocking=False):
            try:
                with suppress(sqlite3.Error, FileDamagedError):  # the next read or write reports or repairs it
                    self._load()
            finally:
                lock.release()
        yield from super().states()
        yield ActivityStoreState(
            suspect=self._suspicion is not None,
            unwritable=not (self._file.is_open or self._closed),
            unwitnessed=self._witness.error is not None,
        )

    def recover(self, account: Account) -> None:
        """End the suspicion by keeping what the *account* of the database or the witness says.

        What was changed since it began stays as it is. Transitions are reported, and then the recovery. Raises
        ActivityStoreError where nothing is suspect, or there is no such account.
        """
        kept = self._repairing(lambda: self._recover_once(account))
        self._changes.hand_on(self.observers.notify)
        self.observers.notify(ActivityStateRecovered(account=account, held=len(held(kept.rows))))

    def close(self) -> None:
        """Close the file; reads then answer what was last known, writes raise. Idempotent."""
        with self._writing.held, self._lock.held:
            self._closed = True
            self._file.close()

    def _start(self) -> None:
        self._reports.place()
        try:
            with self._writing.held, self._lock.held:
                renewal = self._renew(None, wait=0.0)
        except _BROKEN as error:
            self._file.close()
            if not passes(error):
                raise self._reports.unusable(error) from error
            self._rows = self._file.glimpse()
            self._reports.unopened(error)
        else:
            self._reports.renewed(renewal)

    def _known(self) -> Rows:
        lock = self._lock.held
        if not lock.acquire(timeout=READ_WAIT):
            return self._rows
        try:
            self._load()
        except FileDamagedError as error:
            damage = error
        except sqlite3.Error as error:
            self.observers.hook_failed(SINK, error)
            return self._rows
        else:
            return self._rows
        finally:
            lock.release()
        self._repair_at_once(damage)
        return self._rows

    def _load(self) -> None:
        if not self._closed and (found := self._file.read()) is not None:
            self._take(found)

    def _take(self, kept: Kept) -> None:
        self._rows = {name: self._dated(row, self._rows.get(name, Row())) for name, row in kept.rows.items()}
        self._records = kept.records
        self._suspicion = kept.suspicion

    def _dated(self, row: Row, known: Row) -> Row:
        if row.paused and row.paused_at is None:  # written by a program that does not know the column
            return row._replace(paused_at=known.paused_at or self._clock())
        return row

    def _write(self, domain: str, key: str, decide: Callable[[Row], Row]) -> Row:
        return self._repairing(lambda: self._write_once(domain, key, decide))

    def _write_once(self, domain: str, key: str, decide: Callable[[Row], Row]) -> Row:
        with self._writing.held:
            self._require_open()
            before, after = self._file.update(domain, key, decide)
            with self._lock.held:  # what was written is known at once, even if the file cannot be read
                self._remember(domain, key, before, after)
                self._file.reread()
        self._reports.witness()
        return after

    def _write_record(self, name: tuple[str, str], decide: Callable[[bytes | None], bytes | None]) -> bytes | None:
        return self._repairing(lambda: self._write_record_once(name, decide))

    def _write_record_once(self, name: tuple[str, str], decide: Callable[[bytes | None], bytes | None]) -> bytes | None:
        with self._writing.held:
            self._require_open()
            after = self._file.update_record(name, decide)
            with self._lock.held:  # known at once, even if the file cannot be read
                self._records = with_record(self._records, name, after)
                self._file.reread()
        self._reports.witness()
        return after

    def _read_document(self, name: tuple[str, str]) -> bytes | None:
        def read() -> bytes | None:
            with self._lock.held:
                self._require_open()
                return self._file.read_document(name)

        return self._repairing(read)

    def _write_document(self, name: tuple[str, str], value: bytes | None) -> None:
        def write() -> None:
            with self._writing.held:
                self._require_open()
                self._file.write_document(name, value)

        self._repairing(write)

    def _recover_once(self, account: Account) -> Kept:
        with self._writing.held:
            self._require_open()
            before, kept = self._file.recover(account)
            with self._lock.held:
                for name in dict.fromkeys((*before, *kept.rows)):
                    self._changes.put(transitions(*name, before.get(name, Row()), kept.rows.get(name, Row())))
                self._take(kept)
                self._file.reread()
        self._reports.witness()
        return kept

    def _repairing(self, write: Callable[[], T]) -> T:
        """Return what *write* does, after a repair if need be: another process may make one necessary, too."""
        try:
            for _ in range(_REPAIRS):
                try:
                    return write()
                except FileDamagedError as damage:
                    self._repair(damage, wait=self._busy_timeout)
            return write()
        except NothingToDecideError as error:
            raise ActivityStoreError(f"{self.path}: {error}") from error
        except _BROKEN as error:
            raise self._reports.unusable(error) from error

    def _repair_at_once(self, damage: FileDamagedError) -> None:
        """Repair if that needs no waiting: a read must not hold up its thread, which may be that of an event loop."""
        now = time.monotonic()
        if now < self._next_try or not self._writing.held.acquire(blocking=False):
            return
        try:
            self._repair(damage, wait=0.0)
        except _BROKEN as error:
            self._next_try = now + RETRY_SECONDS
            if not self._file.is_open:
                self._rows = self._file.glimpse() or self._rows
            self._reports.unopened(error)
        finally:
            self._writing.held.release()

    def _repair(self, damage: FileDamagedError, *, wait: float) -> None:
        with self._writing.held, self._lock.held:
            if self._closed or damage.opening != self._file.openings:
                return  # somebody was quicker
            renewal = self._renew(damage, wait=wait)
        if damage.reported:
            self.observers.hook_failed(SINK, damage)
        self._reports.renewed(renewal._replace(damage=""))

    def _renew(self, damage: FileDamagedError | None, *, wait: float) -> Renewal:
        renewal = self._file.renew(damage.reason if damage else None, wait=wait)
        self._take(renewal.kept)
        self._reports.opened()
        return renewal

    def _require_open(self) -> None:
        if self._closed:
            raise ActivityStoreError(f"{self.path}: the activity store is closed")

    def _renew_in_child(self) -> None:
        self._file.abandon()
