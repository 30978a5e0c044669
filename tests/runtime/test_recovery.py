"""What a runtime says of the one before it that did not stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.core.activity import DomainActivityStore
from oneiric.core.config import OneiricSettings
from oneiric.core.events import RuntimeRecovered
from oneiric.runtime.health import RuntimeHealthSnapshot, load_runtime_health, write_runtime_health
from oneiric.runtime.orchestrator import RuntimeOrchestrator

if TYPE_CHECKING:
    from pathlib import Path

    from support import Recorder

    from oneiric.core.observers import Observers


def runtime(directory: Path, observers: Observers) -> RuntimeOrchestrator:
    """Return a runtime on the files in *directory*."""
    settings = OneiricSettings(cache_dir=str(directory), observability={"enabled": False, "probe_interval": None})
    return RuntimeOrchestrator(settings, observers=observers)


async def test_one_that_was_killed_is_recovered(tmp_path: Path, recorder: Recorder, observers: Observers) -> None:
    """A health file that still names its process means that it was killed; what is paused and drains was kept."""
    snapshot = RuntimeHealthSnapshot(orchestrator_pid=4_000_000)
    write_runtime_health(tmp_path / "runtime_health.json", snapshot)
    store = DomainActivityStore(tmp_path / "domain_activity.sqlite")
    store.change("adapter", "cache", paused=True)
    store.change("service", "payments", draining=True)
    store.close()
    async with runtime(tmp_path, observers):
        pass
    assert [event for event in recorder.told if isinstance(event, RuntimeRecovered)] == [
        RuntimeRecovered(previous_pid=4_000_000, last_seen_at=snapshot.updated_at or "", paused=1, draining=1)
    ]


async def test_one_that_stopped_leaves_nothing_to_recover(
    tmp_path: Path, recorder: Recorder, observers: Observers
) -> None:
    """After an end in order nothing is said, nor at the first start of all."""
    for _ in range(2):
        async with runtime(tmp_path, observers):
            assert load_runtime_health(tmp_path / "runtime_health.json").orchestrator_pid is not None
    assert not [event for event in recorder.told if isinstance(event, RuntimeRecovered)]
