"""Several processes of one service with one state directory: one of them leads, and another one when it is gone.

Who leads serves the metrics and keeps the files that have room for one writer: the status file of the lifecycle and the
health file. What all share (the activity store, the artifacts, what is remembered of remote sources) has no leader.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from typing import TYPE_CHECKING, Final

from oneiric.core.concurrency import renew_after_fork
from oneiric.core.descriptors import Descriptor
from oneiric.core.files import make_private_directory

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from oneiric.core.observers import Observers

LOCK_FILE: Final = "runtime.lock"
"""Name of the file in the state directory that the leader holds locked; it says where the leader serves the metrics."""

TAKEOVER_SECONDS: Final = 5.0
"""How often the others look whether there still is a leader."""

_MAX_ADDRESS_BYTES = 512


class Leadership:
    """The lock that one process of those with the same *directory* holds; it ends with the process, however that ends.

    A forked child does not hold its parent's.

    Args:
        directory: The state directory.
        address: Where this process would serve the metrics; "" for nowhere.
    """

    def __init__(self, directory: Path, *, address: str) -> None:
        self._path = directory / LOCK_FILE
        self._address = address
        self._lock: Descriptor | None = None
        renew_after_fork(self.forget)

    def take(self) -> bool:
        """Lead if nobody else does, and return whether this process leads; OSError where nobody can find out."""
        if self._lock is not None and self._lock.is_ours():
            return True
        make_private_directory(self._path.parent)
        lock = Descriptor(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
        try:
            fcntl.flock(lock.number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return False
        except BaseException:
            lock.close()
            raise
        self._lock = lock  # also where the disk is too full to say so
        os.ftruncate(lock.number, 0)
        lock.write(self._address.encode() + b"\n", 0)
        return True

    def is_served_elsewhere(self) -> bool:
        """Whether the leader serves at another address than this process would; False where it does not say yet."""
        try:
            with self._path.open("rb") as file:
                said, complete, _ = file.read(_MAX_ADDRESS_BYTES).decode("utf-8", "replace").partition("\n")
        except OSError:
            return False
        return bool(complete) and said != self._address

    def forget(self) -> None:
        """Have nothing to do with the lock any more: it ends when no other process has it either."""
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.close()


class Succession:
    """Looks for as long as it runs whether this process has to lead.

    Args:
        leadership: What to take.
        step: Called with whether this process leads, at the start and at every look.
        observers: Notified of failures.
    """

    def __init__(
        self, leadership: Leadership, step: Callable[[bool], Awaitable[None]], *, observers: Observers
    ) -> None:
        self._leadership = leadership
        self._step = step
        self._observers = observers
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Look now, and every :data:`TAKEOVER_SECONDS` from then on."""
        await self._step(self._leads())
        self._task = asyncio.create_task(self._run(), name="oneiric-workers")

    async def stop(self) -> None:
        """Look no more; idempotent. The leader leads until :meth:`Leadership.forget`."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(TAKEOVER_SECONDS)
            try:
                await self._step(self._leads())
            except Exception as error:  # noqa: BLE001 - the loop survives, and reports
                self._observers.hook_failed("workers", error)

    def _leads(self) -> bool:
        try:
            return self._leadership.take()
        except OSError as error:  # nobody shares a directory that cannot be used
            self._observers.hook_failed("workers", error)
            return True


def joined_hint(*, shares: bool) -> str:
    """Return what a process that joins another one's metrics server should know, given whether it *shares* counts."""
    if shares:
        return "its page shows the counts of this process too"
    return (
        "the counts of this process are on no page; set observability.shared.directory (ONEIRIC_METRICS_DIR) to one "
        "directory for all processes"
    )
