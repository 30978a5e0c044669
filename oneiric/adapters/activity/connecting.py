"""Connections to PostgreSQL that never wait for longer than they may."""

from __future__ import annotations

import math
import os
import socket
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from oneiric.core.activity import ActivityStoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHANNEL = "oneiric_activity"
"""Begins the name of the channel on which replicas are told of changes; the schema follows."""

_MIN_CONNECT_SECONDS = 2
_KEEPALIVE_IDLE, _KEEPALIVE_INTERVAL, _KEEPALIVE_COUNT = 10, 5, 3


class NoAnswerError(psycopg.OperationalError):
    """The server did not answer in time."""


@dataclass(frozen=True)
class Server:
    """Where the database is, and how long any answer of it may take.

    Attributes:
        url: A connection string of PostgreSQL; ActivityStoreError for what is none.
        schema: The schema that holds the tables of one service.
        password_file: A file with the password, read for each connection; None: the one of the URL or of libpq.
        timeout: Seconds that an answer may take.
    """

    url: str = field(repr=False)
    schema: str = "oneiric"
    password_file: Path | None = None
    timeout: float = 5.0

    def __post_init__(self) -> None:
        try:
            conninfo_to_dict(self.url)
        except psycopg.ProgrammingError:
            raise ActivityStoreError(  # its text quotes the string, maybe with a password
                "activity.url: is not a connection string of PostgreSQL; set one such as postgresql://user@host/database"
            ) from None

    @property
    def channel(self) -> str:
        """The channel on which replicas are told of changes."""
        return f"{CHANNEL}_{self.schema}"

    @property
    def place(self) -> str:
        """Where it is, fit to be seen: host and database."""
        given = conninfo_to_dict(self.url)
        host = given.get("host") or os.environ.get("PGHOST") or "the local socket"
        database = given.get("dbname") or os.environ.get("PGDATABASE") or given.get("user") or "the user's"
        return f"database {database} at {host}"

    def parameters(self) -> dict[str, Any]:
        """Return the parameters of a connection; OSError where the file with the password cannot be read."""
        milliseconds = math.ceil(self.timeout * 1000)
        parameters: dict[str, Any] = {
            "application_name": "oneiric",
            "connect_timeout": max(_MIN_CONNECT_SECONDS, math.ceil(self.timeout)),
            "keepalives_idle": _KEEPALIVE_IDLE,
            "keepalives_interval": _KEEPALIVE_INTERVAL,
            "keepalives_count": _KEEPALIVE_COUNT,
            "tcp_user_timeout": milliseconds,
            "target_session_attrs": "read-write",
            **conninfo_to_dict(self.url),
        }
        if self.password_file is not None:
            parameters["password"] = self.password_file.read_text(encoding="utf-8").strip()
        return parameters | {"autocommit": True, "prepare_threshold": None}

    def connect(self) -> psycopg.Connection:
        """Return a new connection."""
        return psycopg.connect(**self.parameters())


class Plug:
    """Cuts *connection* from any thread, so that whoever waits for its server waits no longer; see :meth:`close`."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._socket = socket.socket(fileno=os.dup(connection.fileno()))  # stays itself when the connection closes
        self.pulled = False

    def pull(self) -> None:
        """Cut the connection; idempotent."""
        self.pulled = True
        with suppress(OSError):  # it is cut, or was closed
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Leave the connection as it is; idempotent."""
        self._socket.close()


@contextmanager
def in_time(connection: psycopg.Connection, seconds: float) -> Iterator[None]:
    """Cut *connection* where what is done within takes longer than *seconds*, and raise NoAnswerError then."""
    plug = Plug(connection)
    timer = threading.Timer(seconds, plug.pull)
    timer.daemon = True
    timer.start()
    try:
        yield
    except psycopg.OperationalError as error:
        if plug.pulled:
            raise NoAnswerError(f"no answer within {seconds:g} s") from error
        raise
    finally:
        timer.cancel()
        timer.join()  # it cuts nothing that comes later
        plug.close()
