"""The second witness: paused never turns into running in silence, whatever happens to the file."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from oneiric.core.activity import ActivityStoreError, DomainActivity, DomainActivityStore
from oneiric.core.activity.witness import Witness, witness_path
from oneiric.core.events import (
    ActivityStateRecovered,
    ActivityStateSuspect,
    ActivityStoreState,
    DrainStarted,
    HookFailed,
    Paused,
    Resumed,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support import Clock, Recorder

    from oneiric.core.activity import Account
    from oneiric.core.observers import Observers

PAUSED = DomainActivity(paused=True, note="why")
SUFFIXES = ("", "-wal", "-shm")


class Bench:
    """A store's file in a directory of its own, and what can happen to it.

    Attributes:
        path: The file.
        witness: That of the witness.
    """

    def __init__(self, directory: Path, observers: Observers, clock: Clock) -> None:
        (directory / "state").mkdir()
        self.path = directory / "state" / "activity.sqlite"
        self.witness = directory / "home" / "witness.json"
        self.opened: list[DomainActivityStore] = []
        self._observers = observers
        self._clock = clock
        self._backup = directory / "backup.sqlite"
        self._other = directory / "other.sqlite"

    def open(self) -> DomainActivityStore:
        """Return a store on the file, as another process has it."""
        store = DomainActivityStore(self.path, observers=self._observers, clock=self._clock, witness=self.witness)
        self.opened.append(store)
        return store

    def crash(self, store: DomainActivityStore) -> None:
        """Leave the files as a process leaves them that is killed: with the log, nothing of it in the main file."""
        left = {suffix: Path(f"{self.path}{suffix}").read_bytes() for suffix in ("", "-wal")}
        store.close()
        for suffix, content in left.items():
            Path(f"{self.path}{suffix}").write_bytes(content)

    def back_up(self) -> None:
        """Copy the file, which nobody has open."""
        shutil.copyfile(self.path, self._backup)

    def emptied(self) -> None:
        """Empty the file."""
        self.path.write_bytes(b"")

    def truncated(self) -> None:
        """Cut the file, whose log holds everything."""
        os.truncate(self.path, 0)

    def removed(self) -> None:
        """Delete everything in the directory."""
        for file in self.path.parent.iterdir():
            file.unlink()

    def replaced(self) -> None:
        """Put another store's file in the place of this one's."""
        other = DomainActivityStore(self._other, witness=self._other.with_suffix(".json"))
        other.change("task", "new", draining=True)
        other.close()
        self._drop_log()
        self._other.replace(self.path)

    def rows_lost(self) -> None:
        """Delete the rows."""
        other = sqlite3.connect(self.path)
        other.execute("DELETE FROM activity")
        other.commit()
        other.close()

    def restored(self) -> None:
        """Put the old copy in the place of the file."""
        self._drop_log()
        shutil.copyfile(self._backup, self.path.with_suffix(".new"))
        self.path.with_suffix(".new").replace(self.path)

    def overwritten(self) -> None:
        """Write the old copy over the file."""
        other = sqlite3.connect(self.path)
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        other.close()
        self.path.write_bytes(self._backup.read_bytes())

    def _drop_log(self) -> None:
        for suffix in SUFFIXES[1:]:
            Path(f"{self.path}{suffix}").unlink(missing_ok=True)


@pytest.fixture
def bench(tmp_path: Path, observers: Observers, clock: Clock) -> Iterator[Bench]:
    """The file, and what can happen to it."""
    bench = Bench(tmp_path, observers, clock)
    yield bench
    for store in bench.opened:
        store.close()


@pytest.fixture
def store(bench: Bench) -> DomainActivityStore:
    """A store with one paused component, and an old copy of its file without."""
    earlier = bench.open()
    earlier.change("task", "old", draining=True)
    earlier.close()
    bench.back_up()
    store = bench.open()
    store.change("task", "old", draining=False)
    store.set("task", "x", PAUSED)
    return store


def is_suspect(store: DomainActivityStore) -> bool:
    """Return whether a scrape says that the state is suspect."""
    (state,) = [state for state in store.states() if isinstance(state, ActivityStoreState)]
    return state.suspect


def quarantined(bench: Bench) -> list[str]:
    """Return the names of the files that were moved aside."""
    return sorted(file.name for file in bench.path.parent.iterdir() if ".quarantine-" in file.name)


AT_THE_START = {
    Bench.emptied: "emptied",
    Bench.truncated: "emptied",
    Bench.removed: "removed",
    Bench.replaced: "replaced",
    Bench.rows_lost: "rows_lost",
    Bench.restored: "restored",
}
IN_USE = AT_THE_START | {Bench.overwritten: "restored"}


@pytest.mark.parametrize(("happens", "reason"), AT_THE_START.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_what_was_paused_stays_so_at_the_next_start(
    bench: Bench, store: DomainActivityStore, recorder: Recorder, happens: Callable[[Bench], None], reason: str
) -> None:
    """Whatever happens to the file while nobody has it open: the pause is in force, and the state is suspect."""
    bench.crash(store)
    happens(bench)
    again = bench.open()
    told = [event.reason for event in recorder.of(ActivityStateSuspect)]
    assert (again.get("task", "x"), told, is_suspect(again)) == (PAUSED, [reason], True)


@pytest.mark.parametrize(("happens", "reason"), IN_USE.items(), ids=lambda value: getattr(value, "__name__", ""))
@pytest.mark.parametrize("act", ["reads", "writes"])
def test_what_was_paused_stays_so_in_a_running_process(  # noqa: PLR0917 - fixtures and parameters
    bench: Bench,
    store: DomainActivityStore,
    recorder: Recorder,
    happens: Callable[[Bench], None],
    reason: str,
    act: str,
) -> None:
    """Whatever happens to the file in use, the next read or change finds it out, and the file has it again."""
    happens(bench)
    if act == "reads":
        store.get("task", "x")
    else:
        store.change("task", "y", draining=True)
    told = [event.reason for event in recorder.of(ActivityStateSuspect)]
    known = (store.get("task", "x"), bench.open().get("task", "x"))
    assert (known, told, is_suspect(store)) == ((PAUSED, PAUSED), [reason], True)
    assert store.get("task", "y").draining == (act == "writes")


@pytest.mark.parametrize("happens", [Bench.truncated, Bench.rows_lost], ids=lambda value: value.__name__)
def test_all_files_are_moved_aside_together(
    bench: Bench, store: DomainActivityStore, recorder: Recorder, happens: Callable[[Bench], None]
) -> None:
    """The file, its log and its index go to quarantine under one name, which the event says."""
    happens(bench)
    store.get("task", "x")
    (event,) = recorder.of(ActivityStateSuspect)
    assert quarantined(bench) == [f"{event.quarantine}{suffix}" for suffix in ("", "-shm", "-wal")]
    assert event.held == 1


def test_two_processes_notice_it_once(bench: Bench, store: DomainActivityStore, recorder: Recorder) -> None:
    """Another process with the file open takes the new one over, knows that it is suspect, and moves nothing."""
    other = bench.open()
    other.get("task", "x")
    bench.rows_lost()
    store.get("task", "x")
    assert (other.get("task", "x"), is_suspect(other)) == (PAUSED, True)
    assert (len(recorder.of(ActivityStateSuspect)), len(quarantined(bench))) == (1, 3)


def test_where_nothing_was_paused_nothing_is_suspect(bench: Bench, recorder: Recorder) -> None:
    """A directory that is emptied while everything runs is a fresh start, of which there is nothing to decide."""
    store = bench.open()
    store.change("task", "x", paused=True)
    store.change("task", "x", paused=False)
    store.close()
    bench.removed()
    again = bench.open()
    assert (again.snapshot(), is_suspect(again), recorder.of(ActivityStateSuspect)) == ({}, False, [])


def test_paused_wins_where_the_accounts_differ(bench: Bench, store: DomainActivityStore) -> None:
    """While nobody has decided, everything is held back that either account holds back."""
    bench.restored()
    assert store.all_for_domain("task") == {"x": PAUSED, "old": DomainActivity(draining=True)}


@pytest.mark.parametrize(
    ("account", "kept"),
    [("witness", {"x": PAUSED}), ("database", {"old": DomainActivity(draining=True)})],
)
def test_a_decision_ends_it(
    bench: Bench, store: DomainActivityStore, recorder: Recorder, account: Account, kept: dict[str, DomainActivity]
) -> None:
    """What the chosen account says is kept, beside what was changed since; every process knows, and it is reported."""
    bench.restored()
    store.change("task", "since", paused=True)
    store.recover(account)
    other = bench.open()
    expected = kept | {"since": DomainActivity(paused=True)}
    assert [one.all_for_domain("task") for one in (store, other)] == [expected, expected]
    assert (is_suspect(store), is_suspect(other)) == (False, False)
    assert recorder.of(ActivityStateRecovered) == [ActivityStateRecovered(account=account, held=2)]


def test_a_decision_reports_what_it_changes(bench: Bench, store: DomainActivityStore, recorder: Recorder) -> None:
    """A pause that ends by a decision is a transition like any other."""
    bench.restored()
    store.get("task", "x")
    recorder.told.clear()
    store.recover("database")
    changes = [
        (type(event), event.key) for event in recorder.told if isinstance(event, (Paused, Resumed, DrainStarted))
    ]
    assert changes == [(Resumed, "x")]


def test_an_undecided_state_stays_suspect_over_restarts(
    bench: Bench, store: DomainActivityStore, recorder: Recorder
) -> None:
    """The next process knows that nobody has decided, and reports nothing a second time."""
    bench.emptied()
    store.get("task", "x")
    store.close()
    again = bench.open()
    assert again.suspicion is not None
    assert (again.suspicion.reason, again.suspicion.database, len(recorder.of(ActivityStateSuspect))) == (
        "emptied",
        {},
        1,
    )


def test_nothing_suspect_is_nothing_to_recover(store: DomainActivityStore) -> None:
    """A decision where none is due is refused."""
    with pytest.raises(ActivityStoreError, match="nothing is suspect: there is nothing to recover"):
        store.recover("witness")


def test_a_database_that_cannot_be_read_has_no_account(bench: Bench, store: DomainActivityStore) -> None:
    """What was damaged beyond reading can be recovered from the witness only, and stays suspect until then."""
    store.close()
    bench.path.write_bytes(b"garbage" * 2000)
    again = bench.open()
    with pytest.raises(ActivityStoreError, match="could not be read; recover from the witness"):
        again.recover("database")
    again.recover("witness")
    assert (again.get("task", "x"), is_suspect(again)) == (PAUSED, False)


def test_a_crash_before_the_witness_is_written_is_no_tampering(
    bench: Bench, store: DomainActivityStore, recorder: Recorder
) -> None:
    """A file that is ahead of its witness is believed, and the witness catches up at the start."""
    before = bench.witness.read_bytes()
    store.change("task", "x", paused=False)
    store.change("task", "y", paused=True)
    bench.crash(store)
    bench.witness.write_bytes(before)
    again = bench.open()
    kept = Witness(bench.witness).read()
    assert (again.all_for_domain("task"), recorder.of(ActivityStateSuspect)) == (
        {"x": DomainActivity(note="why"), "y": DomainActivity(paused=True)},
        [],
    )
    assert kept is not None
    assert [name for (_, name), row in kept.rows.items() if row.paused] == ["y"]


def test_a_file_that_is_older_than_witnesses_gets_one(bench: Bench, recorder: Recorder) -> None:
    """A file of an earlier version is taken over with its pauses, which are witnessed from then on."""
    old = sqlite3.connect(bench.path)
    old.execute("CREATE TABLE activity (domain, key, paused, draining, note, PRIMARY KEY (domain, key))")
    old.execute("INSERT INTO activity VALUES ('task', 'x', 1, 0, 'why')")
    old.commit()
    old.close()
    bench.open().close()
    bench.removed()
    assert (bench.open().get("task", "x"), [event.reason for event in recorder.of(ActivityStateSuspect)]) == (
        PAUSED,
        ["removed"],
    )


def test_a_pause_that_another_program_writes_is_believed(
    bench: Bench, store: DomainActivityStore, recorder: Recorder
) -> None:
    """Rows that hold back more, written without a generation as older versions do, take effect at once."""
    other = sqlite3.connect(bench.path)
    other.execute("INSERT INTO activity (domain, key, paused, draining) VALUES ('task', 'y', 1, 0)")
    other.commit()
    other.close()
    assert (store.get("task", "y").paused, recorder.of(ActivityStateSuspect)) == (True, [])


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"identity": 1}', b"\xff"])
def test_a_witness_that_makes_no_sense_is_written_anew(
    bench: Bench, store: DomainActivityStore, recorder: Recorder, content: bytes
) -> None:
    """A damaged witness neither stops the store nor makes the file suspect; the next change mends it."""
    store.close()
    bench.witness.write_bytes(content)
    again = bench.open()
    again.change("task", "y", paused=True)
    kept = Witness(bench.witness).read()
    assert kept is not None
    assert (len(kept.rows), recorder.of(ActivityStateSuspect)) == (2, [])


def test_a_witness_that_cannot_be_written_is_reported(
    bench: Bench, recorder: Recorder, observers: Observers, tmp_path: Path
) -> None:
    """Without a place for the witness changes stand, the store says what it lacks, and a scrape shows it."""
    (tmp_path / "file").touch()
    store = DomainActivityStore(bench.path, observers=observers, witness=tmp_path / "file" / "witness.json")
    bench.opened.append(store)
    store.change("task", "x", paused=True)
    (state,) = [state for state in store.states() if isinstance(state, ActivityStoreState)]
    errors = [event.error for event in recorder.of(HookFailed)]
    assert (store.get("task", "x").paused, state.unwitnessed, len(errors)) == (True, True, 1)
    assert "witness.json: no second witness: " in errors[0]


def test_a_store_that_never_paused_anything_leaves_no_witness(bench: Bench) -> None:
    """Nothing is written outside the directory before there is something to witness."""
    bench.open().close()
    assert not bench.witness.parent.exists()


@pytest.mark.parametrize("mode", [0o700, 0o755])
def test_files_are_private(bench: Bench, mode: int) -> None:
    """Every file is for its owner alone, in a directory of whatever mode, and whatever its mode was before."""
    bench.path.parent.chmod(mode)
    umask = os.umask(0o022)
    try:
        bench.path.touch(0o644)
        store = bench.open()
        store.change("task", "x", paused=True)
    finally:
        os.umask(umask)
    files = [*bench.path.parent.iterdir(), *bench.witness.parent.iterdir()]
    assert {file.name: stat.S_IMODE(file.stat().st_mode) for file in files} == dict.fromkeys(
        ("activity.sqlite", "activity.sqlite-wal", "activity.sqlite-shm", "witness.json", "witness.lock"), 0o600
    )


@pytest.mark.parametrize(
    ("database", "environ", "place"),
    [
        ("/data/state/a.sqlite", {"STATE_DIRECTORY": "/var/lib/oneiric"}, "/var/lib/oneiric"),
        ("/var/lib/oneiric/s/a.sqlite", {"STATE_DIRECTORY": "/var/lib/oneiric", "HOME": "/h"}, "/h/.local/state"),
        ("/var/lib/one/a.sqlite", {"STATE_DIRECTORY": "/var/lib/one:/var/lib/two"}, "/var/lib/two"),
        ("/data/a.sqlite", {"XDG_STATE_HOME": "/x", "HOME": "/h"}, "/x"),
        ("/data/a.sqlite", {"XDG_STATE_HOME": "relative", "HOME": "/h"}, "/h/.local/state"),
        ("/h/.local/state/oneiric/a.sqlite", {"HOME": "/h"}, "/h/.local/state"),
        ("/h/.local/state/a.sqlite", {"HOME": "/h"}, None),
    ],
)
def test_the_witness_is_never_in_the_directory_it_witnesses(
    database: str, environ: dict[str, str], place: str | None
) -> None:
    """It lies in the service's state directory, or else in the user's, whichever the database is not in."""
    path = witness_path(Path(database), environ)
    assert (path and str(path.parent)) == (place and f"{place}/oneiric-witness")


def test_every_database_has_a_witness_of_its_own() -> None:
    """Databases of one name in different directories have different witnesses."""
    environ = {"HOME": "/h"}
    assert witness_path(Path("/a/x.sqlite"), environ) != witness_path(Path("/b/x.sqlite"), environ)


def test_the_witness_says_what_is_kept(bench: Bench, store: DomainActivityStore) -> None:
    """It grows by one with every change, and holds what is paused or draining then."""
    before = json.loads(bench.witness.read_text())["generation"]
    store.change("task", "y", draining=True)
    after = json.loads(bench.witness.read_text())
    assert (after["generation"] - before, [row[:4] for row in after["rows"]]) == (
        1,
        [["task", "x", True, False], ["task", "y", False, True]],
    )
