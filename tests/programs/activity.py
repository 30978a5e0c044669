"""A process beside the tests that uses the activity store in the way that its first argument names."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import sys
import threading
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from oneiric.core.activity import ActivityStoreError, DomainActivityStore
from oneiric.core.events import HookFailed
from oneiric.core.observers import Observers

if TYPE_CHECKING:
    from collections.abc import Callable

    from oneiric.core.events import Event


def say(text: object) -> None:
    """Write a line."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def change_often(path: str, prefix: str, count: str) -> None:
    """Open the store and pause so many components, one after the other."""
    store = DomainActivityStore(path)
    for number in range(int(count)):
        store.change("task", f"{prefix}-{number}", paused=True)
    store.close()


def change_on_command(path: str) -> None:
    """Pause, or resume, a component for each line that is read, and say so."""
    store = DomainActivityStore(path)
    for line in sys.stdin:
        store.change("task", "x", paused=line.strip() == "pause")
        say("done")


def hold_lock(path: str) -> None:
    """Hold the lock of the database until a line is read."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    say("held")
    sys.stdin.readline()
    connection.execute("ROLLBACK")


def start_on_full_disk(path: str) -> None:
    """Open the store where nothing can be written, say what is known, and go on when something can."""
    observers = Observers()
    errors = Errors()
    observers.add(errors)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    store = DomainActivityStore(path, observers=observers)
    say(store.get("task", "x").paused)
    try:
        store.change("task", "y", paused=True)
    except ActivityStoreError as error:
        errors.told.append(f"refused: {error}")
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    say(store.change("task", "y", paused=True).paused)
    say(errors.told)


def fork_while_locked(path: str) -> None:
    """Fork while another thread holds the store's locks, and use it in the child."""
    store = DomainActivityStore(path)
    store.change("task", "x", paused=True)
    taken, release = threading.Event(), threading.Event()

    def hold() -> None:
        with store._writing.held, store._lock.held:
            taken.set()
            release.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    taken.wait()
    warnings.simplefilter("ignore")  # that there are threads is the point
    pid = os.fork()
    if pid == 0:
        signal.alarm(60)  # rather than hang
        store.change("task", "child", paused=True)
        say(sorted(store.all_for_domain("task")))
        os._exit(0)
    release.set()
    thread.join()
    os.waitpid(pid, 0)
    say(sorted(store.all_for_domain("task")))
    store.change("task", "parent", paused=True)
    say(sorted(store.all_for_domain("task")))


class Errors:
    """An observer that remembers what failed."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def receiver(self, event_type: type[Event]) -> Callable[[HookFailed], None] | None:
        """Want failures."""
        return self._remember if event_type is HookFailed else None

    def _remember(self, event: HookFailed) -> None:
        self.told.append(event.error)


if __name__ == "__main__":
    globals()[sys.argv[1]](str(Path(sys.argv[2])), *sys.argv[3:])
