"""Which components are paused or draining: kept in PostgreSQL, for all replicas of a service."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, TypeAlias

import psycopg

from oneiric.adapters.activity.advice import LastingError, unusable
from oneiric.adapters.activity.changes import Change, Changes, NoConnectionError
from oneiric.adapters.activity.connecting import in_time
from oneiric.adapters.activity.listening import Listener
from oneiric.adapters.activity.repairs import locked_and_repaired, wrong
from oneiric.adapters.activity.tables import Revision, Tables
from oneiric.core.activity import (
    ActivityStoreError,
    DomainActivity,
    Kept,
    MemoryActivityStore,
    NothingToDecideError,
    Row,
    Rows,
    Witness,
    held,
    newer,
    recovered,
    transitions,
    updated,
    updated_record,
)
from oneiric.core.concurrency import renew_after_fork
from oneiric.core.events import ActivityRevision, ActivityStateRecovered, ActivityStateSuspect, ActivityStoreState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import ExitStack
    from pathlib import Path

    from oneiric.adapters.activity.connecting import Server
    from oneiric.core.activity import Account, Suspicion
    from oneiric.core.events import State
    from oneiric.core.observers import Observers

WhenUnreachable: TypeAlias = Literal["keep", "refuse"]
"""What becomes of work while the server cannot be reached: what was known last decides, or all of it is held back."""

_SINK = "activity_store"
_ROUND_TRIPS = 3
"""Answers of the server that the first attempt to read everything may need at the most."""
_HELD_BACK = "held back: it is not known what is paused, as the database of pauses cannot be reached"
_abandoned: list[object] = []  # what belongs to the process that this one was forked from; never closed here


class PostgresActivityStore(MemoryActivityStore):
    """The activity of every component, in a PostgreSQL database that all replicas of a service use.

    Thread-safe. Reads answer from memory what was last read, and never wait: a thread of its own is told of every
    change and reads it at once. A change is one transaction, durable when it returns; it waits *server.timeout*
    seconds at most for a connection, and as long for answers, and raises ActivityStoreError where it cannot be made.
    While the server cannot be reached, what was last known stays in force, over a restart too where there is a
    *witness*. Where nothing is known, or *when_unreachable* is ``refuse``, all work is held back meanwhile.

    A database that cannot be what it was (replaced, restored from an older copy, rows gone) makes the state suspect:
    all that was known stays in force until :meth:`recover`.

    Making one waits until everything was read, or the first attempt failed. A forked child makes connections of its
    own.

    Args:
        server: Where the database is.
        observers: Notified of transitions, of what is suspect, and of a server that is lost.
        clock: Seconds since the epoch.
        witness: A file on this machine that remembers what was last known; None: nothing does.
        when_unreachable: Whether what was known decides while the server cannot be reached.
        poll_interval: Seconds after which the server is asked for changes where it told of none.
        pool_size: Connections for changes, at most.

    Raises:
        ActivityStoreError: The database cannot be used, and waiting will not help.
    """

    def __init__(  # noqa: PLR0913 - the settings, one by one
        self,
        server: Server,
        *,
        observers: Observers | None = None,
        clock: Callable[[], float] = time.time,
        witness: Path | None = None,
        when_unreachable: WhenUnreachable = "keep",
        poll_interval: float = 5.0,
        pool_size: int = 4,
    ) -> None:
        super().__init__(observers=observers, clock=clock)
        self._server = server
        self._tables = Tables(server.schema, server.channel)
        self._witness = Witness(witness)
        self._when_unreachable = when_unreachable
        self._poll_interval = poll_interval
        self._pool_size = pool_size
        self._closed = False
        self._is_forked = False
        self._kept: Kept | None = None
        if (remembered := self._witness.read()) is not None:
            self._take(remembered)
        self._open()
        renew_after_fork(self._renew_in_child)
        self._listener.settled.wait(server.timeout * _ROUND_TRIPS)
        if isinstance(problem := self._listener.problem, LastingError):
            self.close()
            raise problem

    @property
    def refuses(self) -> bool:
        """Whether all work is held back: nothing is known, or the server cannot be reached and that is to do so."""
        return self._kept is None or (self._when_unreachable == "refuse" and not self._listener.connected)

    @property
    def problem(self) -> str | None:
        """Why what is kept cannot be read at the moment, and only what was last known is; None where it can."""
        problem = self._listener.problem
        return None if problem is None else str(problem)

    @property
    def suspicion(self) -> Suspicion | None:
        """Why the state is not known for certain, None where it is."""
        self._revive()
        return None if self._kept is None else self._kept.suspicion

    @property
    def revision(self) -> Revision:
        """What is known, in short."""
        return Revision.of(self._kept)

    def get(self, domain: str, key: str) -> DomainActivity:
        """Return the activity of a component; a paused one, with the reason as its note, while all work is refused."""
        if self.refuses:
            self._revive()
            return DomainActivity(paused=True, note=_HELD_BACK)
        return super().get(domain, key)

    def recover(self, account: Account) -> None:
        """End the suspicion by keeping what the *account* of the database or the witness says.

        What was changed since it began stays as it is. Transitions are reported, and then the recovery. Raises
        ActivityStoreError where nothing is suspect, or there is no such account.
        """

        def decide(found: Kept) -> Change:
            kept = recovered(found, account)
            return Change(found.rows, kept.rows, kept)

        made = self._changed(decide, self._tables.replace)
        self._changes.hand_on(self.observers.notify)
        self.observers.notify(ActivityStateRecovered(account=account, held=len(held(made.after))))

    def states(self) -> Iterator[State]:
        """Yield the counts of the usual domains and of every other one that has any activity, and the store's state."""
        self._revive()
        yield from super().states()
        yield ActivityStoreState(
            suspect=self._kept is not None and self._kept.suspicion is not None,
            unwritable=not (self._listener.connected or self._closed),
            unwitnessed=self._witness.path is None or self._witness.error is not None,
        )
        yield ActivityRevision(revision=self.revision.generation)

    def close(self) -> None:
        """Close all connections; reads then answer what was last known, changes raise. Idempotent."""
        self._closed = True
        self._listener.close()
        self._writing.close()

    def read(self, connection: psycopg.Connection) -> None:
        """Read all that is kept with *connection*, and repair what cannot be what it was."""
        before = self._reference()  # what is changed meanwhile comes after it
        suspicion = None
        with in_time(connection, self._server.timeout):
            found = self._tables.snapshot(connection)
            if wrong(found, before) is not None:
                with connection.transaction():
                    found, suspicion = locked_and_repaired(connection, self._tables, before, now=self._clock())
        with self._lock.held:
            self._take(found)
        self._witnessed(found)
        self._report(found, suspicion)

    def lost(self, problem: ActivityStoreError) -> None:
        """Report why nothing can be read at the moment."""
        self.observers.hook_failed(_SINK, problem)

    def _known(self) -> Rows:
        self._revive()
        return self._rows

    def _write(self, domain: str, key: str, decide: Callable[[Row], Row]) -> Row:
        name = domain, key

        def change(found: Kept) -> Change:
            before, after, kept = updated(found, name, decide)
            return Change({name: before}, {name: after}, kept)

        made = self._changed(change, lambda connection, kept: self._tables.put(connection, kept, name))
        return made.after[name]

    def _write_record(self, name: tuple[str, str], decide: Callable[[bytes | None], bytes | None]) -> bytes | None:
        after: list[bytes | None] = []

        def change(found: Kept) -> Change:
            value, kept = updated_record(found, name, decide)
            after.append(value)
            return Change({}, {}, kept)

        self._changed(change, lambda connection, kept: self._tables.put_record(connection, kept, name))
        return after[-1]

    def _read_document(self, name: tuple[str, str]) -> bytes | None:
        with self._transaction() as (connection, _):
            return self._tables.document(connection, name)

    def _write_document(self, name: tuple[str, str], value: bytes | None) -> None:
        with self._transaction() as (connection, _):
            self._tables.put_document(connection, name, value)

    @contextmanager
    def _transaction(self) -> Iterator[tuple[psycopg.Connection, ExitStack]]:
        """Yield a connection within a transaction, and what is done once that is committed; say what goes wrong."""
        if self._closed:
            raise ActivityStoreError(f"activity.url: {self._server.place}: the activity store is closed")
        self._revive()
        try:
            with self._writing.transaction(self._lock.held) as yielded:
                yield yielded
        except NoConnectionError as error:
            problem = self._listener.problem  # knows why, where nothing can connect
            raise unusable(error, self._server) if problem is None else ActivityStoreError(str(problem)) from error
        except (psycopg.Error, OSError, ActivityStoreError, NothingToDecideError) as error:
            raise unusable(error, self._server) from error

    def _changed(self, decide: Callable[[Kept], Change], write: Callable[[psycopg.Connection, Kept], None]) -> Change:
        """Have *decide* make a change and *write* it, in one transaction, and return what it changed."""
        before = self._reference()
        with self._transaction() as (connection, committed):
            found, suspicion = locked_and_repaired(connection, self._tables, before, now=self._clock())
            made = decide(found)
            if made.kept is not None:
                write(connection, made.kept)
            committed.callback(self._made, made, found)
        self._witnessed(made.kept or found)
        self._report(found, suspicion)
        return made

    def _made(self, made: Change, found: Kept) -> None:
        """Take over what was committed; with the lock held, so that transitions are reported in their order."""
        names = dict.fromkeys((*made.before, *made.after))
        for name in names:
            self._changes.put(transitions(*name, made.before.get(name, Row()), made.after.get(name, Row())))
        self._take(made.kept or found)

    def _take(self, kept: Kept) -> None:
        known = self._kept
        if known is None or known.identity != kept.identity or known.generation <= kept.generation:
            self._kept, self._rows, self._records = kept, kept.rows, kept.records

    def _reference(self) -> Kept | None:
        """Return what the database must follow: what this process knows, or the witness, whichever is newer."""
        return newer(self._kept, self._witness.read())

    def _report(self, kept: Kept, suspicion: Suspicion | None) -> None:
        if suspicion is not None:
            in_force = len(held(kept.rows))
            self.observers.notify(ActivityStateSuspect(reason=suspicion.reason, quarantine="", held=in_force))

    def _witnessed(self, kept: Kept) -> None:
        if self._witness.path is None:
            return
        was_written = self._witness.error is None
        self._witness.write(kept)
        if was_written and self._witness.error is not None:
            problem = ActivityStoreError(f"{self._witness.path}: no second witness: {self._witness.error}")
            self.observers.hook_failed(_SINK, problem)

    def _open(self) -> None:
        self._writing = Changes(self._server, size=self._pool_size)
        self._listener = Listener(self._server, self._tables, self, poll_interval=self._poll_interval)

    def _renew_in_child(self) -> None:
        _abandoned.append((self._writing, self._listener))
        self._is_forked = True

    def _revive(self) -> None:
        """Open connections of this process, if it was forked since those were opened."""
        if self._is_forked and not self._closed:
            with self._lock.held:
                if self._is_forked:
                    self._is_forked = False
                    self._open()
