"""One lock per component, there while somebody uses it, so that swaps of a component follow one another."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Hashable

# What runs here holds these; a task that outlives a block keeps its context, so a hold knows whether it has ended.
_holds: contextvars.ContextVar[tuple[Hold, ...]] = contextvars.ContextVar("holds", default=())


class HeldError(Exception):
    """Whoever waits for the lock is what it is held for, and would wait for itself."""


@dataclass(eq=False, slots=True)
class Hold:
    """A lock that is held; released when the block ends, and not before the last task given to :meth:`until` does."""

    locks: KeyLocks
    key: Hashable
    task: asyncio.Task[None] | None = None
    released: bool = False

    def until(self, task: asyncio.Task[None]) -> None:
        """Keep the lock until *task* is done."""
        self.task = task


@dataclass(eq=False, slots=True)
class _Entry:
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0


class KeyLocks:
    """Locks by key, fair, not re-entrant; used from one loop at a time, while loops may follow one another."""

    def __init__(self) -> None:
        self._entries: dict[Hashable, _Entry] = {}

    def __len__(self) -> int:
        """Return how many locks are held or waited for."""
        return len(self._entries)

    @contextlib.asynccontextmanager
    async def holding(self, key: Hashable) -> AsyncIterator[Hold]:
        """Wait for the lock of *key* and hold it.

        HeldError from within a block that holds it, and from tasks and threads that were begun there.
        """
        if any(hold.locks is self and hold.key == key and not hold.released for hold in _holds.get()):
            raise HeldError
        entry = self._entry(key)
        entry.users += 1
        try:
            await entry.lock.acquire()
        except BaseException:
            self._leave(key, entry)
            raise
        hold = Hold(self, key)
        token = _holds.set((*_holds.get(), hold))
        try:
            yield hold
        finally:
            with contextlib.suppress(ValueError):  # collected, not left: in another context
                _holds.reset(token)
            if hold.task is None or hold.task.done():
                self._release(hold, entry)
            else:
                hold.task.add_done_callback(lambda _: self._release(hold, entry))

    def _entry(self, key: Hashable) -> _Entry:
        entry = self._entries.get(key)
        if entry is None or entry.loop is not asyncio.get_running_loop():  # left behind by a loop that is gone
            entry = self._entries[key] = _Entry()
        return entry

    def _release(self, hold: Hold, entry: _Entry) -> None:
        hold.released = True
        entry.lock.release()
        self._leave(hold.key, entry)

    def _leave(self, key: Hashable, entry: _Entry) -> None:
        entry.users -= 1
        if entry.users == 0 and self._entries.get(key) is entry:
            del self._entries[key]
