"""What a runtime takes over from one that ended without stopping, by SIGKILL or with its machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.core.events import RuntimeRecovered
from oneiric.runtime.health import load_runtime_health

if TYPE_CHECKING:
    from pathlib import Path

    from oneiric.core.activity import ActivityStore
    from oneiric.core.observers import Observers


def report_recovery(health_path: Path, store: ActivityStore, observers: Observers) -> None:
    """Notify *observers* if the health file still names the process that wrote it: it did not stop in order.

    To be called before this process writes the file, and by the one that is to write it only. Blocks while it reads.
    """
    before = load_runtime_health(health_path)
    if before.orchestrator_pid is None:
        return
    states = [state for keys in store.snapshot().values() for state in keys.values()]
    observers.notify(
        RuntimeRecovered(
            previous_pid=before.orchestrator_pid,
            last_seen_at=before.updated_at or "",
            paused=sum(state.paused for state in states),
            draining=sum(state.draining for state in states),
        )
    )
