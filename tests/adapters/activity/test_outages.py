"""Servers that die, freeze, are cut off, are full or restarted: what was known stays in force, and nothing is lost."""

from __future__ import annotations

import asyncio
import threading
from contextlib import ExitStack, closing, nullcontext, suppress
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from postgres import Line, Postgres, tables
from processes import eventually

from oneiric.adapters.activity import PostgresActivityStore, Server, changes
from oneiric.adapters.activity.changes import Changes
from oneiric.adapters.activity.tables import Tables
from oneiric.core.activity import ActivityStoreError, DomainActivity
from oneiric.core.events import ActivityStoreState, HookFailed, Paused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support import Recorder

    from oneiric.core.observers import Observers

pytestmark = [pytest.mark.postgres, pytest.mark.slow]
PAUSED = DomainActivity(paused=True, note="why")
QUICK = 1.0
"""Seconds that a server may take that is not to answer."""


@pytest.fixture(scope="module")
def own() -> Iterator[Postgres]:
    """A server that the tests of this file may do anything to."""
    server = Postgres(tcp=False)
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def lines() -> Iterator[Callable[[Path], Line]]:
    """What makes lines, which are closed at the end."""
    with ExitStack() as stack:
        yield lambda target: stack.enter_context(closing(Line(target)))


@pytest.fixture
def opened(observers: Observers) -> Iterator[Callable[..., PostgresActivityStore]]:
    """What opens stores, which are closed at the end."""
    with ExitStack() as stack:

        def store(server: Server, *, poll_interval: float = 0.2, **options: Any) -> PostgresActivityStore:
            made = PostgresActivityStore(server, observers=observers, poll_interval=poll_interval, **options)
            return stack.enter_context(closing(made))

        yield store


def reaches(store: PostgresActivityStore) -> bool:
    """Whether *store* reaches its server, as a scrape sees it."""
    (state,) = [state for state in store.states() if isinstance(state, ActivityStoreState)]
    return not state.unwritable


def lost(store: PostgresActivityStore) -> None:
    """Wait until *store* has noticed that its server is away."""
    eventually(lambda: not reaches(store), what="the outage is noticed")


def found(store: PostgresActivityStore) -> None:
    """Wait until *store* reaches its server again."""
    eventually(lambda: reaches(store), what="the server is reached again")


def changed(store: PostgresActivityStore, key: str) -> bool:
    """Pause *key* through a *store* with little patience, and return whether that was possible."""
    with suppress(ActivityStoreError):
        return store.change("task", key, paused=True).paused
    return False


def test_a_notification_is_enough(own: Postgres, opened: Callable[..., PostgresActivityStore]) -> None:
    """A replica that would not ask for an hour is told of a change."""
    server = tables(own)
    one, other = opened(server, poll_interval=3600), opened(server, poll_interval=3600)
    one.change("task", "x", paused=True)
    eventually(lambda: other.get("task", "x").paused, what="the pause is in force in the other")


def test_a_notification_that_is_lost_is_made_up_for(
    own: Postgres, opened: Callable[..., PostgresActivityStore]
) -> None:
    """A replica that is told nothing asks, and then knows."""
    server = tables(own)
    store = opened(server)
    own.run(
        f"INSERT INTO {server.schema}.activity VALUES ('task', 'x', true)",
        f"UPDATE {server.schema}.state SET generation = generation + 1",
    )
    eventually(lambda: store.get("task", "x").paused, what="the pause is in force")


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_a_server_that_ends_and_comes_again_loses_nothing(
    own: Postgres, opened: Callable[..., PostgresActivityStore], recorder: Recorder, how: str
) -> None:
    """What was known stays in force meanwhile, the outage is reported, and changes of others are there after it."""
    server = tables(own)
    one, other = opened(server), opened(server)
    one.change("task", "x", paused=True, note="why")
    eventually(lambda: other.get("task", "x").paused, what="the pause is in force in the other")
    getattr(own, how)()
    try:
        lost(other)
        lost(one)
        assert (other.get("task", "x"), other.refuses) == (PAUSED, False)
    finally:
        own.start()
    found(other)
    one.change("task", "y", paused=True)
    eventually(lambda: other.get("task", "y").paused, what="the next pause is in force in the other")
    assert (other.get("task", "x"), other.suspicion) == (PAUSED, None)
    assert {event.sink for event in recorder.of(HookFailed)} == {"activity_store"}


def test_a_frozen_server_holds_nobody_up(own: Postgres, opened: Callable[..., PostgresActivityStore]) -> None:
    """Reads answer at once, a change is refused in time, and everything goes on once the server does."""
    server = tables(own)
    opened(server).change("task", "x", paused=True, note="why")
    store = opened(Server(server.url, server.schema, timeout=QUICK))
    eventually(lambda: reaches(store) and store.get("task", "x") == PAUSED, what="everything is known")
    own.freeze()
    try:
        with pytest.raises(ActivityStoreError, match=r"no answer within 1 s|no connection within 1 s|timeout"):
            store.change("task", "y", paused=True)
        lost(store)
        assert store.get("task", "x") == PAUSED
    finally:
        own.thaw()
    found(store)
    eventually(lambda: changed(store, "z"), what="a change is made")


async def test_an_event_loop_goes_on_while_the_server_is_frozen(
    own: Postgres, opened: Callable[..., PostgresActivityStore]
) -> None:
    """A read in a loop waits for nothing: the loop turns a thousand times while a change waits for its answer."""
    server = tables(own)
    store = await asyncio.to_thread(opened, Server(server.url, server.schema, timeout=20.0))
    await asyncio.to_thread(store.change, "task", "x", paused=True, note="why")
    own.freeze()
    try:
        change = asyncio.ensure_future(asyncio.to_thread(store.change, "task", "y", paused=True))
        for _ in range(1000):
            assert store.get("task", "x") == PAUSED
            list(store.states())
            await asyncio.sleep(0)
        assert not change.done()
    finally:
        own.thaw()
    assert (await change).paused


def test_a_cut_line_is_noticed_and_mended(
    own: Postgres, lines: Callable[[Path], Line], opened: Callable[..., PostgresActivityStore]
) -> None:
    """Where nothing comes through any more, without a word, what was known holds until the line is there again."""
    line = lines(own.socket)
    direct = tables(own)
    url = f"postgresql://postgres@127.0.0.1:{line.port}/postgres"
    far = opened(Server(url, direct.schema, timeout=2.0))
    near = opened(direct)
    near.change("task", "x", paused=True, note="why")
    eventually(lambda: far.get("task", "x").paused, what="the pause arrives")
    line.cut()
    lost(far)
    near.change("task", "x", paused=False, note="")
    assert far.get("task", "x") == PAUSED
    line.mend()
    found(far)
    eventually(lambda: not far.get("task", "x").paused, what="what was changed meanwhile arrives")


def test_a_lost_listener_is_replaced(own: Postgres, opened: Callable[..., PostgresActivityStore]) -> None:
    """An administrator who ends all connections loses no change."""
    server = tables(own)
    one, other = opened(server), opened(server)
    for turn in range(3):
        own.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'oneiric'")
        one.change("task", f"x{turn}", paused=True)
        eventually(lambda name=f"x{turn}": other.get("task", name).paused, what="the pause arrives")  # type: ignore[misc]


def test_a_full_pool_says_so(own: Postgres, opened: Callable[..., PostgresActivityStore]) -> None:
    """A change that finds every connection waiting for a lock is refused in time, and names the setting."""
    server = tables(own)
    store = opened(Server(server.url, server.schema, timeout=QUICK), pool_size=1)
    refused: list[str] = []

    def change(key: str) -> None:
        try:
            store.change("task", key, paused=True)
        except ActivityStoreError as error:
            refused.append(str(error))

    with own.connected() as locking, locking.transaction():
        locking.execute(f"SELECT 1 FROM {server.schema}.state FOR UPDATE".encode())
        threads = [threading.Thread(target=change, args=(f"x{turn}",)) for turn in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(refused) == 4
    assert any("all 1 connections of activity.pool_size are in use" in text for text in refused)
    eventually(lambda: changed(store, "later"), what="a change is made")
    assert list(store.snapshot()["task"]) == ["later"]


def test_a_change_that_is_not_committed_is_not_reported(
    own: Postgres, opened: Callable[..., PostgresActivityStore], recorder: Recorder
) -> None:
    """Where the transaction fails at its end, nothing has changed and nothing is told."""
    server = tables(own)
    store = opened(server)
    own.run(
        f"CREATE FUNCTION {server.schema}.no() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'not today'; END $$",
        f"CREATE CONSTRAINT TRIGGER no AFTER INSERT ON {server.schema}.activity DEFERRABLE INITIALLY DEFERRED "
        f"FOR EACH ROW EXECUTE FUNCTION {server.schema}.no()",
    )
    with pytest.raises(ActivityStoreError, match="not today"):
        store.change("task", "x", paused=True)
    assert (store.snapshot(), recorder.of(Paused)) == ({}, [])


def test_a_process_that_stops_within_a_change_does_not_hold_up_the_others(
    own: Postgres, opened: Callable[..., PostgresActivityStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server ends a transaction that goes on for too long: the next change of another replica succeeds."""
    server = tables(own)
    stopped = Changes(Server(server.url, server.schema, timeout=2.0), size=1)
    other = opened(server)
    monkeypatch.setattr(changes, "in_time", lambda *_: nullcontext())  # as it were, a stopped process cuts nothing

    def stop_within() -> None:
        with closing(stopped), stopped.transaction(threading.RLock()) as (connection, _):
            Tables(server.schema, server.channel).locked(connection)
            other.change("task", "x", paused=True)  # waits until the server has ended the first one
            connection.execute("SELECT 1")

    with pytest.raises((psycopg.OperationalError, psycopg.InternalError)):
        stop_within()
    assert other.get("task", "x").paused


def test_work_is_refused_where_that_is_set(own: Postgres, opened: Callable[..., PostgresActivityStore]) -> None:
    """With ``refuse`` everything reads as paused while the server is away, with the reason, and is itself after it."""
    store = opened(tables(own), when_unreachable="refuse")
    assert (store.refuses, store.get("task", "x").paused) == (False, False)
    own.stop()
    try:
        lost(store)
        state = store.get("task", "x")
        assert (store.refuses, state.paused, store.snapshot()) == (True, True, {})
        assert state.note == "held back: it is not known what is paused, as the database of pauses cannot be reached"
    finally:
        own.start()
    found(store)
    assert (store.refuses, store.get("task", "x").paused) == (False, False)


def test_a_start_without_a_server_goes_by_what_was_last_known(
    own: Postgres, opened: Callable[..., PostgresActivityStore], tmp_path: Path
) -> None:
    """A restart while the server is away keeps a pause, and one that knows nothing holds everything back."""
    server = tables(own)
    witness = tmp_path / "witness.json"
    first = opened(server, witness=witness)
    first.change("task", "x", paused=True, note="why")
    first.close()
    own.stop()
    try:
        remembering = opened(Server(server.url, server.schema, timeout=QUICK), witness=witness)
        ignorant = opened(Server(server.url, server.schema, timeout=QUICK))
        assert (remembering.get("task", "x"), remembering.refuses) == (PAUSED, False)
        assert not remembering.get("task", "y").paused
        assert (ignorant.get("task", "y").paused, ignorant.refuses) == (True, True)
    finally:
        own.start()
    found(remembering)
    found(ignorant)
    assert (ignorant.get("task", "x"), ignorant.get("task", "y").paused, ignorant.refuses) == (PAUSED, False, False)
