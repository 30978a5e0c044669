"""Workers of one service: each starts a runtime, swaps once, and runs until it is terminated.

Usage: workers.py COUNT SETTINGS LOG. The settings are JSON. Every worker appends to LOG, one JSON object a line, what
was reported of servers and failures, and "ready" once it has started. More than one worker are forked.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oneiric.core.config import OneiricSettings
from oneiric.core.events import HookFailed
from oneiric.core.observers import Observers
from oneiric.core.resolution import Candidate
from oneiric.observability import events as own
from oneiric.runtime.orchestrator import RuntimeOrchestrator

if TYPE_CHECKING:
    from collections.abc import Callable

    from oneiric.core.events import Event

LOGGED = (HookFailed, own.MetricsServerStarted, own.MetricsServerFailed, own.MetricsServerJoined)


class Log:
    """Writes down what it is told."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def receiver(self, event_type: type[Event]) -> Callable[[Any], None] | None:
        """Return what takes events of this type."""
        return self.take if event_type in LOGGED else None

    def take(self, event: Event) -> None:
        """Write down an event."""
        self.write(type(event).__name__, str(event))

    def write(self, name: str, text: str = "") -> None:
        """Append one line with a single write."""
        line = json.dumps({"pid": os.getpid(), "event": name, "text": text})
        with self._path.open("ab", buffering=0) as file:
            file.write(line.encode() + b"\n")


async def work(settings: OneiricSettings, log: Log) -> None:
    """Be one worker."""
    terminated = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, terminated.set)
    observers = Observers()
    observers.add(log)
    async with RuntimeOrchestrator(settings, observers=observers) as runtime:
        runtime.resolver.register(Candidate(domain="adapter", key="cache", provider="memory", factory=dict))
        await runtime.adapter_bridge.use("cache")
        log.write("ready")
        await terminated.wait()
    log.write("stopped")


def main(count: int, settings: OneiricSettings, log: Log) -> None:
    """Be, or fork, the workers."""
    if count == 1:
        asyncio.run(work(settings, log))
        return
    workers = []
    for _ in range(count):
        pid = os.fork()
        if pid == 0:
            asyncio.run(work(settings, log))
            os._exit(0)
        workers.append(pid)
    for pid in workers:
        os.waitpid(pid, 0)


main(int(sys.argv[1]), OneiricSettings.model_validate_json(sys.argv[2]), Log(Path(sys.argv[3])))
