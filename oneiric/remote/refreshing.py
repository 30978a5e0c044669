"""The loop that refreshes a remote source: how often, whether it lives, and changes of its interval."""

from __future__ import annotations

import asyncio
import random
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

LOOP_JITTER = 0.05
"""Share of the interval by which a refresh comes earlier or later, so that many processes do not come together."""


class Refreshing:
    """The refreshes of one source; for one event loop, but for its attributes and properties.

    Attributes:
        interval: Seconds between refreshes, 0 where there are none.
    """

    def __init__(self, interval: float) -> None:
        self.interval = interval
        self._loops = 0
        self._changed = asyncio.Event()

    @property
    def is_running(self) -> bool:
        """Whether the loop lives."""
        return self._loops > 0

    @contextmanager
    def living(self) -> Iterator[None]:
        """Count as a living loop for as long as the block lasts."""
        self._loops += 1
        try:
            yield
        finally:
            self._loops -= 1

    def change(self) -> None:
        """Have the loop ask for its interval again, and begin to wait anew."""
        self._changed.set()

    async def changed(self) -> None:
        """Wait for the next :meth:`change`."""
        await self._changed.wait()
        self._changed.clear()

    async def run(self, interval_now: Callable[[], float], refresh: Callable[[], Awaitable[object]]) -> None:
        """Call *refresh* every interval, the first time after one, for as long as there is an interval."""
        if interval_now() <= 0:
            return
        with self.living():
            while (interval := interval_now()) > 0:
                self.interval = interval
                spread = random.uniform(-LOOP_JITTER, LOOP_JITTER)  # noqa: S311 - spreads load, protects nothing
                try:
                    await asyncio.wait_for(self.changed(), interval * (1 + spread))
                except TimeoutError:
                    await refresh()
        self.interval = 0.0
