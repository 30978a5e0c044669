"""The request to end a command, and the wait for it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Interruption:
    """What signals bring about, before there is an event loop too."""

    def __init__(self) -> None:
        self._happened = False
        self._wake: Callable[[], object] = lambda: None

    def happen(self) -> None:
        """Let it happen; callable from a signal handler."""
        self._happened = True
        self._wake()

    async def wait(self) -> None:
        """Return once it has happened."""
        loop, event = asyncio.get_running_loop(), asyncio.Event()
        self._wake = lambda: loop.call_soon_threadsafe(event.set)
        try:
            if not self._happened:
                await event.wait()
        finally:
            self._wake = lambda: None
