"""What a forked child inherits is renewed there."""

from __future__ import annotations

import gc
import os
import threading

import pytest

from oneiric.core.concurrency import ForkSafeLock, forks, renew_after_fork


class Locked:
    """Something with a lock that is renewed in a child."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.renewed = 0
        renew_after_fork(self.renew)

    def renew(self) -> None:
        """Have a lock that nobody holds."""
        self.lock = threading.Lock()
        self.renewed += 1


def exit_code_of_child(free: Locked) -> int:
    """Return the exit code of a forked child that takes the lock of *free*: 0 if it can."""
    child = os.fork()
    if child == 0:
        os._exit(0 if free.lock.acquire(blocking=False) and free.renewed == 1 else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_child_finds_a_lock_free_that_was_held_at_the_fork() -> None:
    """A child can take a lock that the parent held when it forked, and the parent's own stays as it is."""
    locked = Locked()
    with locked.lock:
        assert exit_code_of_child(locked) == 0
        assert locked.lock.locked()
    assert locked.renewed == 0


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_child_gets_a_fork_safe_lock_anew() -> None:
    """A child can take a lock that another thread of its parent held, and the parent's own stays held."""
    lock, held, release = ForkSafeLock(), threading.Event(), threading.Event()

    def hold() -> None:
        with lock.held:
            held.set()
            release.wait(120)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(120)
    child = os.fork()
    if child == 0:
        os._exit(0 if lock.held.acquire(blocking=False) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert not lock.held.acquire(blocking=False)
    release.set()
    thread.join(120)


def test_objects_that_are_gone_are_forgotten() -> None:
    """However many objects come and go, those that remain are all that is kept."""
    before = len(forks._renewals)
    for _ in range(10_000):
        Locked()
    gc.collect()
    assert len(forks._renewals) < max(130, 2 * before + 66)
