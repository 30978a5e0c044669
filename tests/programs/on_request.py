"""A component of a service that does what a file in the current directory asks for.

``block`` blocks the event loop for ever, and is removed; while ``write`` is there, numbered lines are logged, 1,000 a
second, each ``{"event": "numbered", "number": ...}``, and at the end ``{"event": "all", "count": ...}``.
"""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING

from oneiric import Candidate

if TYPE_CHECKING:
    from oneiric import Resolver

BLOCK, WRITE = Path("block"), Path("write")
log = logging.getLogger("numbers")
A_SECOND = 1000
AT_ONCE = 20


class OnRequest:
    """Looks for files until it is closed."""

    def __init__(self) -> None:
        self._work = asyncio.create_task(self._run())

    async def aclose(self) -> None:
        """Stop."""
        self._work.cancel()

    async def _run(self) -> None:
        while True:
            if is_wanted(BLOCK):
                block_the_loop()
            if is_wanted(WRITE):
                await write()
            await asyncio.sleep(0.1)


def is_wanted(path: Path) -> bool:
    """Whether the file is there."""
    return path.exists()


def block_the_loop() -> None:
    """Never return."""
    BLOCK.unlink()
    while True:
        time.sleep(1)


async def write() -> None:
    """Log numbered lines until they are no longer asked for."""
    count = 0
    while is_wanted(WRITE):
        for _ in range(AT_ONCE):
            log.info("numbered", extra={"number": count})
            count += 1
        await asyncio.sleep(AT_ONCE / A_SECOND)
    log.info("all", extra={"count": count})


async def opened() -> OnRequest:
    """Return one that looks."""
    return OnRequest()


def register(resolver: Resolver) -> None:
    """Register it."""
    resolver.register(Candidate(domain="service", key="on-request", provider="only", factory=opened))
