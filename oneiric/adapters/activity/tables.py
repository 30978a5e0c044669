"""What is kept, as it is read from and written to PostgreSQL; within a transaction."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, LiteralString, NamedTuple

from psycopg import sql

from oneiric.core.activity import Kept, make_records, make_rows, suspicion_as_json, suspicion_from_json

if TYPE_CHECKING:
    import psycopg

_SELECT = "SELECT domain, key, paused, draining, note, paused_at FROM {schema}.activity"
_UPSERT = (
    "INSERT INTO {schema}.activity (domain, key, paused, draining, note, paused_at) VALUES (%s, %s, %s, %s, %s, %s) "
    "ON CONFLICT (domain, key) DO UPDATE SET paused = excluded.paused, draining = excluded.draining, "
    "note = excluded.note, paused_at = excluded.paused_at"
)
_STATE = (
    "INSERT INTO {schema}.state VALUES (1, %s, %s, %s) ON CONFLICT (id) DO UPDATE SET identity = excluded.identity, "
    "generation = excluded.generation, suspicion = excluded.suspicion"
)

_UPSERT_RECORD = "INSERT INTO {schema}.records VALUES (%s, %s, %s) ON CONFLICT (kind, name) DO UPDATE SET value = %s"
_UPSERT_DOCUMENT = _UPSERT_RECORD.replace(".records", ".documents")
_REVISION = """SELECT identity, generation, (SELECT count(*) FROM {schema}.activity) +
    (SELECT count(*) FROM {schema}.records) FROM {schema}.state"""


class Revision(NamedTuple):
    """What tells one state of a store from another: its name, how many changes were made, how many rows and records."""

    identity: str
    generation: int
    rows: int

    @classmethod
    def of(cls, kept: Kept | None) -> Revision:
        """Return that of *kept*."""
        if kept is None:
            return cls("", 0, 0)
        return cls(kept.identity, kept.generation, len(kept.rows) + len(kept.records))


class Tables:
    """The tables in *schema*, whose changes are told on *channel*."""

    def __init__(self, schema: str, channel: str) -> None:
        self._schema = schema
        self._channel = channel

    def revision(self, connection: psycopg.Connection) -> Revision:
        """Return which store it is, how many changes were made to it, and of how many components something is kept."""
        found = connection.execute(self._sql(_REVISION)).fetchone()
        return Revision("", 0, 0) if found is None else Revision(str(found[0]), int(found[1]), int(found[2]))

    def snapshot(self, connection: psycopg.Connection) -> Kept:
        """Return all that is kept, as it is at one instant, in a transaction of its own."""
        with connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            return self._load(connection, "SELECT identity, generation, suspicion FROM {schema}.state")

    def locked(self, connection: psycopg.Connection) -> Kept:
        """Return all that is kept, which nobody else can change before the transaction ends."""
        return self._load(connection, "SELECT identity, generation, suspicion FROM {schema}.state FOR UPDATE")

    def put(self, connection: psycopg.Connection, kept: Kept, name: tuple[str, str]) -> None:
        """Write the row *name* of *kept*, or delete it if that has none, and the new generation; tell of it."""
        if (row := kept.rows.get(name)) is None:
            connection.execute(self._sql("DELETE FROM {schema}.activity WHERE domain = %s AND key = %s"), name)
        else:
            connection.execute(self._sql(_UPSERT), (*name, *row))
        self._advance(connection, kept)

    def put_record(self, connection: psycopg.Connection, kept: Kept, name: tuple[str, str]) -> None:
        """Write the record *name* of *kept*, or delete it if there is none, and the new generation; tell of it."""
        if (value := kept.records.get(name)) is None:
            connection.execute(self._sql("DELETE FROM {schema}.records WHERE kind = %s AND name = %s"), name)
        else:
            connection.execute(self._sql(_UPSERT_RECORD), (*name, value, value))
        self._advance(connection, kept)

    def document(self, connection: psycopg.Connection, name: tuple[str, str]) -> bytes | None:
        """Return the document called *name*, None where there is none."""
        query = self._sql("SELECT value FROM {schema}.documents WHERE kind = %s AND name = %s")
        found = connection.execute(query, name, binary=True).fetchone()
        return None if found is None else bytes(found[0])

    def put_document(self, connection: psycopg.Connection, name: tuple[str, str], value: bytes | None) -> None:
        """Write the document called *name*, or delete it for None."""
        if value is None:
            connection.execute(self._sql("DELETE FROM {schema}.documents WHERE kind = %s AND name = %s"), name)
        else:
            connection.execute(self._sql(_UPSERT_DOCUMENT), (*name, value, value))

    def replace(self, connection: psycopg.Connection, kept: Kept) -> None:
        """Replace all that is kept, and tell of it."""
        connection.execute(self._sql("DELETE FROM {schema}.activity"))
        with connection.cursor() as cursor:
            cursor.executemany(self._sql(_UPSERT), [(*name, *row) for name, row in kept.rows.items()])
            connection.execute(self._sql("DELETE FROM {schema}.records"))
            values = [(*name, value, value) for name, value in kept.records.items()]
            cursor.executemany(self._sql(_UPSERT_RECORD), values)
        suspicion = None if kept.suspicion is None else json.dumps(suspicion_as_json(kept.suspicion))
        connection.execute(self._sql(_STATE), (kept.identity, kept.generation, suspicion))
        self.tell(connection, kept.generation)

    def tell(self, connection: psycopg.Connection, generation: int) -> None:
        """Tell every replica that there is this *generation*."""
        connection.execute("SELECT pg_notify(%s, %s)", (self._channel, str(generation)))

    def listen(self, connection: psycopg.Connection) -> None:
        """Have *connection* told of every change from now on."""
        connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(self._channel)))

    def _load(self, connection: psycopg.Connection, state: LiteralString) -> Kept:
        found = connection.execute(self._sql(state)).fetchone()
        rows = make_rows(connection.execute(self._sql(_SELECT)))
        query = self._sql("SELECT kind, name, value FROM {schema}.records")
        records = make_records(connection.execute(query, binary=True))
        if found is None:
            return Kept("", 0, rows, records=records)
        identity, generation, text = found
        suspicion = suspicion_from_json(json.loads(text)) if text else None
        return Kept(str(identity), int(generation), rows, suspicion, records)

    def _advance(self, connection: psycopg.Connection, kept: Kept) -> None:
        connection.execute(self._sql("UPDATE {schema}.state SET generation = %s"), (kept.generation,))
        self.tell(connection, kept.generation)

    def _sql(self, text: LiteralString) -> sql.Composed:
        return sql.SQL(text).format(schema=sql.Identifier(self._schema))
