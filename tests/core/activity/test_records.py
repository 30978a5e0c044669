"""The records and documents that a store keeps beside the pauses."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import pytest
from postgres import tables
from processes import eventually

from oneiric.adapters.activity import PostgresActivityStore
from oneiric.core.activity import (
    MAX_DOCUMENT_BYTES,
    MAX_RECORD_BYTES,
    MAX_RECORDS,
    ActivityStoreError,
    DomainActivity,
    DomainActivityStore,
    MemoryActivityStore,
)
from oneiric.core.events import ActivityStateSuspect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support import Clock, Recorder

    from oneiric.core.activity import ActivityStore
    from oneiric.core.observers import Observers

SUFFIXES = ("", "-wal", "-shm")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database is."""
    return tmp_path / "state" / "activity.sqlite"


@pytest.fixture
def shared(
    request: pytest.FixtureRequest, observers: Observers, clock: Clock
) -> Iterator[Callable[[], PostgresActivityStore]]:
    """What opens one store in a database, again and again."""
    server = tables(request.getfixturevalue("postgres"))
    with ExitStack() as stack:
        yield lambda: stack.enter_context(closing(PostgresActivityStore(server, observers=observers, clock=clock)))


@pytest.fixture(params=["file", pytest.param("postgres", marks=pytest.mark.postgres)])
def either(request: pytest.FixtureRequest) -> Callable[[], ActivityStore]:
    """What opens one store that lasts, of each kind."""
    opened: Callable[[], ActivityStore] = request.getfixturevalue("lasting" if request.param == "file" else "shared")
    return opened


@pytest.fixture
def lasting(path: Path, tmp_path: Path, observers: Observers, clock: Clock) -> Iterator[Callable[[], ActivityStore]]:
    """What opens one store, again and again."""
    made: list[ActivityStore] = []

    def opened() -> ActivityStore:
        made.append(DomainActivityStore(path, observers=observers, clock=clock, witness=tmp_path / "home" / "witness"))
        return made[-1]

    yield opened
    for store in made:
        store.close()


@pytest.fixture(params=["file", pytest.param("postgres", marks=pytest.mark.postgres), "memory"])
def store(request: pytest.FixtureRequest) -> ActivityStore | MemoryActivityStore:
    """A store of each kind: they keep the same rules."""
    if request.param == "memory":
        return MemoryActivityStore()
    opened: Callable[[], ActivityStore] = request.getfixturevalue("lasting" if request.param == "file" else "shared")
    return opened()


def test_what_was_never_written_is_none(store: ActivityStore) -> None:
    """An unknown record and an unknown document are None."""
    assert (store.read_record("mark", "a"), store.records("mark"), store.read_document("mark", "a")) == (None, {}, None)


def test_a_record_is_found_by_kind_and_name(store: ActivityStore) -> None:
    """Records of one name and several kinds do not touch each other."""
    store.write_record("mark", "a", b"1")
    store.write_record("other", "a", b"2")
    assert (store.read_record("mark", "a"), store.records("other")) == (b"1", {"a": b"2"})


def test_a_record_of_none_is_removed(store: ActivityStore) -> None:
    """Writing None removes a record."""
    store.write_record("mark", "a", b"1")
    store.write_record("mark", "a", None)
    assert store.records("mark") == {}


def test_a_change_is_made_of_what_is_there(store: ActivityStore) -> None:
    """A change is given the present value, and answers with the one it makes."""
    store.write_record("mark", "a", b"1")
    assert store.change_record("mark", "a", lambda before: (before or b"") + b"2") == b"12"
    assert store.read_record("mark", "a") == b"12"


def test_a_change_that_raises_changes_nothing(store: ActivityStore) -> None:
    """What a change raises is passed on, and the record stays."""
    store.write_record("mark", "a", b"1")

    def refuse(_: bytes | None) -> bytes:
        raise LookupError("no")

    with pytest.raises(LookupError, match="no"):
        store.change_record("mark", "a", refuse)
    assert store.read_record("mark", "a") == b"1"


def test_records_do_not_touch_pauses(store: ActivityStore) -> None:
    """A pause and a record of the same name stay apart."""
    store.set("mark", "a", DomainActivity(paused=True))
    store.write_record("mark", "a", b"1")
    assert store.snapshot() == {"mark": {"a": DomainActivity(paused=True)}}


def test_what_is_too_large_is_refused(store: ActivityStore) -> None:
    """A record of more than 4,096 bytes is a ValueError, and a document of more than its limit."""
    with pytest.raises(ValueError, match="at most 4096 bytes"):
        store.write_record("mark", "a", bytes(MAX_RECORD_BYTES + 1))
    with pytest.raises(ValueError, match="at most"):
        store.write_document("mark", "a", bytes(MAX_DOCUMENT_BYTES + 1))


def test_records_are_bounded_in_number() -> None:
    """One record more than a store keeps is a ValueError that says what to do."""
    store = MemoryActivityStore()
    for number in range(MAX_RECORDS):
        store.write_record("mark", f"{number}", b"")
    with pytest.raises(ValueError, match="remove one"):
        store.write_record("mark", "one more", b"")


def test_a_name_that_is_none_is_refused(store: ActivityStore) -> None:
    """Records and documents have names like components."""
    for call in (store.read_record, store.read_document):
        with pytest.raises(ValueError, match="name"):
            call("mark", "")


def test_a_document_is_found_again(either: Callable[[], ActivityStore]) -> None:
    """A document outlives the store that wrote it; written again it is replaced, None removes it."""
    first = either()
    first.write_document("manifest", "a", b"old")
    first.write_document("manifest", "a", b"new")
    first.write_document("manifest", "b", b"other")
    first.write_document("manifest", "b", None)
    first.close()
    store = either()
    assert (store.read_document("manifest", "a"), store.read_document("manifest", "b")) == (b"new", None)


def test_a_record_is_seen_by_others(either: Callable[[], ActivityStore]) -> None:
    """What one store writes, another one on the same database reads."""
    first, second = either(), either()
    first.write_record("mark", "a", b"1")
    eventually(lambda: second.read_record("mark", "a") == b"1", what="the record is seen")


def test_a_closed_store_knows_its_records(either: Callable[[], ActivityStore]) -> None:
    """Closed, a store answers what it knew, and refuses changes."""
    store = either()
    store.write_record("mark", "a", b"1")
    store.close()
    assert store.read_record("mark", "a") == b"1"
    with pytest.raises(ActivityStoreError, match="closed"):
        store.write_record("mark", "a", b"2")


@pytest.mark.postgres
def test_a_record_outlives_a_database_that_lost_it(
    shared: Callable[[], PostgresActivityStore], recorder: Recorder
) -> None:
    """A record that is gone from a database that replicas share is brought back, and the state is suspect."""
    store = shared()
    store.write_record("mark", "a", b"1")
    with store._transaction() as (connection, _):
        connection.execute(f"DELETE FROM {store._server.schema}.records".encode())
    store.write_record("mark", "b", b"2")
    assert store.records("mark") == shared().records("mark") == {"a": b"1", "b": b"2"}
    assert [event.reason for event in recorder.of(ActivityStateSuspect)] == ["rows_lost"]


def _removed(path: Path) -> None:
    shutil.rmtree(path.parent)


def _emptied(path: Path) -> None:
    for suffix in SUFFIXES:
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    path.touch()


def _damaged(path: Path) -> None:
    for suffix in SUFFIXES[1:]:
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    path.write_bytes(b"no database" * 100)


def _replaced(path: Path) -> None:
    _removed(path)
    with closing(DomainActivityStore(path, witness=path.parent / "elsewhere" / "witness")) as other:
        other.write_record("mark", "a", b"1")


def _without_rows(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM activity_records")
        connection.commit()


def _with_other_rows(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE activity_records SET value = ?", (b"1",))
        connection.commit()


@pytest.mark.parametrize("attack", [_removed, _emptied, _damaged, _replaced, _without_rows, _with_other_rows])
def test_a_record_outlives_what_is_done_to_the_database(
    lasting: Callable[[], ActivityStore], path: Path, recorder: Recorder, attack: Callable[[Path], None]
) -> None:
    """Whatever becomes of the database between two starts, the last record holds, and that it was touched is told."""
    store = lasting()
    store.write_record("mark", "a", b"7")
    store.close()
    attack(path)
    assert lasting().read_record("mark", "a") == b"7"
    assert recorder.of(ActivityStateSuspect)


def test_an_older_copy_does_not_bring_back_an_older_record(
    lasting: Callable[[], ActivityStore], path: Path, tmp_path: Path, recorder: Recorder
) -> None:
    """Where an older copy of the directory is put back, the newer record holds."""
    store = lasting()
    store.write_record("mark", "a", b"1")
    store.close()
    shutil.copytree(path.parent, tmp_path / "backup")
    store = lasting()
    store.write_record("mark", "a", b"7")
    store.close()
    shutil.rmtree(path.parent)
    shutil.copytree(tmp_path / "backup", path.parent)
    assert lasting().read_record("mark", "a") == b"7"
    assert [event.reason for event in recorder.of(ActivityStateSuspect)] == ["restored"]


def test_recovery_keeps_the_records(lasting: Callable[[], ActivityStore], path: Path) -> None:
    """Deciding which account of the pauses is right gives no record up."""
    store = lasting()
    store.write_record("mark", "a", b"7")
    store.close()
    _removed(path)
    again = lasting()
    again.recover("database")
    assert (again.read_record("mark", "a"), again.suspicion) == (b"7", None)
