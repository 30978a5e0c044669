"""What a runtime does at intervals: probe the health of what is active, and write down how it is itself."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from oneiric.remote.delivery import to_its_end
from oneiric.runtime.health import RuntimeHealthSnapshot, load_runtime_health, write_runtime_health
from oneiric.runtime.recovery import report_recovery

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from oneiric.core.activity import ActivityStore
    from oneiric.core.lifecycle import LifecycleManager
    from oneiric.core.observers import Observers
    from oneiric.remote.ledger import LastSync
    from oneiric.runtime.sources import RemoteSources


HEARTBEAT_SECONDS = 10.0
"""How often the health file is written at least."""


class HealthLoop:
    """Writes the health file at intervals, and probes every active instance at others; survives every exception.

    A probe that fails is reported by the lifecycle manager; anything else that fails here is reported as a failed hook
    and tried again at the next turn.

    Args:
        lifecycle: Whose instances are probed.
        activity_store: Whose pauses and drains are written down.
        remotes: Whose last synchronisations are written down.
        observers: Notified of failures.
        path: The health file.
        interval: Seconds between probes, after each of which the file is written too; None: nothing is probed.

    Attributes:
        writes: Whether this process is the one that writes the file.
        watchers_running: Whether, while the runtime runs, saved settings are put to use.
    """

    def __init__(  # noqa: PLR0913 - what is written down
        self,
        lifecycle: LifecycleManager,
        activity_store: ActivityStore,
        remotes: RemoteSources,
        observers: Observers,
        *,
        path: Path,
        interval: float | None,
    ) -> None:
        self._lifecycle = lifecycle
        self._activity_store = activity_store
        self._remotes = remotes
        self._observers = observers
        self._path = path
        self._interval = interval
        self._turn = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []
        self._remote_enabled = False
        self._said_running = False
        self.writes = True
        self.watchers_running = False

    def start(self, *, remote_enabled: bool) -> None:
        """Begin; idempotent. The file is to say whether remote sources are synchronised."""
        self._remote_enabled = remote_enabled
        if self._tasks:
            return
        self._tasks.append(asyncio.create_task(self._run(HEARTBEAT_SECONDS, probes=False), name="oneiric-heartbeat"))
        if self._interval is not None:
            self._tasks.append(asyncio.create_task(self._run(self._interval, probes=True), name="oneiric-health"))

    async def stop(self) -> None:
        """End; idempotent."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def begin(self) -> None:
        """Report what a runtime that ended without stopping left, and write the file, which is this process' now."""
        await asyncio.to_thread(report_recovery, self._path, self._activity_store, self._observers)
        await self.write(running=True)

    async def probe(self) -> None:
        """Probe every active instance once."""
        for status in self._lifecycle.all_statuses():
            await self._lifecycle.probe_instance_health(status.domain, status.key)

    async def write(self, *, running: bool) -> None:
        """Write the health file, if it is this process' to write; a failure is reported, not raised.

        That nothing runs any more is written only by a process that has written that it does.
        """
        async with self._turn:  # what was so later is written later
            if self.writes and (running or self._said_running):
                self._said_running = running
                await self._write(self._snapshot(running=running))

    async def write_remote(self, *, running: bool) -> None:
        """Write how the last synchronisations ended; where nothing is *running*, the rest of the file stays."""
        if running:
            await self.write(running=True)
            return
        async with self._turn:
            known = await asyncio.to_thread(load_runtime_health, self._path)
            await self._write(replace(known, **_remote_facts(self._remotes.last_syncs)))

    async def _write(self, snapshot: RuntimeHealthSnapshot) -> None:
        try:
            await to_its_end(write_runtime_health, self._path, snapshot)
        except OSError as error:
            self._observers.hook_failed("runtime_health", error)

    def _snapshot(self, *, running: bool) -> RuntimeHealthSnapshot:
        return RuntimeHealthSnapshot(
            watchers_running=running and self.watchers_running,
            remote_enabled=running and self._remote_enabled,
            orchestrator_pid=os.getpid() if running else None,
            activity_state=self._activity(),
            lifecycle_state=self._statuses(),
            **_remote_facts(self._remotes.last_syncs),
        )

    async def _run(self, interval: float, *, probes: bool) -> None:
        while True:
            await asyncio.sleep(interval)
            try:
                if probes:
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


def _remote_facts(syncs: Mapping[str, LastSync]) -> dict[str, Any]:
    """Return what the file says of the last synchronisation of any source, and why each that fails now does."""
    errors = [(name, sync.error) for name, sync in syncs.items() if sync.error is not None]
    texts = [error if len(syncs) == 1 else f"{name}: {error}" for name, error in errors]
    facts: dict[str, Any] = {"last_remote_error": "; ".join(texts) or None}
    last = max(syncs.values(), key=lambda sync: sync.at or 0.0, default=None)
    if last is not None and last.at is not None and last.result is not None:
        facts |= {
            "last_remote_sync_at": datetime.fromtimestamp(last.at, UTC).isoformat(),
            "last_remote_registered": last.result.registered,
            "last_remote_per_domain": dict(last.result.per_domain),
            "last_remote_skipped": last.result.skipped,
            "last_remote_duration_ms": last.result.duration_ms,
        }
    return facts
