"""Slots for calls in threads: so many run at a time, those that hang included, and further ones wait."""

from __future__ import annotations

import asyncio
import threading
from collections import deque


class ThreadSlots:
    """Let at most *most* calls run at a time; further ones wait in line until one of these leaves.

    Entered on an event loop, left from any thread.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._running = 0
        self._hanging = 0
        self._waiting: deque[_Waiter] = deque()

    @property
    def is_stuck(self) -> bool:
        """Whether all that run are hanging."""
        return self._hanging >= self._most

    async def enter(self, seconds: float | None) -> bool:
        """Wait for a turn, *seconds* at most (None: without limit); whoever gets one must :meth:`leave`.

        Return whether there was one. Where all that run are hanging there is none, and nobody waits for it.
        """
        with self._lock:
            if self._running < self._most:
                self._running += 1
                return True
            if self.is_stuck:
                return False
            waiter = _Waiter()
            self._waiting.append(waiter)
        try:
            await asyncio.wait({waiter.woken}, timeout=seconds)
        except BaseException:
            if self._withdraw(waiter):
                self.leave(hung=False)
            raise
        return self._withdraw(waiter)

    def hang(self) -> None:
        """Take note that nobody waits any more for one of those that run."""
        with self._lock:
            self._hanging += 1
            if self.is_stuck:
                for waiter in self._waiting:
                    waiter.wake()
                self._waiting.clear()

    def leave(self, *, hung: bool) -> None:
        """Give the turn to the next in line, at the end of a call; *hung* says whether it was hanging."""
        with self._lock:
            self._running -= 1
            self._hanging -= hung
            while self._waiting:
                waiter = self._waiting.popleft()
                if waiter.wake():  # else its loop is closed
                    waiter.has_turn = True
                    self._running += 1
                    return

    def _withdraw(self, waiter: _Waiter) -> bool:
        with self._lock:
            if waiter in self._waiting:
                self._waiting.remove(waiter)
            return waiter.has_turn


class _Waiter:
    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.woken: asyncio.Future[None] = self._loop.create_future()
        self.has_turn = False

    def wake(self) -> bool:
        """Have it look again; returns False where its loop is closed."""
        try:
            self._loop.call_soon_threadsafe(self._wake)
        except RuntimeError:
            return False
        return True

    def _wake(self) -> None:
        if not self.woken.done():
            self.woken.set_result(None)
