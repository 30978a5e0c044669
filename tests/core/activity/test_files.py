"""The activity store's file: other processes, locks, damage, older files."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from support import counts

from oneiric.core.activity import ActivityStoreError, DomainActivity, DomainActivityStore
from oneiric.core.activity.database import FileDamagedError
from oneiric.core.events import HookFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support import Clock, Recorder

    from oneiric.core.observers import Observers

OLD_SCHEMA = """CREATE TABLE activity (
    domain TEXT, key TEXT, paused INTEGER, draining INTEGER, note TEXT, PRIMARY KEY (domain, key))"""
PAUSED = DomainActivity(paused=True, note="why")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file is."""
    return tmp_path / "activity.sqlite"


@pytest.fixture
def open_store(path: Path, observers: Observers, clock: Clock) -> Iterator[Callable[[], DomainActivityStore]]:
    """Opens the store, as often as wanted, and closes what was opened."""
    opened: list[DomainActivityStore] = []

    def open_store() -> DomainActivityStore:
        opened.append(DomainActivityStore(path, observers=observers, busy_timeout=0.02, clock=clock))
        return opened[-1]

    yield open_store
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store: Callable[[], DomainActivityStore]) -> DomainActivityStore:
    """A store with one paused component, all of it in the main file."""
    store = open_store()
    store.set("task", "x", PAUSED)
    checkpoint(store.path)
    return store


def checkpoint(path: Path) -> None:
    """Bring everything from the log into the file."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def run(code: str, *arguments: object) -> subprocess.Popen[bytes]:
    """Run *code* in a process of its own."""
    return subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], stdout=subprocess.PIPE)


def aside(path: Path) -> list[Path]:
    """Return the main files that were moved aside."""
    return [other for other in path.parent.glob(f"{path.name}.quarantine-*") if other.name.endswith("Z")]


def errors(recorder: Recorder) -> list[str]:
    """Return the errors of failed hooks, which all must be the store's."""
    failed = recorder.of(HookFailed)
    assert {event.sink for event in failed} <= {"activity_store"}
    return [event.error for event in failed]


def test_a_state_survives_reopening(store: DomainActivityStore, open_store: Callable[[], DomainActivityStore]) -> None:
    """What was written is there for the next process, with the time of the pause."""
    store.close()
    again = open_store()
    assert (again.snapshot(), max(count.oldest_pause for count in counts(again))) == ({"task": {"x": PAUSED}}, 1000.0)


def test_a_new_directory_is_private(tmp_path: Path) -> None:
    """The directory of the file is made for its owner alone."""
    DomainActivityStore(tmp_path / "state" / "a.sqlite").close()
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700


def test_another_stores_change_is_seen_at_once(
    store: DomainActivityStore, open_store: Callable[[], DomainActivityStore]
) -> None:
    """Two stores on one file agree, in reads and in what a scrape shows."""
    other = open_store()
    other.change("task", "x", paused=False, draining=True)
    found = [(count.paused, count.draining) for count in counts(store) if count.domain == "task"]
    assert (found, store.get("task", "x")) == ([(0, 1)], DomainActivity(draining=True, note="why"))


CHANGES = """
import sys
from oneiric.core.activity import DomainActivityStore
store = DomainActivityStore(sys.argv[1], busy_timeout=30)
for turn in range(30):
    store.change("task", f"key-{turn}", **{sys.argv[2]: True})
    store.change("task", "both", note=f"{sys.argv[2]} {turn}", **{sys.argv[2]: turn % 2 == 1})
store.close()
"""


def test_two_processes_lose_no_update(path: Path, open_store: Callable[[], DomainActivityStore]) -> None:
    """Two processes that open one new file and change different flags of the same components lose no change."""
    with run(CHANGES, path, "paused") as one, run(CHANGES, path, "draining") as other:
        codes = [one.wait(120), other.wait(120)]
    activities = open_store().all_for_domain("task")
    both = activities.pop("both")
    assert (codes, both.paused, both.draining, activities) == (
        [0, 0],
        True,
        True,
        {f"key-{turn}": DomainActivity(paused=True, draining=True) for turn in range(30)},
    )


ENDLESS = """
import sys
from oneiric.core.activity import DomainActivityStore
store = DomainActivityStore(sys.argv[1])
turn = 0
while True:
    turn += 1
    store.change("task", "x", paused=True, draining=True, note=str(turn))
    store.change("task", f"key-{turn % 50}", paused=turn % 3 == 0)
    print(f"{turn}\\n", end="", flush=True)
"""


def test_a_killed_writer_leaves_a_whole_file(
    path: Path, open_store: Callable[[], DomainActivityStore], recorder: Recorder
) -> None:
    """After kill -9 in the middle of writing, what was told to be written is there and nothing is damaged."""
    written = 0
    for _ in range(3):
        with run(ENDLESS, path) as process:
            assert process.stdout is not None
            first = [process.stdout.readline() for _ in range(20)]
            process.kill()
            written = int([*first, *process.stdout][-1])
        note = open_store().get("task", "x").note
        assert note in {str(written), str(written + 1)}
    assert (errors(recorder), aside(path)) == ([], [])


@pytest.mark.parametrize("content", [b"not a database", bytes(range(256)) * 40, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_file_that_is_no_database_is_moved_aside(
    path: Path, open_store: Callable[[], DomainActivityStore], recorder: Recorder, content: bytes
) -> None:
    """At the start, such a file is kept under another name, told of, and replaced by a fresh one."""
    path.write_bytes(content)
    store = open_store()
    store.change("task", "x", paused=True)
    (kept,) = aside(path)
    assert (kept.read_bytes(), errors(recorder), store.get("task", "x").paused) == (
        content,
        [f"{path}: damaged; moved to {kept.name} and written anew"],
        True,
    )


@pytest.mark.parametrize("size", [1, 16, 99, 100, 101, 1000, 4095, 4096, 4097, 8191, 8192, 12287])
def test_a_file_truncated_while_closed_does_not_stop_the_runtime(
    store: DomainActivityStore, open_store: Callable[[], DomainActivityStore], size: int
) -> None:
    """Wherever the file was cut, it is moved aside, and the fresh one works and has what the witness knows."""
    store.close()
    whole = store.path.read_bytes()
    assert size < len(whole)
    store.path.write_bytes(whole[:size])
    again = open_store()
    again.change("task", "y", draining=True)
    (kept,) = aside(store.path)
    assert (kept.read_bytes(), again.snapshot()) == (
        whole[:size],
        {"task": {"x": PAUSED, "y": DomainActivity(draining=True)}},
    )


def test_an_empty_file_is_a_fresh_one(
    path: Path, open_store: Callable[[], DomainActivityStore], recorder: Recorder
) -> None:
    """A file of no bytes is not damaged."""
    path.touch()
    assert (open_store().snapshot(), errors(recorder), aside(path)) == ({}, [], [])


@pytest.mark.parametrize("size", [0, 1, 50, 100, 4096, 5000, 8192])
def test_a_file_truncated_in_use_is_written_anew(
    store: DomainActivityStore, open_store: Callable[[], DomainActivityStore], recorder: Recorder, size: int
) -> None:
    """What this process knows survives a file cut short under it, and is in the fresh file."""
    with store.path.open("rb+") as file:
        file.truncate(size)
    store.change("task", "y", draining=True)
    expected = {"task": {"x": PAUSED, "y": DomainActivity(draining=True)}}
    assert (store.snapshot(), open_store().snapshot(), len(aside(store.path))) == (expected, expected, 1)
    assert len(errors(recorder)) == 1


def test_garbage_in_use_is_noticed_by_a_read_too(store: DomainActivityStore, recorder: Recorder) -> None:
    """A read repairs as a write does, and answers what was known."""
    store.path.write_bytes(b"garbage" * 2000)
    store._file.reread()
    assert (store.get("task", "x"), len(aside(store.path)), len(errors(recorder))) == (PAUSED, 1, 1)


def test_a_removed_file_is_written_anew(
    store: DomainActivityStore, open_store: Callable[[], DomainActivityStore], recorder: Recorder
) -> None:
    """Emptying the directory of a running process costs no pause, and other processes find them again."""
    for file in store.path.parent.iterdir():
        file.unlink()
    assert (store.get("task", "x"), open_store().get("task", "x"), errors(recorder)) == (
        PAUSED,
        PAUSED,
        [f"{store.path}: was removed while in use"],
    )


def test_damage_is_repaired_once_by_two_stores(
    store: DomainActivityStore, open_store: Callable[[], DomainActivityStore]
) -> None:
    """Two processes that find the same damage do not move each other's fresh file aside."""
    other = open_store()
    other.snapshot()
    store.path.write_bytes(b"garbage" * 2000)
    store.change("task", "y", paused=True)
    other.change("task", "z", paused=True)
    assert (len(aside(store.path)), sorted(store.all_for_domain("task"))) == (1, ["x", "y", "z"])


def test_damage_is_repaired_once_by_two_threads(store: DomainActivityStore) -> None:
    """A thread that comes second with the same damage leaves the fresh file alone."""
    store.path.write_bytes(b"garbage" * 2000)
    store._file.reread()
    with pytest.raises(FileDamagedError) as damage:
        store._file.read()
    store._repair(damage.value, wait=1)
    store._repair(damage.value, wait=1)
    assert (len(aside(store.path)), store.get("task", "x")) == (1, PAUSED)


def test_a_dropped_table_is_written_anew(store: DomainActivityStore, recorder: Recorder) -> None:
    """A file that another program emptied is damaged too: what this process knows is in the fresh one."""
    other = sqlite3.connect(store.path)
    other.execute("DROP TABLE activity")
    other.commit()
    other.close()
    assert (store.get("task", "x"), len(aside(store.path)), errors(recorder)) == (
        PAUSED,
        1,
        [f"{store.path}: was written over while in use: has lost pauses or drains that nobody ended"],
    )


def test_a_scrape_does_not_repair(store: DomainActivityStore, recorder: Recorder) -> None:
    """Reading the states of a damaged file answers what was known and leaves the rest to the next read."""
    store.path.unlink()
    found = sum(count.paused for count in counts(store))
    assert (found, store.path.exists(), errors(recorder)) == (1, False, [])


def test_a_locked_file_refuses_writes_and_answers_reads(store: DomainActivityStore, recorder: Recorder) -> None:
    """While another connection writes, a change says who to look for; reads, even new ones, do not wait."""
    with_lock = sqlite3.connect(store.path, isolation_level=None)
    with_lock.execute("BEGIN EXCLUSIVE")
    with_lock.execute("UPDATE activity SET draining = 1")
    with pytest.raises(
        ActivityStoreError, match=r"locked by another process for more than 0.02 s; find it with 'fuser"
    ):
        store.change("task", "x", paused=False)
    store._file.reread()
    answers = (store.get("task", "x"), sum(count.paused for count in counts(store)))
    with_lock.execute("COMMIT")
    with_lock.close()
    assert (answers, store.get("task", "x").draining, errors(recorder)) == ((PAUSED, 1), True, [])


def test_a_file_that_cannot_be_read_is_answered_from_memory(store: DomainActivityStore, recorder: Recorder) -> None:
    """Where even reading fails, reads answer what was last known and report it; a scrape only answers."""
    assert store._file._connections.reader is not None
    store._file._connections.reader.set_authorizer(lambda *_: sqlite3.SQLITE_DENY)
    found = sum(count.paused for count in counts(store))
    assert (found, errors(recorder)) == (1, [])
    assert (store.get("task", "x"), store.snapshot(), errors(recorder)) == (
        PAUSED,
        {"task": {"x": PAUSED}},
        ["not authorized", "not authorized"],
    )


def test_a_scrape_does_not_wait_for_a_repair(store: DomainActivityStore) -> None:
    """While another thread holds the reader, the states are what was last known."""
    with store._lock.held:
        assert sum(count.paused for count in counts(store)) == 1


def test_an_older_file_gets_the_new_column(
    path: Path, open_store: Callable[[], DomainActivityStore], clock: Clock
) -> None:
    """A file without pause times is taken over; its pauses count from now."""
    old = sqlite3.connect(path)
    old.execute(OLD_SCHEMA)
    old.execute("INSERT INTO activity VALUES ('task', 'x', 1, 0, 'why'), ('task', 'y', 0, 1, NULL)")
    old.commit()
    old.close()
    store = open_store()
    clock.advance(60)
    assert (store.all_for_domain("task"), max(count.oldest_pause for count in counts(store))) == (
        {"x": PAUSED, "y": DomainActivity(draining=True)},
        1000.0,
    )


def test_a_program_without_the_new_column_can_write(store: DomainActivityStore, clock: Clock) -> None:
    """Rows of an older program on the same file are read; the pause counts from when it was first seen."""
    clock.advance(60)
    other = sqlite3.connect(store.path)
    other.execute("INSERT INTO activity (domain, key, paused, draining) VALUES ('service', 'z', 1, 0)")
    other.commit()
    first = [count.oldest_pause for count in counts(store) if count.domain == "service"]
    clock.advance(60)
    other.execute("INSERT INTO activity (domain, key, paused, draining) VALUES ('event', 'z', 0, 1)")
    other.commit()
    other.close()
    assert (first, [count.oldest_pause for count in counts(store) if count.domain == "service"]) == (
        [1060.0],
        [1060.0],
    )


def test_rows_that_make_no_sense_are_passed_over(store: DomainActivityStore) -> None:
    """Whatever another program wrote, names that cannot be labels are left out and values are understood."""
    other = sqlite3.connect(store.path)
    rows = [("task", "a\nb", 1), ("", "x", 1), (b"\xff", "x", 1), ("task", "k" * 257, 1), ("task", "odd", "yes")]
    other.executemany(
        "INSERT INTO activity (domain, key, paused, draining, note, paused_at) VALUES (?, ?, ?, 0, x'ff', 'z')", rows
    )
    other.commit()
    other.close()
    assert store.snapshot() == {"task": {"x": PAUSED, "odd": DomainActivity(paused=True)}}


@pytest.mark.parametrize("there", ["/dev/null", "/dev"])
def test_what_is_no_file_is_refused(there: str) -> None:
    """A device or a directory at the path is called that, and the error says what to set."""
    text = (
        rf"^{there}: is a directory or a device, not a file; set runtime_paths\.domain_activity_path to the path of a"
    )
    with pytest.raises(ActivityStoreError, match=text):
        DomainActivityStore(there, busy_timeout=0.01)


def test_another_programs_table_is_left_alone(path: Path) -> None:
    """A database whose table is of another kind is neither changed nor moved, and the error says what to do."""
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE activity (id INTEGER, what TEXT)")
    other.commit()
    other.close()
    before = path.read_bytes()
    with pytest.raises(
        ActivityStoreError, match=r"is not an activity store \(.*set runtime_paths.domain_activity_path"
    ):
        DomainActivityStore(path)
    assert (aside(path), before[100:] == path.read_bytes()[100:]) == ([], True)


@pytest.mark.parametrize("where", ["file/activity.sqlite", "file/below/activity.sqlite"])
def test_a_place_that_cannot_be_written_is_a_clear_error(tmp_path: Path, where: str) -> None:
    """A file in the way is reported with the path and what is needed."""
    (tmp_path / "file").touch()
    with pytest.raises(ActivityStoreError, match=r"cannot be used \(.*must be writable by this user"):
        DomainActivityStore(tmp_path / where)


def test_a_directory_that_vanished_for_good_is_told(tmp_path: Path, observers: Observers, recorder: Recorder) -> None:
    """Where the file cannot be written anew, reads answer what was known, writes raise, and it heals when it can."""
    store = DomainActivityStore(tmp_path / "state" / "a.sqlite", observers=observers)
    store.change("task", "x", paused=True)
    (tmp_path / "state").rename(tmp_path / "gone")
    (tmp_path / "state").touch()
    known = store.get("task", "x").paused
    with pytest.raises(ActivityStoreError, match="must be writable by this user"):
        store.change("task", "x", paused=False)
    (tmp_path / "state").unlink()
    healed = store.change("task", "y", paused=True).paused
    names = sorted(store.all_for_domain("task"))
    store.close()
    assert (known, healed, names) == (True, True, ["x", "y"])
    assert errors(recorder)


def test_a_table_of_another_kind_put_in_place_is_left_alone(store: DomainActivityStore) -> None:
    """A database that is whole is never moved aside because its table is another program's; a write says what to do."""
    other = sqlite3.connect(store.path)
    other.executescript("DROP TABLE activity; CREATE TABLE activity (id INTEGER, what TEXT)")
    other.close()
    with pytest.raises(ActivityStoreError, match="is not an activity store"):
        store.change("task", "y", paused=True)
    assert (store.get("task", "x"), aside(store.path)) == (PAUSED, [])
