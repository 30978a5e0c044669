"""Daemon threads are started on demand, and written in one place."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import NoReturn

import pytest

import oneiric
from oneiric.core.concurrency import BackgroundThread, start_thread

PACKAGE = Path(oneiric.__file__).parent
STARTS = ("threading.Thread(", "start_new_thread(")


def test_work_runs_in_a_named_daemon_thread() -> None:
    """A thread does not keep the program from ending, and says whose it is."""
    done = threading.Event()
    thread = start_thread("work", done.set)
    assert done.wait(120)
    assert (thread.name, thread.daemon) == ("work", True)


def test_a_thread_is_claimed_once_until_it_leaves() -> None:
    """Of several that have something to do one starts the thread; once it has left, the next one does."""
    background, done = BackgroundThread("work"), threading.Semaphore(0)
    assert (background.claim(done.release), background.claim(done.release)) == (True, False)
    background.start()
    assert done.acquire(timeout=120)
    assert background.leave() is not None
    assert (background.thread, background.claim(done.release)) == (None, True)


@pytest.mark.parametrize("error", [RuntimeError("can't start new thread"), KeyboardInterrupt()])
def test_a_thread_that_does_not_start_is_none(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Where no thread can be had, or an interrupt comes first, it is raised, and the next one starts the thread."""

    def refuse(_thread: threading.Thread) -> NoReturn:
        raise error

    background, done = BackgroundThread("work"), threading.Event()
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        assert background.claim(done.set)
        with pytest.raises(type(error)):
            background.start()
    assert background.claim(done.set)
    background.start()
    assert done.wait(120)


def test_what_is_closed_before_it_starts_is_not_started() -> None:
    """Who closes the owner while the thread is about to be started keeps it from starting."""
    background = BackgroundThread("work")
    assert background.claim(pytest.fail, "started")
    background.leave()
    background.start()
    assert background.thread is None


def test_threads_are_started_in_one_place() -> None:
    """The package starts its threads with what core/concurrency offers; where the metrics do not, they say why."""
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if any(start in path.read_text(encoding="utf-8") for start in STARTS)
    }
    elsewhere = {path for path in found if not path.startswith("observability/metrics/")}
    assert elsewhere == {"core/concurrency/threads.py"}
