"""The tables in PostgreSQL: how they are made, and brought up to date."""

from __future__ import annotations

from typing import TYPE_CHECKING, LiteralString, NamedTuple

import psycopg
from psycopg import sql

from oneiric.adapters.activity.advice import unusable
from oneiric.adapters.activity.connecting import in_time
from oneiric.core.activity import ActivityStoreError, new_identity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oneiric.adapters.activity.connecting import Server

_ACTIVITY = """CREATE TABLE {schema}.activity (
    domain text NOT NULL, key text NOT NULL, paused boolean NOT NULL DEFAULT false,
    draining boolean NOT NULL DEFAULT false, note text, paused_at double precision, PRIMARY KEY (domain, key))"""
_STATE = """CREATE TABLE {schema}.state (
    id integer PRIMARY KEY CHECK (id = 1), identity text NOT NULL, generation bigint NOT NULL, suspicion text)"""
_RECORDS = """CREATE TABLE {schema}.records (
    kind text NOT NULL, name text NOT NULL, value bytea NOT NULL, PRIMARY KEY (kind, name))"""
_DOCUMENTS = """CREATE TABLE {schema}.documents (
    kind text NOT NULL, name text NOT NULL, value bytea NOT NULL, PRIMARY KEY (kind, name))"""
STEPS: tuple[tuple[LiteralString, ...], ...] = (
    (
        "CREATE TABLE {schema}.version (version integer NOT NULL)",
        "INSERT INTO {schema}.version VALUES (0)",
        _ACTIVITY,
        _STATE,
        "INSERT INTO {schema}.state VALUES (1, {identity}, 0, NULL)",
    ),
    (_RECORDS, _DOCUMENTS),
)
"""What makes each version out of the one before."""
NEWEST = len(STEPS)
"""The version that this release works with."""

_LOCK = 0x6F6E6569  # any number, as long as every release takes the same


class Migration(NamedTuple):
    """From which version of the tables to which; 0 is none. The same twice: there was nothing to do."""

    before: int
    after: int


def migrate(server: Server) -> Migration:
    """Make the schema and its tables, or bring them up to date, in one transaction.

    Needs CREATE on the schema, and where there is no schema yet CREATE on the database. Several may call it at once.
    ActivityStoreError says what is wrong.
    """
    try:
        with server.connect() as connection, in_time(connection, server.timeout), connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            before = version(connection, server.schema)
            if before is None:
                if connection.execute("SELECT to_regnamespace(%s)", (server.schema,)).fetchone() == (None,):
                    connection.execute(_statement("CREATE SCHEMA {schema}", server.schema))
                before = 0
            require_known(before)
            for statement in _due(server.schema, before):
                connection.execute(statement)
            return Migration(before, NEWEST)
    except (psycopg.Error, OSError) as error:
        raise unusable(error, server) from error


def script(schema: str, role: str) -> str:
    """Return what makes the newest tables in *schema*, with the rights that *role* needs of a service, as SQL."""
    rights = (
        "GRANT USAGE ON SCHEMA {schema} TO {role}",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}",
    )
    grants = [sql.SQL(text).format(schema=sql.Identifier(schema), role=sql.Identifier(role)) for text in rights]
    statements = [_statement("CREATE SCHEMA IF NOT EXISTS {schema}", schema), *_due(schema, 0), *grants]
    return "".join(f"{statement.as_string()};\n" for statement in statements)


def version(connection: psycopg.Connection, schema: str) -> int | None:
    """Return the version of the tables in *schema*, None where there are none."""
    place = sql.Identifier(schema, "version").as_string()
    if connection.execute("SELECT to_regclass(%s)", (place,)).fetchone() == (None,):
        return None
    found = connection.execute(_statement("SELECT max(version) FROM {schema}.version", schema)).fetchone()
    return found[0] if found else None


def require_usable(connection: psycopg.Connection, schema: str) -> None:
    """Raise ActivityStoreError where the tables in *schema* are not those that this release works with."""
    found = version(connection, schema)
    if found is None:
        raise ActivityStoreError(
            f"has no tables in the schema {schema}; make them with 'oneiric settings migrate', or set "
            "activity.migrate_at_start"
        )
    require_known(found)
    if found < NEWEST:
        raise ActivityStoreError(
            f"has tables of version {found} in the schema {schema}, and this release works with version {NEWEST}; "
            "bring them up to date with 'oneiric settings migrate', or set activity.migrate_at_start"
        )


def require_known(found: int) -> None:
    """Raise ActivityStoreError where tables of the version *found* are from a release after this one."""
    if found > NEWEST:
        raise ActivityStoreError(
            f"has tables of version {found}, made by a newer release, and this one knows version {NEWEST} at most; "
            "run the newer release here too"
        )


def _due(schema: str, before: int) -> Sequence[sql.Composed]:
    steps = [statement for step in STEPS[before:] for statement in step]
    last = sql.SQL("UPDATE {}.version SET version = {}").format(sql.Identifier(schema), sql.Literal(NEWEST))
    return [*(_statement(step, schema) for step in steps), last] if steps else []


def _statement(text: LiteralString, schema: str) -> sql.Composed:
    return sql.SQL(text).format(schema=sql.Identifier(schema), identity=sql.Literal(new_identity()))
