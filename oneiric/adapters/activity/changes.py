"""Transactions that change what is kept, on the connections of a pool."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, NamedTuple

from psycopg_pool import ConnectionPool, PoolTimeout

from oneiric.adapters.activity.connecting import in_time
from oneiric.core.activity import ActivityStoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    import psycopg

    from oneiric.adapters.activity.connecting import Server
    from oneiric.core.activity import Kept, Rows

_BOUNDS = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")


class Change(NamedTuple):
    """Rows before and after a change, and all that is to be kept then; None where nothing changes."""

    before: Rows
    after: Rows
    kept: Kept | None


class NoConnectionError(ActivityStoreError):
    """No connection was to be had in time."""


class Changes:
    """A pool of *size* connections to *server*, none of which waits for longer than its timeout."""

    def __init__(self, server: Server, *, size: int) -> None:
        self._server = server
        self._size = size
        self._pool = ConnectionPool(
            kwargs=server.parameters,
            min_size=0,
            max_size=size,
            open=True,
            check=self._check,
            timeout=server.timeout,
            reconnect_timeout=server.timeout,
            num_workers=1,
            name="oneiric-activity",
        )

    @contextmanager
    def transaction(self, lock: AbstractContextManager[object]) -> Iterator[tuple[psycopg.Connection, ExitStack]]:
        """Yield a connection within a transaction, and a stack whose callbacks are called once that is committed.

        It is committed, and they are called, with *lock* held. What the server takes too long for is given up, by the
        server as well: a process that is stopped within a transaction does not hold up the others for longer.
        """
        committed = ExitStack()
        with self._connection() as connection, ExitStack() as locked:
            with in_time(connection, self._server.timeout), connection.transaction():
                bound = str(int(self._server.timeout * 1000))
                for name in _BOUNDS:
                    connection.execute("SELECT set_config(%s, %s, true)", (name, bound))
                yield connection, committed
                locked.enter_context(lock)
            committed.close()

    def close(self) -> None:
        """Close all connections; idempotent."""
        self._pool.close(self._server.timeout)

    @contextmanager
    def _connection(self) -> Iterator[psycopg.Connection]:
        try:
            connection = self._pool.getconn()
        except PoolTimeout:
            raise NoConnectionError(
                f"no connection within {self._server.timeout:g} s: the server does not answer, or all {self._size} "
                "connections of activity.pool_size are in use; try again"
            ) from None
        try:
            yield connection
        finally:
            self._pool.putconn(connection)

    def _check(self, connection: psycopg.Connection) -> None:
        """Raise where the connection was lost while nobody used it."""
        with in_time(connection, self._server.timeout):
            connection.execute("SELECT 1")
