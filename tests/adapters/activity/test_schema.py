"""The tables: who makes them, with which rights, and what is said where they, or the way to them, are not right."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from postgres import PATIENCE, Postgres, pgbouncer, tables

from oneiric.adapters.activity import NEWEST, Migration, PostgresActivityStore, Server, migrate, script
from oneiric.adapters.activity import schema as module
from oneiric.core.activity import ActivityStoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.postgres
SLOW = PATIENCE / 4


@pytest.fixture
def database(postgres: Postgres) -> Iterator[str]:
    """An empty database, and two users without any rights, one to migrate and one to serve."""
    postgres.run(
        "CREATE DATABASE shop",
        "CREATE USER clerk PASSWORD 'hush'",
        "CREATE USER owner",
        "REVOKE CREATE ON DATABASE shop FROM PUBLIC",
    )
    yield "shop"
    postgres.run("DROP DATABASE shop WITH (FORCE)", "DROP USER clerk", "DROP USER owner")


def refusal(server: Server) -> str:
    """Return why a store of *server* cannot be had."""
    with pytest.raises(ActivityStoreError) as caught:
        PostgresActivityStore(server)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def works(server: Server) -> bool:
    """Whether a store of *server* keeps what it is told."""
    with closing(PostgresActivityStore(server)) as store:
        store.change("task", "x", paused=True)
        store.write_record("mark", "a", b"1")
        store.write_document("manifest", "a", b"{}")
    with closing(PostgresActivityStore(server)) as store:
        found = store.get("task", "x").paused, store.read_record("mark", "a"), store.read_document("manifest", "a")
    return found == (True, b"1", b"{}")


def test_a_schema_is_made_once(postgres: Postgres, database: str) -> None:
    """The first migration makes it, the next one finds it, and it works."""
    server = Server(postgres.url(database), "shop", timeout=SLOW)
    assert (migrate(server), migrate(server)) == (Migration(0, NEWEST), Migration(NEWEST, NEWEST))
    assert works(server)


def test_migrations_at_a_time_make_one_schema(postgres: Postgres, database: str) -> None:
    """Replicas that all migrate at their start do not disturb each other."""
    server = Server(postgres.url(database), "shop", timeout=SLOW)
    made: list[Migration] = []
    threads = [threading.Thread(target=lambda: made.append(migrate(server))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [Migration(0, NEWEST)] + [Migration(NEWEST, NEWEST)] * 3


def test_an_older_schema_is_brought_up_to_date(
    postgres: Postgres, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tables of the first release are refused, with what to do, then migrated, and keep what they hold."""
    server = Server(postgres.url(database), "shop", timeout=SLOW)
    with monkeypatch.context() as older:
        older.setattr(module, "STEPS", module.STEPS[:1])
        older.setattr(module, "NEWEST", 1)
        migrate(server)
    postgres.run("INSERT INTO shop.activity VALUES ('task', 'old', true)", database=database)
    assert "has tables of version 1 in the schema shop" in refusal(server)
    assert "bring them up to date with 'oneiric settings migrate'" in refusal(server)
    assert migrate(server) == Migration(1, NEWEST)
    with closing(PostgresActivityStore(server)) as store:
        assert store.get("task", "old").paused


def test_a_newer_schema_is_left_alone(postgres: Postgres) -> None:
    """Tables of a later release are refused, by a migration too."""
    server = tables(postgres)
    postgres.run(f"UPDATE {server.schema}.version SET version = 99")
    assert f"has tables of version 99, made by a newer release, and this one knows version {NEWEST}" in refusal(server)
    with pytest.raises(ActivityStoreError, match="made by a newer release"):
        migrate(server)


def test_a_database_without_tables_says_how_to_make_them(postgres: Postgres, database: str) -> None:
    """The refusal names the database, the schema, the command and the setting."""
    assert refusal(Server(postgres.url(database), timeout=SLOW)) == (
        f"activity.url: database shop at {postgres.directory}: has no tables in the schema oneiric; make them with "
        "'oneiric settings migrate', or set activity.migrate_at_start"
    )


def test_the_rights_that_are_missing_are_named(postgres: Postgres, database: str) -> None:
    """Who may not make the schema, or may not use it, is told what to grant."""
    with pytest.raises(ActivityStoreError, match=r"permission denied for database shop; .* CREATE on the schema, or"):
        migrate(Server(postgres.url(database, "clerk"), "shop", timeout=SLOW))
    migrate(Server(postgres.url(database), "shop", timeout=SLOW))
    assert "needs USAGE on the schema shop and SELECT, INSERT, UPDATE, DELETE on its tables" in refusal(
        Server(postgres.url(database, "clerk"), "shop", timeout=SLOW)
    )


def test_the_script_makes_tables_that_a_user_with_the_rights_can_use(postgres: Postgres, database: str) -> None:
    """What is printed makes everything, and grants what the service needs and no more."""
    with postgres.connected(database) as connection:
        connection.execute(script("shop", "clerk").encode())
    assert works(Server(postgres.url(database, "clerk"), "shop", timeout=SLOW))
    with pytest.raises(ActivityStoreError, match="permission denied"):
        migrate(Server(postgres.url(database, "clerk"), "elsewhere", timeout=SLOW))


def test_a_schema_that_is_there_needs_no_right_on_the_database(postgres: Postgres, database: str) -> None:
    """CREATE on the schema is enough to migrate where an administrator has made it."""
    postgres.run("CREATE SCHEMA shop AUTHORIZATION owner", database=database)
    assert migrate(Server(postgres.url(database, "owner"), "shop", timeout=SLOW)) == Migration(0, NEWEST)


def test_a_database_that_is_not_there_is_named(postgres: Postgres) -> None:
    """One line says which, and what to see to."""
    text = refusal(Server(postgres.url("nowhere"), timeout=SLOW))
    assert 'database "nowhere" does not exist' in text
    assert "see that the database exists" in text


def test_a_wrong_password_is_refused_and_never_shown(postgres: Postgres, database: str, tmp_path: Path) -> None:
    """One line says that the password is wrong, without it, wherever it came from; the file's wins and works."""
    migrate(Server(postgres.url(database), "shop", timeout=SLOW))
    address = f"127.0.0.1:{postgres.port}/{database}"
    given = Server(f"postgresql://clerk:secr3t@{address}", "shop", timeout=SLOW)
    file = tmp_path / "password"
    file.write_text("secr3t\n", encoding="utf-8")
    for text in (
        refusal(given),
        repr(given),
        refusal(Server(f"postgresql://clerk@{address}", "shop", file, SLOW)),
        refusal(Server(f"postgresql://clerk@{address}?password=secr3t", "shop", timeout=SLOW)),
    ):
        assert "secr3t" not in text
    assert 'password authentication failed for user "clerk"' in refusal(given)
    file.write_text("hush\n", encoding="utf-8")
    postgres.run(
        "GRANT USAGE ON SCHEMA shop TO clerk", "GRANT ALL ON ALL TABLES IN SCHEMA shop TO clerk", database=database
    )
    assert works(Server(f"postgresql://clerk:secr3t@{address}", "shop", file, SLOW))


def test_a_file_without_a_password_is_named(postgres: Postgres, tmp_path: Path) -> None:
    """A password file that cannot be read is one line with its path."""
    server = Server(postgres.url("postgres"), password_file=tmp_path / "missing", timeout=SLOW)
    assert f"activity.password_file: {tmp_path}/missing: No such file or directory" in refusal(server)


@pytest.mark.parametrize("url", ["postgresql://a:secr3t@[x/y", "postgresql://a?what=secr3t", "secr3t"])
def test_what_is_no_connection_string_is_refused_without_it(url: str) -> None:
    """A string that libpq cannot read may hold a password, and is not shown."""
    with pytest.raises(ActivityStoreError, match="is not a connection string of PostgreSQL") as caught:
        Server(url)
    assert "secr3t" not in str(caught.value)


@pytest.mark.slow
def test_a_pooler_in_transaction_mode_is_found_out(postgres: Postgres, tmp_path: Path) -> None:
    """Notifications do not come through it: a start says so, and what to connect to."""
    direct = tables(postgres)
    with pgbouncer(postgres, tmp_path, mode="transaction") as port:
        url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
        text = refusal(Server(url, direct.schema, timeout=8.0))
    assert "notifications do not arrive; a pooler such as pgbouncer in transaction mode is in between" in text


def test_a_pooler_in_session_mode_will_do(postgres: Postgres, tmp_path: Path) -> None:
    """A connection that stays with its client is told of changes."""
    direct = tables(postgres)
    with pgbouncer(postgres, tmp_path, mode="session") as port:
        assert works(Server(f"postgresql://postgres@127.0.0.1:{port}/postgres", direct.schema, timeout=SLOW))
