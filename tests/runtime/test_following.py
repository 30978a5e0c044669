"""A runtime keeps up with saved settings, and with pauses and drains of other processes."""

from __future__ import annotations

import asyncio
import pickle
import sys
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from lifecycle_support import until
from processes import PROGRAMS
from services import running

from oneiric.core.config import OneiricSettings, SettingsError, load_settings, read_again
from oneiric.core.events import HookFailed, SelectionSwapHeld
from oneiric.core.lifecycle import LifecycleError
from oneiric.core.resolution import Candidate, Resolver
from oneiric.runtime.following import SavedSettings
from oneiric.runtime.health import load_runtime_health
from oneiric.runtime.orchestrator import RuntimeOrchestrator

if TYPE_CHECKING:
    from pathlib import Path

    from support import Recorder

    from oneiric.core.observers import Observers


class Place:
    """A directory with a settings file and the state of a runtime."""

    def __init__(self, directory: Path) -> None:
        self.file = directory / "own.yaml"
        self.cache = directory / "cache"

    def save(self, **settings: Any) -> None:
        """Save the settings file."""
        quiet = {"metrics_server": False, "probe_interval": None}
        own = {"cache_dir": str(self.cache), "observability": quiet, "runtime_supervisor": {"poll_interval": 0.1}}
        temporary = self.file.with_suffix(".new")
        temporary.write_text(yaml.safe_dump(own | settings))
        temporary.replace(self.file)

    def select(self, provider: str) -> None:
        """Save the settings with a selection."""
        self.save(adapters={"selections": {"cache": provider}})

    def runtime(self, observers: Observers, **options: Any) -> RuntimeOrchestrator:
        """Return a runtime of the saved settings, with two providers of the key cache, of which memory wins."""
        resolver = Resolver(observers=observers)
        for priority, provider in enumerate(("redis", "memory")):
            candidate = Candidate(domain="adapter", key="cache", provider=provider, priority=priority, factory=object)
            resolver.register(candidate)
        return RuntimeOrchestrator(load_settings(self.file), resolver, **options)

    async def elsewhere(self, *flags: str) -> None:
        """Change the activity of the cache in another process."""
        program = str(PROGRAMS / "set_activity.py")
        arguments = (program, str(self.file), "adapter", "cache", *flags)
        process = await asyncio.create_subprocess_exec(sys.executable, *arguments)
        assert await process.wait() == 0


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A directory with settings that say little."""
    place = Place(tmp_path)
    place.save()
    return place


def serving(runtime: RuntimeOrchestrator) -> str | None:
    """Return the provider that serves the cache."""
    candidate = runtime.lifecycle.get_candidate("adapter", "cache")
    return None if candidate is None else candidate.provider


async def look(runtime: RuntimeOrchestrator) -> None:
    """Have every watcher look once."""
    for watcher in runtime.following.watchers:
        await watcher.run_once()


def test_a_save_is_read_once(place: Place) -> None:
    """The settings are the same object until the file is saved, whoever asks."""
    settings = load_settings(place.file)
    saved = SavedSettings(settings)
    assert saved() is settings
    place.select("redis")
    found = saved()
    assert found.adapters.selections == {"cache": "redis"}
    assert saved() is found


def test_a_save_that_is_wrong_raises_once(place: Place) -> None:
    """The error names the file; after it, the last good settings are returned until the next save."""
    settings = load_settings(place.file)
    saved = SavedSettings(settings)
    place.file.write_text("adapters: [")
    with pytest.raises(SettingsError, match=r"own\.yaml"):
        saved()
    assert saved() is settings
    place.select("redis")
    assert saved().adapters.selections == {"cache": "redis"}


def test_a_file_that_was_emptied_replaces_nothing(place: Place) -> None:
    """A save that left nothing is refused once, the settings stay, and the next save with content is read."""
    place.select("redis")
    settings = load_settings(place.file)
    saved = SavedSettings(settings)
    place.file.write_text("")
    with pytest.raises(SettingsError, match=r"own\.yaml: is empty"):
        saved()
    assert saved() is settings
    place.select("memory")
    assert saved().adapters.selections == {"cache": "memory"}


def test_settings_are_read_again_from_where_they_came(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """File, environment and arguments are asked again; a copy remembers, and settings of nowhere stay what they are."""
    settings = load_settings(place.file, app={"name": "shop"}).model_copy(deep=True)
    monkeypatch.setenv("ONEIRIC_LIFECYCLE__HEALTH_TIMEOUT", "7")
    place.select("redis")
    again = read_again(settings)
    found = (again.adapters.selections, again.lifecycle.health_timeout, again.app.name)
    assert found == ({"cache": "redis"}, 7, "shop")
    fixed = OneiricSettings.exactly()
    assert read_again(fixed) is fixed
    assert place.file in settings.read_from.files


def test_settings_are_compared_by_what_they_set(place: Place) -> None:
    """Settings of a file equal those that are given as arguments; a pickled copy can be read again, too."""
    settings = load_settings(place.file)
    assert settings == OneiricSettings.exactly(**yaml.safe_load(place.file.read_text()))
    place.select("redis")
    assert read_again(pickle.loads(pickle.dumps(settings))).adapters.selections == {"cache": "redis"}


async def test_a_saved_selection_serves(place: Place, observers: Observers) -> None:
    """A runtime that is embedded puts a selection to use that was saved in the file that it was given."""
    runtime = place.runtime(observers)
    place.select("redis")
    async with runtime:
        await until(lambda: serving(runtime) == "redis")
        assert runtime.adapter_bridge.explain("cache")["ordered"][0]["provider"] == "redis"


async def test_nothing_is_lost_while_nothing_is_saved(place: Place, observers: Observers) -> None:
    """Settings of an explicit file, and what the application changed of them, survive every look."""
    place.save(events={"provider_settings": {"p": {"x": 1}}})
    async with place.runtime(observers) as runtime:
        runtime.settings.workflows.provider_settings["q"] = {"y": 2}
        await look(runtime)
        assert runtime.event_bridge.get_settings("p") == {"x": 1}
        assert runtime.workflow_bridge.get_settings("q") == {"y": 2}


async def test_a_save_that_is_wrong_is_reported_once(place: Place, observers: Observers, recorder: Recorder) -> None:
    """One watcher reports it, all go on with the last good settings, and the next save is put to use."""
    async with place.runtime(observers) as runtime:
        place.file.write_text("adapters: {selections: 3}")
        await look(runtime)
        await look(runtime)
        failures = [failure for failure in recorder.of(HookFailed) if failure.sink == "settings"]
        assert len(failures) == 1
        place.select("redis")
        await look(runtime)
        assert serving(runtime) == "redis"


async def test_a_held_swap_is_made_when_another_process_allows_it(
    place: Place, observers: Observers, recorder: Recorder
) -> None:
    """A drain of another process holds a swap; once that process ends it, the swap is made."""
    async with place.runtime(observers, watch_settings=False) as runtime:
        await runtime.adapter_bridge.use("cache")
        await place.elsewhere("draining=1")
        place.select("redis")
        await runtime.selections["adapter"].apply(load_settings(place.file).adapters)
        assert (serving(runtime), [event.reason for event in recorder.of(SelectionSwapHeld)]) == (
            "memory",
            ["draining"],
        )
        await place.elsewhere("draining=0")
        await until(lambda: not runtime.selections["adapter"].held)
        assert serving(runtime) == "redis"


async def test_work_is_refused_at_once_everywhere(place: Place, observers: Observers) -> None:
    """A pause of this process or of another one holds with the next piece of work, polled or not."""
    async with place.runtime(observers) as runtime:
        await place.elsewhere("paused=1")
        with pytest.raises(LifecycleError, match="paused"):
            await runtime.adapter_bridge.use("cache")
        runtime.service_bridge.set_paused("x", True)
        assert not runtime.service_bridge.should_accept_work("x")


@pytest.mark.parametrize(
    ("settings", "supervised"),
    [
        ({}, True),
        ({"runtime_supervisor": {"enabled": False}}, False),
        ({"profile": {"supervisor_enabled": False}}, False),
    ],
)
async def test_the_settings_say_whether_there_is_a_supervisor(
    place: Place, observers: Observers, settings: dict[str, Any], supervised: bool
) -> None:
    """Profile and section may each switch it off; every bridge has the one there is."""
    place.save(**settings)
    runtime = place.runtime(observers)
    await runtime.stop()
    assert {bridge.supervisor for bridge in runtime.bridges.values()} == {runtime.supervisor}
    assert (runtime.supervisor is not None) is supervised


@pytest.mark.parametrize(
    ("profile", "options", "watched"),
    [({}, {}, True), ({"watchers_enabled": False}, {}, False), ({}, {"watch_settings": False}, False)],
)
async def test_the_health_file_says_whether_settings_are_watched(
    place: Place, observers: Observers, profile: dict[str, Any], options: dict[str, Any], watched: bool
) -> None:
    """`watchers_running` is true while watchers run, and false after that."""
    place.save(profile=profile)
    async with place.runtime(observers, **options) as runtime:
        running = [watcher.is_running for watcher in runtime.following.watchers]
        assert running == [True] * (6 if watched else 0)
        assert load_runtime_health(place.cache / "runtime_health.json").watchers_running is watched
    assert not load_runtime_health(place.cache / "runtime_health.json").watchers_running


@pytest.mark.slow
def test_a_service_swaps_when_a_drain_is_over(tmp_path: Path) -> None:
    """In a service a selection that is read again waits while its key drains, and serves once that is cleared."""
    start: dict[str, Any] = {"runtime": {"start": ["adapter/cache"]}, "runtime_supervisor": {"poll_interval": 0.1}}
    with running(tmp_path, **start) as one:
        one.client.change("drain", key="cache")
        one.save({**start, "adapters": {"selections": {"cache": "second"}}})
        one.client.change("reload")
        assert one.event("selection-swap-delayed")["reason"] == "draining"
        one.client.change("drain", key="cache", clear=True)
        assert one.event("selection-swap-triggered")["provider"] == "second"
        assert load_runtime_health(one.state / "runtime_health.json").watchers_running
