"""Databases that are not what they were: nothing that was paused is resumed in silence."""

from __future__ import annotations

from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import pytest
from postgres import Postgres, tables
from processes import eventually

from oneiric.adapters.activity import PostgresActivityStore, Server
from oneiric.core.activity import DomainActivity
from oneiric.core.events import ActivityStateRecovered, ActivityStateSuspect, Resumed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support import Recorder

    from oneiric.core.observers import Observers

pytestmark = pytest.mark.postgres
PAUSED = DomainActivity(paused=True, note="why")


@pytest.fixture
def opened(observers: Observers, tmp_path: Path) -> Iterator[Callable[[Server], PostgresActivityStore]]:
    """What opens a store with a witness, closed at the end."""
    with ExitStack() as stack:

        def store(server: Server) -> PostgresActivityStore:
            made = PostgresActivityStore(
                server, observers=observers, witness=tmp_path / "witness.json", poll_interval=0.1
            )
            return stack.enter_context(closing(made))

        yield store


CASES = {
    "replaced": "DELETE FROM {}.activity; UPDATE {}.state SET identity = 'other', generation = 9",
    "restored": "DELETE FROM {}.activity; UPDATE {}.state SET generation = 0",
    "rows_lost": "DELETE FROM {}.activity",
}


@pytest.mark.parametrize("reason", CASES)
@pytest.mark.parametrize("when", ["meanwhile", "before a start", "before a change"])
def test_a_database_that_lost_pauses_is_repaired(
    postgres: Postgres,
    opened: Callable[[Server], PostgresActivityStore],
    recorder: Recorder,
    reason: str,
    when: str,
) -> None:
    """While a replica runs, or stopped, or changes something: what was known stays in force until somebody decides."""
    server = tables(postgres)
    store = opened(server)
    store.change("task", "x", paused=True, note="why")
    if when == "before a start":
        store.close()
    with postgres.connected() as connection, connection.transaction():
        for statement in CASES[reason].replace("{}", server.schema).split("; "):
            connection.execute(statement.encode())
        if when == "meanwhile":
            connection.execute("SELECT pg_notify(%s, '')", (server.channel,))
    if when == "before a start":
        store = opened(server)
    if when == "before a change":
        store.change("task", "y", draining=True)
    eventually(lambda: recorder.of(ActivityStateSuspect), what="it is noticed")
    assert recorder.of(ActivityStateSuspect) == [ActivityStateSuspect(reason=reason, quarantine="", held=1)]  # type: ignore[arg-type]  # a reason
    assert (store.get("task", "x"), recorder.of(Resumed)) == (PAUSED, [])
    eventually(lambda: store.suspicion, what="the state is suspect")
    store.recover("witness")
    assert (store.suspicion, store.get("task", "x")) == (None, PAUSED)


def test_the_account_of_the_database_can_be_kept(
    postgres: Postgres, opened: Callable[[Server], PostgresActivityStore], recorder: Recorder
) -> None:
    """Who restored an older copy on purpose says so, and what it did not pause is resumed, reported as that."""
    server = tables(postgres)
    store = opened(server)
    store.change("task", "x", paused=True, note="why")
    store.close()
    postgres.run(f"DELETE FROM {server.schema}.activity", f"UPDATE {server.schema}.state SET generation = 0")
    store = opened(server)
    store.recover("database")
    assert (store.snapshot(), store.suspicion) == ({}, None)
    assert recorder.of(Resumed) == [Resumed(domain="task", key="x")]
    assert recorder.of(ActivityStateRecovered) == [ActivityStateRecovered(account="database", held=0)]


def test_every_replica_sees_the_suspicion_of_one(
    postgres: Postgres, opened: Callable[[Server], PostgresActivityStore]
) -> None:
    """What one replica notices holds in all of them, and what one decides too."""
    server = tables(postgres)
    one, other = opened(server), opened(server)
    one.change("task", "x", paused=True, note="why")
    eventually(lambda: other.get("task", "x").paused, what="the pause arrives")
    postgres.run(f"DELETE FROM {server.schema}.activity")
    eventually(lambda: one.suspicion and other.suspicion, what="both see the suspicion")
    assert (one.get("task", "x"), other.get("task", "x")) == (PAUSED, PAUSED)
    other.recover("witness")
    eventually(lambda: one.suspicion is None, what="the decision arrives")
