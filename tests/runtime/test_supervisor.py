"""The supervisor: what it notices, whom it calls, and what it survives."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from typing import TYPE_CHECKING

import pytest
from lifecycle_support import until

from oneiric.core.activity import DomainActivity, DomainActivityStore, MemoryActivityStore
from oneiric.core.config import LayerSettings
from oneiric.core.events import HookFailed
from oneiric.core.lifecycle import LifecycleManager
from oneiric.core.resolution import Resolver
from oneiric.domains import ServiceBridge
from oneiric.runtime.supervisor import MIN_POLL_INTERVAL, ServiceSupervisor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support import Recorder

    from oneiric.core.observers import Observers

PAUSED = DomainActivity(paused=True)
CACHE = ("adapter", "cache")
Change = tuple[str, str, DomainActivity]


class BrokenStore:
    """A store of another make, which fails as long as it is locked."""

    def __init__(self) -> None:
        self.locked = False
        self.polls = 0

    def get(self, domain: str, key: str) -> DomainActivity:
        """Return a pause."""
        return self.snapshot()[domain].get(key, DomainActivity())

    def snapshot(self) -> dict[str, dict[str, DomainActivity]]:
        """Return a pause."""
        self.polls += 1
        if self.locked:
            raise sqlite3.OperationalError("database is locked")
        return {"adapter": {"cache": PAUSED}}


class Changes:
    """A listener that remembers, and can be waited for."""

    def __init__(self) -> None:
        self.seen: list[Change] = []
        self._called = asyncio.Event()

    def __call__(self, domain: str, key: str, state: DomainActivity) -> None:
        """Remember."""
        self.seen.append((domain, key, state))
        self._called.set()

    async def called(self) -> None:
        """Wait for the next call."""
        self._called.clear()
        async with asyncio.timeout(60):
            await self._called.wait()


@pytest.fixture
def store(tmp_path: Path, observers: Observers) -> Iterator[DomainActivityStore]:
    """A store in a file."""
    store = DomainActivityStore(tmp_path / "a.sqlite", observers=observers)
    yield store
    store.close()


@pytest.fixture
def supervisor(store: DomainActivityStore) -> ServiceSupervisor:
    """A supervisor that polls often, not started."""
    return ServiceSupervisor(store, poll_interval=0)


def test_the_interval_has_a_minimum(supervisor: ServiceSupervisor, store: DomainActivityStore) -> None:
    """Nobody polls more often than ten times a second; every two seconds is the default."""
    assert (supervisor.poll_interval, ServiceSupervisor(store).poll_interval) == (MIN_POLL_INTERVAL, 2.0)


async def test_a_change_by_somebody_else_is_noticed(supervisor: ServiceSupervisor, tmp_path: Path) -> None:
    """A pause that another store of the file makes reaches a listener with the next poll."""
    changes = Changes()
    supervisor.add_listener(changes)
    await supervisor.start()
    other = DomainActivityStore(tmp_path / "a.sqlite")
    other.set(*CACHE, PAUSED)
    other.close()
    await changes.called()
    await supervisor.stop()
    assert changes.seen == [(*CACHE, PAUSED)]
    assert supervisor.snapshot() == {"adapter": {"cache": PAUSED}}


def test_changed_new_and_removed_entries_are_told(supervisor: ServiceSupervisor, store: DomainActivityStore) -> None:
    """Each entry that differs from the last poll is told once, a removed one with the default."""
    seen: list[Change] = []
    store.set("task", "kept", PAUSED)
    store.set("task", "gone", PAUSED)
    supervisor.refresh()
    supervisor.add_listener(lambda *change: seen.append(change))
    store.set("task", "gone", DomainActivity())
    store.change("task", "kept", draining=True)
    store.set(*CACHE, PAUSED)
    supervisor.refresh()
    supervisor.refresh()
    assert sorted(seen, key=lambda change: change[:2]) == [
        (*CACHE, PAUSED),
        ("task", "gone", DomainActivity()),
        ("task", "kept", DomainActivity(paused=True, draining=True)),
    ]


def test_a_listener_may_want_one_domain_only(supervisor: ServiceSupervisor, store: DomainActivityStore) -> None:
    """A listener of a domain is called for that one, until it is removed."""
    seen: list[Change] = []
    remove = supervisor.add_listener(lambda *change: seen.append(change), domain="task")
    store.set(*CACHE, PAUSED)
    store.set("task", "a", PAUSED)
    supervisor.refresh()
    remove()
    remove()
    store.set("task", "b", PAUSED)
    supervisor.refresh()
    assert seen == [("task", "a", PAUSED)]


@pytest.mark.parametrize("immediately", [True, False])
def test_a_listener_may_want_what_is_known(
    supervisor: ServiceSupervisor, store: DomainActivityStore, immediately: bool
) -> None:
    """Where asked for, a listener is called at once with what is kept, and not again at the next poll."""
    seen: list[Change] = []
    store.set(*CACHE, PAUSED)
    supervisor.add_listener(lambda *change: seen.append(change), fire_immediately=immediately)
    assert seen == ([(*CACHE, PAUSED)] if immediately else [])
    supervisor.refresh()
    assert seen == [(*CACHE, PAUSED)]


def test_work_is_refused_at_once(supervisor: ServiceSupervisor, store: DomainActivityStore) -> None:
    """A pause or a drain holds with the next question, polled or not; what is not known may be given work."""
    supervisor.refresh()
    store.set(*CACHE, PAUSED)
    store.set("task", "a", DomainActivity(draining=True))
    store.set("task", "b", DomainActivity(note="seen"))
    names = (CACHE, ("task", "a"), ("task", "b"), ("task", "unknown"))
    assert [supervisor.should_accept_work(*name) for name in names] == [False, False, True, True]
    assert supervisor.activity_state(*CACHE) == PAUSED


async def test_a_locked_store_is_survived(observers: Observers, recorder: Recorder) -> None:
    """A poll that fails is reported, what was known holds, the next poll comes, and the end is quiet."""
    broken = BrokenStore()
    supervisor = ServiceSupervisor(broken, poll_interval=0, observers=observers)
    await supervisor.start()
    broken.locked = True
    polls = broken.polls
    await until(lambda: broken.polls > polls + 1)
    assert not supervisor.should_accept_work(*CACHE)
    await supervisor.stop()
    assert {(failure.sink, failure.error) for failure in recorder.of(HookFailed)} == {
        ("supervisor", "database is locked")
    }


async def test_it_is_started_and_stopped_as_often_as_one_likes(supervisor: ServiceSupervisor) -> None:
    """Starting and stopping are idempotent, and it can be started again."""
    await supervisor.stop()
    await supervisor.start()
    await supervisor.start()
    assert sum(task.get_name() == "oneiric-supervisor" for task in asyncio.all_tasks()) == 1
    await supervisor.stop()
    await supervisor.stop()
    await supervisor.start()
    await supervisor.stop()
    assert len(asyncio.all_tasks()) == 1


async def test_asynchronous_listeners_are_awaited(
    supervisor: ServiceSupervisor, store: DomainActivityStore, recorder: Recorder
) -> None:
    """An asynchronous listener is called; its failure is reported, and the end cancels one that still runs."""
    seen: list[str] = []

    async def slow(_domain: str, key: str, _state: DomainActivity) -> None:
        seen.append(key)
        if key == "bad":
            raise KeyError(key)
        try:
            await asyncio.Event().wait()
        finally:
            seen.append("cancelled")

    supervisor.add_listener(slow)
    await supervisor.start()
    store.set("task", "bad", PAUSED)
    store.set("task", "good", PAUSED)
    await asyncio.to_thread(supervisor.refresh)  # from another thread: run in the loop that polls
    await until(lambda: len(seen) == 2)
    await supervisor.stop()
    assert (sorted(seen[:2]), seen[2:]) == (["bad", "good"], ["cancelled"])
    assert [(failure.sink, failure.error_type) for failure in recorder.of(HookFailed)] == [("supervisor", "KeyError")]


def test_an_asynchronous_listener_needs_a_loop(
    supervisor: ServiceSupervisor, store: DomainActivityStore, recorder: Recorder
) -> None:
    """Without any event loop the listener is not called, which is reported, and the next listener is called."""
    seen: list[Change] = []

    async def listen(*_change: object) -> None:
        raise AssertionError

    supervisor.add_listener(listen)
    supervisor.add_listener(lambda *change: seen.append(change))
    store.set(*CACHE, PAUSED)
    supervisor.refresh()
    assert len(seen) == 1
    assert [failure.error_type for failure in recorder.of(HookFailed)] == ["RuntimeError"]


def test_a_listener_that_fails_stops_no_other(
    supervisor: ServiceSupervisor, store: DomainActivityStore, recorder: Recorder
) -> None:
    """What a listener raises is reported, a cancellation too; the next one is called, in the thread that refreshes."""
    threads: list[threading.Thread] = []

    def fail(*_change: object) -> None:
        raise asyncio.CancelledError

    supervisor.add_listener(fail)
    supervisor.add_listener(lambda *_change: threads.append(threading.current_thread()))
    store.set(*CACHE, PAUSED)
    supervisor.refresh()
    assert threads == [threading.current_thread()]
    assert [failure.error_type for failure in recorder.of(HookFailed)] == ["CancelledError"]


class CountingStore(MemoryActivityStore):
    """A store that counts how often it is read."""

    reads = 0

    def get(self, domain: str, key: str) -> DomainActivity:
        """Count, and read."""
        self.reads += 1
        return super().get(domain, key)


def test_a_bridge_and_its_supervisor_read_a_store_once(observers: Observers) -> None:
    """Where both have the same store, it is read once for a piece of work; otherwise a pause in either refuses it."""
    store, other = CountingStore(), MemoryActivityStore()
    resolver = Resolver(observers=observers)
    arguments = (resolver, LifecycleManager(resolver), LayerSettings())
    bridge = ServiceBridge(*arguments, store, ServiceSupervisor(store))
    assert (bridge.should_accept_work("x"), store.reads) == (True, 1)
    other.set("service", "x", PAUSED)
    pairs = [(store, other), (other, store), (other, other), (store, store)]
    accepted = [ServiceBridge(*arguments, own, ServiceSupervisor(seen)).should_accept_work("x") for own, seen in pairs]
    assert accepted == [False, False, False, True]
