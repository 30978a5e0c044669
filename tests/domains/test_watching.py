"""Watchers of selections: what is swapped, held, refreshed, survived."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from lifecycle_support import until

from oneiric.adapters import AdapterBridge, AdapterConfigWatcher
from oneiric.adapters.watcher import adapter_layer
from oneiric.core.config import LayerSettings, OneiricSettings, SettingsError
from oneiric.core.events import HookFailed, SelectionSwap, SelectionSwapHeld
from oneiric.core.lifecycle import LifecycleManager
from oneiric.core.resolution import Candidate, Resolver
from oneiric.domains import EventBridge, EventConfigWatcher, ServiceConfigWatcher, WorkflowConfigWatcher
from oneiric.domains.selections import DomainSelections
from oneiric.domains.watching import DomainWatcher, SelectionWatcher

if TYPE_CHECKING:
    from pathlib import Path

    from support import Recorder

    from oneiric.core.observers import Observers


class Saved:
    """Settings that somebody saves."""

    def __init__(self) -> None:
        self.settings = OneiricSettings.exactly()
        self.error: Exception | None = None
        self.loads = 0

    def select(self, **selections: str) -> None:
        """Save selections of adapters."""
        layer = LayerSettings(selections=selections, provider_settings={"redis": {"port": len(selections)}})
        self.settings = OneiricSettings.exactly(adapters=layer)

    def __call__(self) -> OneiricSettings:
        """Load."""
        self.loads += 1
        if self.error is not None:
            raise self.error
        return self.settings


@pytest.fixture
def saved() -> Saved:
    """Settings without selections."""
    return Saved()


@pytest.fixture
def bridge(observers: Observers) -> AdapterBridge:
    """Two providers of the key cache, of which memory wins."""
    resolver = Resolver(observers=observers)
    for priority, provider in enumerate(("redis", "memory")):
        resolver.register(
            Candidate(domain="adapter", key="cache", provider=provider, priority=priority, factory=object)
        )
    return AdapterBridge(resolver, LifecycleManager(resolver), LayerSettings())


@pytest.fixture
def watcher(bridge: AdapterBridge, saved: Saved) -> AdapterConfigWatcher:
    """A watcher, not started."""
    return AdapterConfigWatcher(bridge, settings_loader=saved, poll_interval=0.001)


def serving(bridge: AdapterBridge) -> str | None:
    """Return the provider that serves the cache."""
    candidate = bridge.lifecycle.get_candidate("adapter", "cache")
    return None if candidate is None else candidate.provider


async def test_a_changed_selection_is_swapped_in(
    bridge: AdapterBridge, watcher: AdapterConfigWatcher, saved: Saved
) -> None:
    """A key that is selected is swapped; bridge and resolver go by the new settings."""
    saved.select(cache="redis")
    await watcher.run_once()
    assert (serving(bridge), bridge.get_settings("redis")) == ("redis", {"port": 1})
    assert bridge.resolver.settings.selections == {"adapter": {"cache": "redis"}}
    assert bridge.explain("cache")["ordered"][0]["provider"] == "redis"


async def test_a_removed_selection_swaps_to_who_wins(
    bridge: AdapterBridge, watcher: AdapterConfigWatcher, saved: Saved
) -> None:
    """Without its selection a key is served by the winner, not by the provider selected at the start."""
    saved.select(cache="redis")
    await watcher.run_once()
    saved.select()
    await watcher.run_once()
    assert serving(bridge) == "memory"


async def test_what_is_not_changed_is_not_swapped(
    watcher: AdapterConfigWatcher, saved: Saved, recorder: Recorder
) -> None:
    """A second look at the same settings does nothing."""
    saved.select(cache="redis")
    await watcher.run_once()
    await watcher.run_once()
    assert len(recorder.of(SelectionSwap)) == 1


async def test_settings_that_are_changed_in_place_are_seen(
    bridge: AdapterBridge, watcher: AdapterConfigWatcher, saved: Saved
) -> None:
    """The section that the bridge has may be the one that is changed."""
    saved.settings.adapters = bridge.settings
    bridge.settings.selections["cache"] = "redis"
    await watcher.run_once()
    assert serving(bridge) == "redis"


@pytest.mark.parametrize("flag", ["paused", "draining"])
async def test_a_held_swap_is_made_later(
    bridge: AdapterBridge, watcher: AdapterConfigWatcher, saved: Saved, recorder: Recorder, flag: str
) -> None:
    """A key that is paused or drains is swapped with the first look after that has ended, though nothing was saved."""
    begin: dict[str, Any] = {flag: True}
    end: dict[str, Any] = {flag: False}
    await bridge.use("cache")
    bridge.activity_store.change("adapter", "cache", **begin)
    saved.select(cache="redis")
    await watcher.run_once()
    await watcher.run_once()
    held = [event.reason for event in recorder.of(SelectionSwapHeld)]
    assert (serving(bridge), held) == ("memory", [flag])
    bridge.activity_store.change("adapter", "cache", **end)
    await watcher.run_once()
    assert serving(bridge) == "redis"


async def test_a_swap_that_fails_is_reported(
    bridge: AdapterBridge, watcher: AdapterConfigWatcher, saved: Saved, recorder: Recorder
) -> None:
    """A provider that is not registered is a failed swap; the watcher goes on."""
    saved.select(cache="rediss")
    await watcher.run_once()
    assert [ended.outcome for ended in recorder.endings(SelectionSwap)] == ["failed"]
    saved.select(cache="redis")
    await watcher.run_once()
    assert serving(bridge) == "redis"


async def test_settings_that_are_wrong_are_reported_once(
    bridge: AdapterBridge, watcher: AdapterConfigWatcher, saved: Saved, recorder: Recorder
) -> None:
    """What cannot be loaded is reported once for as long as it is the same; the last good settings stay in force."""
    saved.select(cache="redis")
    await watcher.run_once()
    for text in ("line 1", "line 1", "line 2"):
        saved.error = SettingsError(text)
        await watcher.run_once()
    assert serving(bridge) == "redis"
    saved.error = None
    await watcher.run_once()
    saved.error = SettingsError("line 2")
    await watcher.run_once()
    failures = [(failure.sink, failure.error) for failure in recorder.of(HookFailed)]
    assert failures == [("settings", "line 1"), ("settings", "line 2"), ("settings", "line 2")]


async def test_a_watcher_lives_on_and_ends_quietly(
    bridge: AdapterBridge, watcher: AdapterConfigWatcher, saved: Saved
) -> None:
    """It looks at intervals, survives settings that are wrong, and neither of its ends raises."""
    saved.error = SettingsError("no")
    async with watcher:
        await until(lambda: saved.loads > 2)
        saved.error = None
        saved.select(cache="redis")
        await until(lambda: serving(bridge) == "redis")
        assert watcher.is_running
    await watcher.stop()
    assert (watcher.is_running, len(asyncio.all_tasks())) == (False, 1)


async def test_a_watcher_runs_once(watcher: AdapterConfigWatcher) -> None:
    """Starting it twice is an error; after its end it can be started again."""
    async with watcher:
        with pytest.raises(RuntimeError, match=r"^Watcher already running$"):
            await watcher.start()
    async with watcher:
        assert watcher.is_running


async def test_only_a_saved_file_is_loaded(bridge: AdapterBridge, tmp_path: Path) -> None:
    """With a path the default loader reads that file, once for each time that it was saved."""
    path = tmp_path / "own.yaml"
    path.write_text("adapters: {selections: {cache: redis}}")
    watcher = AdapterConfigWatcher(bridge, watch_path=path, poll_interval=0.001)
    async with watcher:
        await until(lambda: serving(bridge) == "redis")
        path.write_text("adapters: {}")
        await until(lambda: serving(bridge) == "memory")


async def test_an_emptied_file_swaps_nothing(bridge: AdapterBridge, tmp_path: Path, recorder: Recorder) -> None:
    """A save that leaves nothing in the file is reported, and who serves goes on."""
    path = tmp_path / "own.yaml"
    path.write_text("adapters: {selections: {cache: redis}}")
    watcher = AdapterConfigWatcher(bridge, watch_path=path, poll_interval=0.001)
    async with watcher:
        await until(lambda: serving(bridge) == "redis")
        path.write_text("")
        await until(lambda: any("own.yaml: is empty" in failure.error for failure in recorder.of(HookFailed)))
        assert serving(bridge) == "redis"


@pytest.mark.parametrize(("kind", "times"), [(AdapterConfigWatcher, 0), (EventConfigWatcher, 2)])
async def test_some_bridges_are_given_their_settings_each_time(
    observers: Observers, kind: type[DomainWatcher], times: int
) -> None:
    """Events and workflows get their section with every look, changed or not; the others only when it changed."""
    given: list[Any] = []

    class Bridge(EventBridge):
        def update_settings(self, layer: LayerSettings) -> None:
            given.append(layer)

    resolver = Resolver(observers=observers)
    watcher = kind(
        Bridge(resolver, LifecycleManager(resolver), LayerSettings()), settings_loader=OneiricSettings.exactly
    )
    await watcher.run_once()
    await watcher.run_once()
    assert (len(given), WorkflowConfigWatcher.refreshes, ServiceConfigWatcher.refreshes) == (times, True, False)


def test_the_section_of_the_adapters() -> None:
    """The section of the adapters can be had by name."""
    settings = OneiricSettings.exactly(adapters={"selections": {"cache": "redis"}})
    assert adapter_layer(settings) is settings.adapters


async def test_a_watcher_takes_what_is_published(bridge: AdapterBridge, saved: Saved) -> None:
    """Name, section and the ways to watch can be given by name."""
    watcher = SelectionWatcher(
        "own",
        bridge,
        layer_selector=adapter_layer,
        settings_loader=saved,
        serverless_mode=True,
        use_watchfiles=False,
        refresh_on_every_tick=True,
    )
    saved.select(cache="redis")
    await watcher.run_once()
    assert (watcher.name, watcher.poll_interval, serving(bridge)) == ("own", 5.0, "redis")


async def test_a_refreshed_layer_leaves_what_was_chosen(bridge: AdapterBridge, saved: Saved) -> None:
    """A tick without a change keeps the provider that was chosen in place of the configured one."""
    saved.select(cache="redis")
    selections = DomainSelections(bridge)
    watcher = SelectionWatcher(
        "own",
        bridge,
        layer_selector=adapter_layer,
        settings_loader=saved,
        refresh_on_every_tick=True,
        selections=selections,
    )
    await watcher.run_once()
    assert selections.choose("cache", "memory") == "redis"
    await watcher.run_once()
    assert bridge.settings.selections == {"cache": "memory"}
