"""Close all descriptors of this process, open files in their place, and go on; prints "whole" if nothing was lost.

Usage: descriptors.py WHAT DIRECTORY, where WHAT is one of the functions below.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from oneiric.core.activity import DomainActivityStore
from oneiric.core.descriptors import Descriptor, open_files
from oneiric.core.lifecycle import LifecycleManager
from oneiric.core.resolution import Candidate, Resolver
from oneiric.observability import attach
from oneiric.remote.delivery import Draft

DIRECTORY = Path(sys.argv[2])
THEIRS: list[Descriptor] = []


def take_all_descriptors() -> None:
    """Do what a library does that makes a daemon of a process, and what the application does next."""
    count = max(open_files()) + 1
    os.closerange(3, count)
    theirs = DIRECTORY / "theirs"
    theirs.mkdir()
    for number in range(3, count):
        descriptor = os.open(theirs / f"file{number}", os.O_RDWR | os.O_CREAT)
        os.write(descriptor, f"file{number}".encode() * 1000)
        THEIRS.append(Descriptor(descriptor))


def resolver() -> Resolver:
    """Return a resolver of one component."""
    made = Resolver()
    made.register(Candidate(domain="adapter", key="cache", provider="memory", factory=dict))
    return made


def shared() -> bool:
    """Count resolutions in a shared directory."""
    first = resolver()
    attach(first, shared_dir=DIRECTORY / "shared", shared_interval=86_400.0)
    for _ in range(3):
        first.resolve("adapter", "cache")
    take_all_descriptors()
    for _ in range(4):
        first.resolve("adapter", "cache")
    second = resolver()
    counts = attach(second, shared_dir=DIRECTORY / "shared").samples()["oneiric_resolution_total"]
    return [count for _, count in counts] == [7.0]


def status() -> bool:
    """Swap with a status file."""
    path = DIRECTORY / "status.json"
    manager = LifecycleManager(resolver(), status_snapshot_path=path)

    async def swap() -> None:
        for _ in range(2):
            await manager.activate("adapter", "cache")

    loop = asyncio.new_event_loop()
    loop.run_until_complete(swap())
    loop.close()  # before somebody closes its descriptors
    take_all_descriptors()
    asyncio.run(swap())
    other = LifecycleManager(resolver(), status_snapshot_path=path)
    return [status.successful_swaps for status in other.all_statuses()] == [4]


def activity() -> bool:
    """Pause components; what another store wrote meanwhile is not lost either."""
    store = DomainActivityStore(DIRECTORY / "activity.sqlite")
    store.change("adapter", "before", paused=True)
    pid = os.fork()
    if pid == 0:
        program = "import sys; from oneiric.core.activity import *; "
        program += "DomainActivityStore(sys.argv[1]).change('adapter', 'meanwhile', paused=True)"
        os.execv(sys.executable, [sys.executable, "-c", program, str(store.path)])
    os.waitpid(pid, 0)
    take_all_descriptors()
    store.change("adapter", "after", paused=True)
    paused = DomainActivityStore(store.path).all_for_domain("adapter")
    return set(paused) == {"before", "meanwhile", "after"} and not list(DIRECTORY.glob("*quarantine*"))


def activity_idle() -> bool:
    """End the process without using the store again."""
    global STORE  # noqa: PLW0603 - it must live until the interpreter ends
    STORE = DomainActivityStore(DIRECTORY / "activity.sqlite")
    STORE.change("adapter", "before", paused=True)
    take_all_descriptors()
    return True


def draft() -> bool:
    """Write an artifact."""

    async def write() -> Draft:
        begun = Draft(DIRECTORY)
        await begun.write(b"first")
        return begun

    loop = asyncio.new_event_loop()
    begun = loop.run_until_complete(write())
    loop.close()
    take_all_descriptors()
    refused = 0
    for step in (lambda: asyncio.run(begun.write(b"second")), begun.restart, lambda: asyncio.run(begun.seal())):
        try:
            step()
        except OSError:
            refused += 1
    begun.close()
    return refused == 3 and not begun.path.exists()


STORE: DomainActivityStore | None = None
is_whole = globals()[sys.argv[1]]() and all(descriptor.is_ours() for descriptor in THEIRS)
sys.stdout.write("whole\n" if is_whole else "lost\n")
