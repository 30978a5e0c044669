"""The health file of a runtime: a heartbeat that knows the last synchronisation."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from lifecycle_support import until

from oneiric.core.config import OneiricSettings
from oneiric.runtime import health_reports
from oneiric.runtime.health import load_runtime_health
from oneiric.runtime.orchestrator import RuntimeOrchestrator

if TYPE_CHECKING:
    from pathlib import Path

    from oneiric.core.observers import Observers
    from oneiric.runtime.health import RuntimeHealthSnapshot

ENTRY = {
    "domain": "adapter",
    "key": "cache",
    "provider": "remote",
    "factory": "oneiric.remote.samples:demo_remote_adapter",
}


class Place:
    """A directory with manifests and the state of a runtime."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def publish(self, name: str = "main", *, valid: bool = True) -> None:
        """Write the manifest of the source *name*."""
        text = json.dumps({"source": name, "entries": [ENTRY, ENTRY | {"domain": "nothing"}]}) if valid else "{"
        (self._directory / f"{name}.json").write_text(text)

    def source(self, name: str = "main") -> dict[str, Any]:
        """Return the settings of a source."""
        files = {"allow_file_uris": True, "allowed_file_uri_roots": [str(self._directory)]}
        return {"enabled": True, "manifest_url": str(self._directory / f"{name}.json"), "max_retries": 0} | files

    def runtime(self, observers: Observers, **settings: Any) -> RuntimeOrchestrator:
        """Return a runtime."""
        quiet = {"metrics_server": False, "probe_interval": None}
        given = {
            "cache_dir": str(self._directory / "cache"),
            "observability": quiet,
            "remote": self.source(),
        } | settings
        return RuntimeOrchestrator(OneiricSettings.exactly(**given), observers=observers)

    def health(self) -> RuntimeHealthSnapshot:
        """Return what the health file says."""
        return load_runtime_health(self._directory / "cache" / "runtime_health.json")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A directory with the manifest of one source."""
    place = Place(tmp_path)
    place.publish()
    return place


async def test_the_health_file_is_a_heartbeat(
    place: Place, observers: Observers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is written again and again, also where nothing is probed, and shows a pause that came later."""
    monkeypatch.setattr(health_reports, "HEARTBEAT_SECONDS", 0.01)
    async with place.runtime(observers) as runtime:
        first = place.health().updated_at
        runtime.service_bridge.set_paused("payments", True)
        await until(lambda: place.health().activity_state)
        assert place.health().updated_at != first


async def test_the_first_synchronisation_is_in_the_file(place: Place, observers: Observers) -> None:
    """When the runtime has started, the file says when it synchronised, what was registered and skipped."""
    before = datetime.now(UTC)
    async with place.runtime(observers):
        health = place.health()
    assert before <= datetime.fromisoformat(str(health.last_remote_sync_at)) <= datetime.now(UTC)
    assert (health.last_remote_registered, health.last_remote_skipped, health.last_remote_per_domain) == (
        1,
        1,
        {"adapter": 1},
    )
    assert health.last_remote_duration_ms
    assert health.last_remote_error is None


async def test_an_error_is_in_the_file_until_it_is_over(place: Place, observers: Observers) -> None:
    """A failure stands beside the last success, and is gone once a synchronisation succeeds."""
    async with place.runtime(observers) as runtime:
        succeeded = place.health().last_remote_sync_at
        place.publish(valid=False)
        with pytest.raises(ValueError, match="JSON"):
            await runtime.sync_remote()
        failed = place.health()
        assert (failed.last_remote_sync_at, failed.last_remote_registered) == (succeeded, 1)
        assert "JSON" in str(failed.last_remote_error)
        place.publish()
        await runtime.sync_remote()
        assert place.health().last_remote_error is None
        assert str(place.health().last_remote_sync_at) > str(succeeded)


async def test_of_several_sources_the_one_that_fails_is_named(place: Place, observers: Observers) -> None:
    """One source's success does not hide another one's failure."""
    place.publish("other", valid=False)
    async with place.runtime(observers, remotes={"other": place.source("other")}):
        health = place.health()
    assert health.last_remote_registered == 1
    assert str(health.last_remote_error).startswith("other: ")


async def test_the_end_is_the_last_word(place: Place, observers: Observers, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many heartbeats are under way, after the end the file says that nothing runs."""
    monkeypatch.setattr(health_reports, "HEARTBEAT_SECONDS", 0.0)
    async with place.runtime(observers):
        first = place.health().updated_at
        await until(lambda: place.health().updated_at != first)
    health = place.health()
    assert (health.orchestrator_pid, health.watchers_running, health.remote_enabled) == (None, False, False)


async def test_a_synchronisation_beside_a_runtime_leaves_the_rest(place: Place, observers: Observers) -> None:
    """One that was not started writes how its synchronisation ended into the file, and nothing else of itself."""
    async with place.runtime(observers, remote={}) as running:
        beside = place.runtime(observers)
        await beside.sync_remote()
        await beside.stop()
        health = place.health()
        assert (health.last_remote_registered, health.watchers_running) == (1, True)
        assert health.orchestrator_pid is not None
        assert running.started
