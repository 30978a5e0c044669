"""The file that keeps pauses and drains: SQLite in WAL mode, written by several processes."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from oneiric.core.activity import kept as accounts
from oneiric.core.activity import places, table
from oneiric.core.activity.connections import READ_WAIT, Connections
from oneiric.core.activity.inspection import NOTHING, copied, glimpse, inspect
from oneiric.core.activity.kept import Kept, contradiction, merged, new_identity, newer
from oneiric.core.activity.table import sqlite_code
from oneiric.core.files import make_private_directory, sync_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from oneiric.core.activity.kept import Account, Suspicion
    from oneiric.core.activity.memory import Row, Rows
    from oneiric.core.activity.witness import Witness
    from oneiric.core.events import SuspectReason


class FileDamagedError(Exception):
    """The file is not what it was, or was not opened; it must be opened anew, unless that was done since."""

    def __init__(self, text: str, *, reason: SuspectReason | None, opening: int = 0, reported: bool = True) -> None:
        super().__init__(text)
        self.reason: SuspectReason | None = reason
        self.opening = opening
        self.reported = reported


class Renewal(NamedTuple):
    """What opening the file brought: all that it holds, what was damaged (or ""), and what is suspect since then."""

    kept: Kept
    damage: str
    suspicion: Suspicion | None


class ActivityFile:
    """The file at *path*; the owner serialises reads, and changes. *witness* is written after every change.

    Methods raise sqlite3.Error, OSError, or FileDamagedError where :meth:`renew` is the answer.

    Attributes:
        openings: How often the file was opened.
    """

    def __init__(self, path: Path, witness: Witness, *, busy_timeout: float, clock: Callable[[], float]) -> None:
        self._path = path
        self._witness = witness
        self._clock = clock
        self._busy_timeout = busy_timeout
        self._connections = Connections(path)
        self._known: Kept | None = None
        self._version: int | None = None
        self._verified = 0
        self._is_lost = False
        self.openings = 0

    @property
    def is_open(self) -> bool:
        """Whether it was opened, and not closed since."""
        return self._connections.writer is not None

    def renew(self, reason: SuspectReason | None = None, *, wait: float) -> Renewal:
        """Open the file, waiting *wait* seconds for others; *reason* is what was found wrong with the one that is open.

        One that cannot follow what was known is moved aside. The new one holds what was known, and beside it what the
        old one held.
        """
        make_private_directory(self._path.parent)
        if self._path.exists() and not self._path.is_file():
            raise places.NotAFileError("is a directory or a device")
        with places.directory_locked(self._path.parent, wait):
            renewal = self._renew_lost(wait) if self._is_lost else self._renew(reason, wait)
        self.openings += 1
        return renewal

    def glimpse(self) -> Rows:
        """Return what is known while the file cannot be opened to write: what it holds, and what the witness says."""
        before = self._reference()
        found = glimpse(self._path)
        if found is None or before is None:
            return (found or before or NOTHING).rows
        return merged(before.rows, found.rows) if contradiction(found, before) else found.rows

    def read(self) -> Kept | None:
        """Return all that is kept; None if nothing has changed since the last time."""
        with self._damage_told():
            reader = self._present(self._connections.reader)
            (version,) = reader.execute("PRAGMA data_version").fetchone()
            if version == self._version:
                return None
            before = self._reference()
            kept = self._checked(table.load(reader), before)
            self._version = version
            self._known = kept
            return kept

    def reread(self) -> None:
        """Have the next :meth:`read` return what is kept in any case."""
        self._version = None

    def update(self, domain: str, key: str, decide: Callable[[Row], Row]) -> tuple[Row, Row]:
        """Replace the row with what *decide* makes of it, in one transaction; return it before and after."""
        name = domain, key
        with self._changing() as (writer, found, written):
            before, after, kept = accounts.updated(found, name, decide)
            if kept is not None:
                table.put(writer, kept, name)
                written.append(kept)
        return before, after

    def update_record(self, name: tuple[str, str], decide: Callable[[bytes | None], bytes | None]) -> bytes | None:
        """Replace the record called *name* with what *decide* makes of it, in one transaction, and return that."""
        with self._changing() as (writer, found, written):
            after, kept = accounts.updated_record(found, name, decide)
            if kept is not None:
                table.put_record(writer, kept, name)
                written.append(kept)
        return after

    def recover(self, account: Account) -> tuple[Rows, Kept]:
        """End the suspicion: keep what *account* says, but for what was changed since; return what was and is kept."""
        with self._changing() as (writer, found, written):
            kept = accounts.recovered(found, account)
            table.replace(writer, kept)
            written.append(kept)
        return found.rows, kept

    def read_document(self, name: tuple[str, str]) -> bytes | None:
        """Return the document called *name*, None where there is none."""
        with self._damage_told():
            return table.document(self._present(self._connections.reader), name)

    def write_document(self, name: tuple[str, str], value: bytes | None) -> None:
        """Write the document called *name*, or delete it for None."""
        with self._changing() as (writer, _found, _written):
            table.put_document(writer, name, value)

    @contextmanager
    def _changing(self) -> Iterator[tuple[sqlite3.Connection, Kept, list[Kept]]]:
        """Yield, in one transaction, a connection, all that is kept, and a list for what is kept once it is over."""
        written: list[Kept] = []
        with self._damage_told():
            writer = self._present(self._connections.writer)
            reference = self._reference()
            with table.transaction(writer, self._busy_timeout):
                yield writer, self._checked(table.load(writer), reference), written
            for kept in written:
                self._written(kept)

    def close(self) -> None:
        """Close the connections; idempotent."""
        self._connections.close()
        self._version = None

    def abandon(self) -> None:
        """Leave the connections to the process that this one was forked from."""
        self._connections.abandon()
        self._version = None

    def _renew(self, reason: SuspectReason | None, wait: float) -> Renewal:
        before = self._reference()
        found, wrong = inspect(self._path, before, wait=wait)
        if self._connections.identity is not None and self._connections.identity == places.identity_of_path(self._path):
            wrong = wrong or reason  # of another file by now, that says nothing
        if wrong is None:
            self.close()
            return Renewal(self._open(None, wait), "", None)
        fresh, suspicion = accounts.repaired(found, before, wrong, now=self._clock())
        aside = places.move_aside(self._path, "quarantine")
        if suspicion is not None and aside is not None:
            suspicion = replace(suspicion, quarantine=aside.name)
            fresh = replace(fresh, suspicion=suspicion)
        self.close()
        kept = self._open(fresh, wait)
        text = f"{self._path}: {wrong}; moved to {aside.name} and written anew" if aside else ""
        return Renewal(kept, text, suspicion)

    def _renew_lost(self, wait: float) -> Renewal:
        """Replace a file whose descriptors were lost by a new one: what SQLite believes of its locks is untrue now."""
        found = copied(self._path, wait=wait) or self._reference() or NOTHING
        aside = places.move_aside(self._path, "lost")
        self.close()
        fresh = replace(found, identity=found.identity or new_identity(), generation=found.generation + 1)
        kept = self._open(fresh, wait)
        if aside is not None:
            places.remove(aside)
        self._is_lost = False
        return Renewal(kept, "", None)

    def _open(self, fresh: Kept | None, wait: float) -> Kept:
        places.make_private(self._path)
        kept = self._connections.open(fresh, now=self._clock(), wait=wait)
        places.make_private(self._path)
        sync_directory(self._path.parent)
        seen = places.look(self._path)
        self._verified = 0 if seen is None else seen.changed
        self._known = kept
        if kept.generation:
            self._witness.write(kept)
        return kept

    def _reference(self) -> Kept | None:
        """Return what the file must follow: what this process knows, or the witness says, whichever is newer.

        To be asked before the file is read: what is written meanwhile comes after it.
        """
        return newer(self._known, self._witness.read())

    def _checked(self, found: Kept, before: Kept | None) -> Kept:
        if before is not None and (reason := contradiction(found, before)) is not None:
            raise self._damaged(_WORDS[reason], reason)
        return found

    def _written(self, kept: Kept) -> None:
        seen = places.look(self._path)
        if seen is None or seen.identity != self._connections.identity:
            raise self._damaged("was moved while it was written to", "replaced")
        self._known = kept
        self._witness.write(kept)

    def _present(self, connection: sqlite3.Connection | None) -> sqlite3.Connection:
        if connection is None:
            raise FileDamagedError("is not open", reason=None, opening=self.openings, reported=False)
        seen = places.look(self._path)
        if seen is None or seen.identity != self._connections.identity:
            raise self._damaged(*(("was removed while in use", "removed") if seen is None else _REPLACED))
        if seen.size < places.MIN_BYTES:
            raise self._damaged("was emptied while in use", "emptied" if seen.size == 0 else "damaged")
        if not self._connections.holds_descriptors():
            self._is_lost = True
            raise self._damaged("other code of this process closed its descriptors; written anew", None)
        if seen.changed != self._verified and self._verify():
            self._verified = seen.changed
        return connection

    def _verify(self) -> bool:
        """Read the file as it is now, past what the connections remember of it: somebody wrote to it.

        Return False where a lock is in the way.
        """
        try:
            finding = inspect(self._path, self._reference(), wait=READ_WAIT)
        except sqlite3.OperationalError as error:
            if sqlite_code(error) in table.LOCK_CODES:
                return False
            raise
        if finding.reason is not None:
            raise self._damaged(f"was written over while in use: {_WORDS[finding.reason]}", finding.reason)
        return True

    def _damaged(self, what: str, reason: SuspectReason | None) -> FileDamagedError:
        return FileDamagedError(f"{self._path}: {what}", reason=reason, opening=self.openings)

    @contextmanager
    def _damage_told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            if sqlite_code(error) in table.DAMAGE_CODES or self._has_lost_table(error):
                reason: SuspectReason = "damaged" if sqlite_code(error) in table.DAMAGE_CODES else "rows_lost"
                raise self._damaged(str(error), reason) from error
            raise

    def _has_lost_table(self, error: sqlite3.DatabaseError) -> bool:
        """Whether the table, there when the file was opened, is gone; another table in its place is no damage."""
        reader = self._connections.reader
        if sqlite_code(error) != sqlite3.SQLITE_ERROR or reader is None:
            return False
        with suppress(sqlite3.Error):
            return not table.has_table(reader)
        return False


_REPLACED: tuple[str, SuspectReason] = ("was replaced while in use", "replaced")
_WORDS: dict[SuspectReason, str] = {
    "damaged": "is damaged",
    "removed": "is gone",
    "emptied": "is empty",
    "replaced": "is not the file that it was",
    "restored": "is an older copy of what it was",
    "rows_lost": "has lost pauses or drains that nobody ended",
}
