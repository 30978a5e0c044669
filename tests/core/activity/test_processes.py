"""The activity store among processes: locks that others hold, full disks, forks, and many writers."""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest
from processes import PROGRAMS, executable

from oneiric.core.activity import DomainActivity, DomainActivityStore, places
from oneiric.core.activity import store as module
from oneiric.core.events import ActivityStoreState, HookFailed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support import Recorder

    from oneiric.core.observers import Observers

PATIENCE = 240
OLD_SCHEMA = "CREATE TABLE activity (domain, key, paused, draining, note, PRIMARY KEY (domain, key))"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file is."""
    return tmp_path / "activity.sqlite"


def start(what: str, *arguments: object) -> subprocess.Popen[str]:
    """Start a process that does *what* with the store."""
    command = [sys.executable, str(PROGRAMS / "activity.py"), what, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def output(what: str, *arguments: object) -> list[str]:
    """Return the lines of a process that does *what* with the store."""
    with start(what, *arguments) as process:
        lines, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    return lines.splitlines()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Have another process hold the database's lock."""
    with start("hold_lock", path) as process:
        assert said(process) == "held"
        yield
        tell(process, "go on")


def said(process: subprocess.Popen[str]) -> str:
    """Return the next line of *process*."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def tell(process: subprocess.Popen[str], line: str) -> None:
    """Write *line* to *process*."""
    assert process.stdin is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()


def is_unwritable(store: DomainActivityStore) -> bool:
    """Return whether a scrape says that nothing can be changed."""
    (state,) = [state for state in store.states() if isinstance(state, ActivityStoreState)]
    return state.unwritable


def test_a_change_takes_effect_at_once_in_every_process(path: Path) -> None:
    """The first look after a pause or resumption by another process shows it."""
    store = DomainActivityStore(path)
    seen = []
    with start("change_on_command", path) as process:
        for turn in range(20):
            tell(process, "pause" if turn % 2 == 0 else "resume")
            assert said(process) == "done"
            seen.append(store.get("task", "x").paused)
        process.communicate(timeout=PATIENCE)
    store.close()
    assert seen == [True, False] * 10


def test_a_start_under_a_lock_knows_what_is_paused(path: Path, observers: Observers, recorder: Recorder) -> None:
    """A store that another process has locked is read at the start, says what is in the way, and refuses no start."""
    first = DomainActivityStore(path)
    first.change("task", "x", paused=True)
    with locked(path):
        store = DomainActivityStore(path, observers=observers, busy_timeout=0)
        known = (store.get("task", "x").paused, is_unwritable(store))
    errors = [event.error for event in recorder.of(HookFailed)]
    store.change("task", "y", paused=True)
    after = (sorted(first.all_for_domain("task")), is_unwritable(store))
    store.close()
    first.close()
    assert (known, after) == ((True, True), (["x", "y"], False))
    assert "locked by another process" in errors[0]


def test_a_start_under_a_lock_that_forbids_reading_goes_by_the_witness(path: Path) -> None:
    """A file that cannot even be read, as one without a log under an exclusive lock, leaves what was witnessed."""
    first = DomainActivityStore(path)
    first.change("task", "x", paused=True)
    first.close()
    plain = sqlite3.connect(path)
    plain.execute("PRAGMA journal_mode = DELETE")
    plain.close()
    with locked(path):
        store = DomainActivityStore(path, busy_timeout=0)
        known = store.get("task", "x").paused
    store.close()
    assert known


def test_a_read_opens_the_file_once_the_lock_is_gone(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be opened is tried again by whoever reads."""
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.0)
    descriptor = os.open(path.parent, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    store = DomainActivityStore(path)
    store.get("task", "x")
    before = is_unwritable(store)
    os.close(descriptor)
    store.get("task", "x")
    after = is_unwritable(store)
    store.close()
    assert (before, after) == (True, False)


def test_a_read_does_not_wait_for_a_change_that_waits(path: Path) -> None:
    """While a change waits for a lock, in another thread say, reads answer what is known without waiting for it."""
    store = DomainActivityStore(path)
    store.change("task", "x", paused=True)
    path.unlink()  # the next read would repair
    with locked_by_thread(store):
        known = store.get("task", "x").paused
    store.close()
    assert known


@contextmanager
def locked_by_thread(store: DomainActivityStore) -> Iterator[None]:
    """Have another thread hold the lock of the store's writer."""
    taken, release = threading.Event(), threading.Event()

    def hold() -> None:
        with store._writing.held:
            taken.set()
            release.wait(PATIENCE)

    thread = threading.Thread(target=hold)
    thread.start()
    assert taken.wait(PATIENCE)
    yield
    release.set()
    thread.join(PATIENCE)


def test_a_full_disk_stops_no_start(path: Path) -> None:
    """Where nothing can be written the store starts with what is known, says so, and can be used when there is room."""
    first = DomainActivityStore(path)
    first.change("task", "x", paused=True)
    first.close()
    known, healed, errors = output("start_on_full_disk", path)
    assert (known, healed) == ("True", "True")
    assert "the disk is full" in errors


@pytest.mark.parametrize(("kind", "reported"), [("nfs4", True), ("ext4", False), ("tmpfs", False)])
def test_a_network_file_system_is_reported(  # noqa: PLR0917 - fixtures and parameters
    path: Path,
    observers: Observers,
    recorder: Recorder,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    reported: bool,
) -> None:
    """Where the kernel says that the file lies on another machine, the store says so at the start, and works."""
    mounts = path.with_name("mountinfo")
    mounts.write_text(f"1 0 8:1 / / rw - ext4 /dev/a rw\n2 1 0:9 / {path.parent} rw shared:1 - {kind} server:/x rw\n")
    monkeypatch.setattr(places, "MOUNTS", mounts)
    store = DomainActivityStore(path, observers=observers)
    store.change("task", "x", paused=True)
    store.close()
    errors = [event.error for event in recorder.of(HookFailed)]
    assert ["lies on a network file system (nfs4)" in error for error in errors] == [True] * reported


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("mount") is None, reason="needs root, to mount a small disk")
def test_a_file_system_without_room_stops_no_start(tmp_path: Path, observers: Observers, recorder: Recorder) -> None:
    """On a file system that is really full the store starts, says so, and works once there is room."""
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", tmp_path], check=False).returncode:
        pytest.skip("this machine does not let root mount a file system")
    try:
        filler = tmp_path / "filler"
        with suppress(OSError), filler.open("wb", buffering=0) as file:
            while file.write(b"x" * 4096):
                continue
        store = DomainActivityStore(tmp_path / "activity.sqlite", observers=observers)
        before = is_unwritable(store)
        filler.unlink()
        store.change("task", "x", paused=True)
        after = is_unwritable(store)
        store.close()
    finally:
        subprocess.run(["umount", tmp_path], check=True)
    assert (before, after) == (True, False)
    assert any("disk is full" in event.error for event in recorder.of(HookFailed))


def test_a_forked_child_shares_no_lock_and_no_connection(path: Path) -> None:
    """A child that was forked in the middle of a change uses the store, and so does its parent afterwards."""
    assert output("fork_while_locked", path) == [
        "['child', 'x']",
        "['child', 'x']",
        "['child', 'parent', 'x']",
    ]


def many(path: Path, *, processes: int, changes: int) -> dict[str, DomainActivity]:
    """Return what is kept after so many processes made so many changes each, all of which must have succeeded."""
    writers = [start("change_often", path, number, changes) for number in range(processes)]
    codes = [writer.wait(PATIENCE) for writer in writers]
    for writer in writers:
        writer.communicate()
    assert codes == [0] * processes
    store = DomainActivityStore(path)
    kept = store.all_for_domain("task")
    store.close()
    return kept


def test_many_processes_lose_no_change(path: Path) -> None:
    """Processes that open one new file at the same time keep every change."""
    assert len(many(path, processes=4, changes=15)) == 60


@pytest.mark.slow
def test_many_processes_lose_no_change_on_a_loaded_machine(path: Path) -> None:
    """Eight processes that write 150 changes each beside a loaded processor keep 1,200 of 1,200."""
    load = subprocess.Popen(
        [executable("stress-ng", package="stress-ng"), "--cpu", "4", "--timeout", f"{PATIENCE}s", "--quiet"]
    )
    try:
        kept = many(path, processes=8, changes=150)
    finally:
        load.terminate()
        load.wait(PATIENCE)
    assert len(kept) == 1200
