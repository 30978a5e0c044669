"""The thread that keeps a replica up with what the others change."""

from __future__ import annotations

import random
import threading
from contextlib import ExitStack, closing, suppress
from typing import TYPE_CHECKING, Protocol

from oneiric.adapters.activity.advice import unusable
from oneiric.adapters.activity.connecting import Plug, in_time
from oneiric.adapters.activity.schema import require_usable
from oneiric.core.activity import ActivityStoreError
from oneiric.core.concurrency import start_thread

if TYPE_CHECKING:
    import psycopg

    from oneiric.adapters.activity.connecting import Server
    from oneiric.adapters.activity.tables import Revision, Tables

FIRST_DELAY, LONGEST_DELAY = 0.1, 10.0
"""Seconds from a lost connection to the first attempt at another one, and between attempts at the most."""


class Follower(Protocol):
    """What a listener reads for."""

    @property
    def revision(self) -> Revision:
        """What is known, in short."""

    def read(self, connection: psycopg.Connection) -> None:
        """Read all that is kept."""

    def lost(self, problem: ActivityStoreError) -> None:
        """Learn why nothing can be read at the moment."""


class Listener:
    """Follows a database with one connection that it keeps: listens, reads everything, then waits to be told.

    A server that tells nothing is asked for its revision at intervals. A connection that is lost is made again, at
    growing and random intervals. Thread-safe.

    Args:
        server: Where the database is.
        tables: Its tables.
        follower: Reads them; called in the thread of the listener.
        poll_interval: Seconds after which the revision is asked for where nothing was told.

    Attributes:
        connected: Whether it listens and has read everything.
        problem: Why it does not, or did not until now; None: there was nothing wrong.
        settled: Set once the first attempt ended, whichever way.
    """

    def __init__(self, server: Server, tables: Tables, follower: Follower, *, poll_interval: float) -> None:
        self._server = server
        self._tables = tables
        self._follower = follower
        self._poll_interval = poll_interval
        self._ended = threading.Event()
        self._plug: Plug | None = None
        self._is_proven = False
        self._delay = FIRST_DELAY
        self.connected = False
        self.problem: ActivityStoreError | None = None
        self.settled = threading.Event()
        self._thread = start_thread("oneiric-activity", self._run)

    def close(self) -> None:
        """End the thread; idempotent."""
        self._ended.set()
        if (plug := self._plug) is not None:  # else it ends by itself, at the latest once an attempt to connect does
            plug.pull()
            if self._thread is not threading.current_thread():
                self._thread.join(self._server.timeout)

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                self._follow()
            except Exception as error:  # noqa: BLE001 - whatever it was, the next attempt must come
                problem = unusable(error, self._server)
            else:
                continue
            finally:
                was_connected, self.connected = self.connected, False
            if not self._ended.is_set():
                self._wait_after(problem, was_connected=was_connected)

    def _wait_after(self, problem: ActivityStoreError, *, was_connected: bool) -> None:
        is_new = was_connected or str(problem) != str(self.problem)
        self.problem = problem
        if is_new:
            self._follower.lost(problem)
        self.settled.set()
        self._ended.wait(random.uniform(self._delay / 2, self._delay))  # noqa: S311 - so that replicas do not keep step
        self._delay = min(self._delay * 2, LONGEST_DELAY)

    def _follow(self) -> None:
        with ExitStack() as stack:
            connection = stack.enter_context(closing(self._server.connect()))
            plug = stack.enter_context(closing(Plug(connection)))
            self._plug = plug
            stack.callback(self._unplug)
            if self._ended.is_set():
                return
            with in_time(connection, self._server.timeout):
                require_usable(connection, self._server.schema)
                self._tables.listen(connection)
            if not self._is_proven:
                self._prove(connection)
            self._follower.read(connection)
            self.connected, self.problem, self._delay = True, None, FIRST_DELAY
            self.settled.set()
            while not self._ended.is_set():
                if self._is_told_of_news(connection):
                    self._read_if_changed(connection)

    def _unplug(self) -> None:
        self._plug = None

    def _prove(self, connection: psycopg.Connection) -> None:
        """Have another connection tell this one something: a pooler between may swallow it."""
        with closing(self._server.connect()) as other, in_time(other, self._server.timeout):
            self._tables.tell(other, self._tables.revision(other).generation)
        if not list(connection.notifies(timeout=self._server.timeout, stop_after=1)):
            raise ActivityStoreError(
                "notifications do not arrive; a pooler such as pgbouncer in transaction mode is in between: connect to "
                "the server itself, or to a pool with pool_mode = session"
            )
        self._is_proven = True

    def _is_told_of_news(self, connection: psycopg.Connection) -> bool:
        """Wait until something is told, or for the interval; return False for what is known already."""
        told = list(connection.notifies(timeout=self._poll_interval, stop_after=1))
        with suppress(ValueError):
            return not told or int(told[0].payload) > self._follower.revision.generation
        return True

    def _read_if_changed(self, connection: psycopg.Connection) -> None:
        with in_time(connection, self._server.timeout):
            found = self._tables.revision(connection)
        if found != self._follower.revision:
            self._follower.read(connection)
