"""What a runtime does at intervals: probe the health of what is active, and write down how it is itself."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from oneiric.runtime.health import RuntimeHealthSnapshot, write_runtime_health

if TYPE_CHECKING:
    from pathlib import Path

    from oneiric.core.activity import DomainActivityStore
    from oneiric.core.lifecycle import LifecycleManager
    from oneiric.core.observers import Observers


class HealthLoop:
    """Probe every active instance, then write the health file, each *interval* seconds; survives every exception.

    A probe that fails is reported by the lifecycle manager; anything else that fails here is reported as a failed hook
    and tried again at the next turn.

    Args:
        lifecycle: Whose instances are probed.
        activity_store: Whose pauses and drains are written down.
        observers: Notified of failures.
        path: The health file.
        interval: Seconds; None: the file is written when asked for only, and nothing is probed.

    Attributes:
        writes: Whether this process is the one that writes the file.
    """

    def __init__(
        self,
        lifecycle: LifecycleManager,
        activity_store: DomainActivityStore,
        observers: Observers,
        *,
        path: Path,
        interval: float | None,
    ) -> None:
        self._lifecycle = lifecycle
        self._activity_store = activity_store
        self._observers = observers
        self._path = path
        self._interval = interval
        self._task: asyncio.Task[None] | None = None
        self._remote_enabled = False
        self._said_running = False
        self.writes = True

    def start(self, *, remote_enabled: bool) -> None:
        """Begin; idempotent. The file is to say whether remote sources are synchronised."""
        self._remote_enabled = remote_enabled
        if self._task is None and self._interval is not None:
            self._task = asyncio.create_task(self._run(self._interval), name="oneiric-health")

    async def stop(self) -> None:
        """End; idempotent."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def probe(self) -> None:
        """Probe every active instance once."""
        for status in self._lifecycle.all_statuses():
            await self._lifecycle.probe_instance_health(status.domain, status.key)

    async def write(self, *, running: bool) -> None:
        """Write the health file, if it is this process' to write; a failure is reported, not raised.

        That nothing runs any more is written only by a process that has written that it does.
        """
        if not self.writes or not (running or self._said_running):
            return
        self._said_running = running
        snapshot = RuntimeHealthSnapshot(
            remote_enabled=running and self._remote_enabled,
            orchestrator_pid=os.getpid() if running else None,
            activity_state=self._activity(),
            lifecycle_state=self._statuses(),
        )
        try:
            await asyncio.to_thread(write_runtime_health, self._path, snapshot)
        except OSError as error:
            self._observers.hook_failed("runtime_health", error)

    async def _run(self, interval: float) -> None:
        while True:
            await asyncio.sleep(interval)
            try:
                await self.probe()
                await self.write(running=True)
            except Exception as error:  # noqa: BLE001 - the loop survives, and reports
                self._observers.hook_failed("health_loop", error)

    def _activity(self) -> dict[str, dict[str, object]]:
        activity = self._activity_store.snapshot()
        return {domain: {key: state.as_dict() for key, state in keys.items()} for domain, keys in activity.items()}

    def _statuses(self) -> dict[str, dict[str, object]]:
        statuses: dict[str, dict[str, object]] = {}
        for status in self._lifecycle.all_statuses():
            statuses.setdefault(status.domain, {})[status.key] = status.as_dict()
        return statuses
