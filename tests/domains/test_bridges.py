"""Bridges: who serves a key, and when work is refused."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel, ValidationError

from oneiric.actions import ActionBridge
from oneiric.adapters import AdapterBridge, AdapterHandle
from oneiric.core.activity import DomainActivity, DomainActivityStore
from oneiric.core.config import LayerSettings
from oneiric.core.events import DrainCleared, DrainStarted, Paused, Resumed, Swap, WorkBlocked
from oneiric.core.lifecycle import LifecycleError, LifecycleManager
from oneiric.core.resolution import Candidate, Resolver
from oneiric.domains import DomainBridge, DomainHandle, EventBridge, ServiceBridge, TaskBridge, WorkflowBridge

if TYPE_CHECKING:
    from pathlib import Path

    from support import Recorder

    from oneiric.core.observers import Observers


class Instance:
    """What a provider makes; it knows whether it was closed."""

    def __init__(self, provider: str) -> None:
        self.provider = provider
        self.closed = False

    async def cleanup(self) -> None:
        """Remember."""
        self.closed = True


def register(resolver: Resolver, provider: str | None, *, domain: str = "service", **fields: Any) -> None:
    """Register a provider of the key "x" whose factory takes a turn of the loop."""

    async def factory() -> Instance:
        await asyncio.sleep(0)
        return Instance(str(provider))

    resolver.register(Candidate(domain=domain, key="x", provider=provider, factory=factory, **fields))


@pytest.fixture
def resolver(observers: Observers) -> Resolver:
    """Two providers of one key, of which "new" wins."""
    resolver = Resolver(observers=observers)
    register(resolver, "old", priority=1, metadata={"capabilities": ["fast", "safe"]})
    register(resolver, "new", priority=2, metadata={"capabilities": ["fast"], "version": "2"})
    return resolver


@pytest.fixture
def lifecycle(resolver: Resolver, observers: Observers) -> LifecycleManager:
    """Holds the instances."""
    return LifecycleManager(resolver, observers=observers)


@pytest.fixture
def bridge(resolver: Resolver, lifecycle: LifecycleManager) -> DomainBridge:
    """The bridge of the services, without a store."""
    return DomainBridge("service", resolver, lifecycle, LayerSettings())


async def test_the_winner_is_activated(bridge: DomainBridge) -> None:
    """Without any wish the best-ranked provider serves, and the handle says all about it."""
    handle = await bridge.use("x")
    assert handle == DomainHandle(
        domain="service",
        key="x",
        provider="new",
        instance=bridge.lifecycle.get_instance("service", "x"),
        metadata={"capabilities": ["fast"], "version": "2"},
        settings={},
    )


async def test_an_instance_is_reused(bridge: DomainBridge) -> None:
    """A second use gets the same instance."""
    assert (await bridge.use("x")).instance is (await bridge.use("x")).instance


async def test_the_first_of_several_callers_activates_for_all(bridge: DomainBridge, recorder: Recorder) -> None:
    """Concurrent first uses make one instance, and everybody gets it open."""
    handles = await asyncio.gather(*(bridge.use("x") for _ in range(5)))
    assert (len({id(handle.instance) for handle in handles}), handles[0].instance.closed, len(recorder.of(Swap))) == (
        1,
        False,
        1,
    )


async def test_another_callers_failure_is_not_shared(bridge: DomainBridge) -> None:
    """After a caller was cancelled while activating, the next one activates itself."""
    first = asyncio.create_task(bridge.use("x"))
    second = asyncio.create_task(bridge.use("x"))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).provider == "new"


async def test_an_explicit_provider_is_never_anothers_instance(bridge: DomainBridge) -> None:
    """Asking for a provider swaps an instance of another one."""
    first = await bridge.use("x")
    second = await bridge.use("x", provider="old")
    assert (second.provider, second.instance.provider, first.instance.closed) == ("old", "old", True)


async def test_the_selection_decides_who_serves(bridge: DomainBridge) -> None:
    """A configured selection is used, and swaps an instance of another provider once it changes."""
    first = await bridge.use("x")
    bridge.update_settings(LayerSettings(selections={"x": "old"}))
    assert (first.provider, (await bridge.use("x")).provider) == ("new", "old")


async def test_an_explicit_provider_beats_the_selection(bridge: DomainBridge) -> None:
    """The argument is stronger than the configuration."""
    bridge.update_settings(LayerSettings(selections={"x": "old"}))
    assert (await bridge.use("x", provider="new")).provider == "new"


async def test_without_a_wish_the_present_instance_stays(bridge: DomainBridge, resolver: Resolver) -> None:
    """A better candidate that comes along does not swap by itself, and the handle names who really serves."""
    first = await bridge.use("x")
    register(resolver, "better", priority=3)
    second = await bridge.use("x")
    assert (second.provider, second.instance is first.instance) == ("new", True)


async def test_a_present_instance_without_the_capability_is_swapped(bridge: DomainBridge) -> None:
    """What was asked for counts more than what is there; what fits stays."""
    await bridge.use("x", provider="new")
    safe = await bridge.use("x", capabilities=["safe"])
    fast = await bridge.use("x", capabilities=["fast"])
    assert (safe.provider, fast.instance is safe.instance) == ("old", True)


async def test_any_capability_may_be_enough(bridge: DomainBridge) -> None:
    """Without require_all one of the capabilities suffices."""
    await bridge.use("x", provider="new")
    assert (await bridge.use("x", capabilities=["fast", "none"], require_all=False)).provider == "new"


async def test_force_reload_swaps_in_any_case(bridge: DomainBridge) -> None:
    """A forced reload makes a new instance of the same provider."""
    first = await bridge.use("x")
    second = await bridge.use("x", force_reload=True)
    assert (first.instance.closed, second.instance.closed, second.provider) == (True, False, "new")


@pytest.mark.parametrize("wishes", [{"provider": "none"}, {"capabilities": ["none"]}])
async def test_without_a_candidate_there_is_an_error(bridge: DomainBridge, wishes: dict[str, Any]) -> None:
    """Nobody who fits is said with domain and key."""
    with pytest.raises(LifecycleError, match=r"^No candidate found for service:x$"):
        await bridge.use("x", **wishes)


async def test_a_candidate_without_a_provider_is_an_error(resolver: Resolver, bridge: DomainBridge) -> None:
    """A candidate that names no provider cannot be handed out, and is not activated."""
    register(resolver, None, priority=9)
    with pytest.raises(LifecycleError, match=r"^Candidate missing provider for service:x$"):
        await bridge.use("x")
    assert bridge.lifecycle.get_instance("service", "x") is None


class Options(BaseModel):
    """Settings of a provider."""

    size: int = 1


async def test_settings_are_parsed_by_the_registered_model(bridge: DomainBridge) -> None:
    """A provider's settings are an object of its model, the same one until the settings change."""
    bridge.update_settings(LayerSettings(provider_settings={"new": {"size": 2}}))
    raw = bridge.get_settings("new")
    bridge.register_settings_model("new", Options)
    parsed = (await bridge.use("x")).settings
    assert (raw, parsed, bridge.get_settings("new") is parsed) == ({"size": 2}, Options(size=2), True)
    bridge.update_settings(LayerSettings())
    assert bridge.get_settings("new") == Options(size=1)


async def test_wrong_settings_are_found_before_a_swap(bridge: DomainBridge) -> None:
    """Settings that the model refuses leave what serves as it is."""
    first = await bridge.use("x", provider="old")
    bridge.register_settings_model("new", Options)
    bridge.update_settings(LayerSettings(provider_settings={"new": {"size": "big"}}))
    with pytest.raises(ValidationError):
        await bridge.use("x", provider="new")
    assert (first.instance.closed, (await bridge.use("x")).provider) == (False, "old")


@pytest.mark.parametrize(
    ("state", "text", "reason"),
    [
        ({"paused": True}, "service:x is paused", "paused"),
        ({"draining": True}, "service:x is draining", "draining"),
        ({"paused": True, "draining": True}, "service:x is paused & draining", "paused"),
    ],
)
async def test_work_is_refused_while_paused_or_draining(
    bridge: DomainBridge, recorder: Recorder, state: dict[str, bool], text: str, reason: Any
) -> None:
    """Refused work is an error that says why, and is told; nothing is activated."""
    bridge.activity_store.change("service", "x", **state)  # type: ignore[arg-type]  # by name
    with pytest.raises(LifecycleError, match=f"^{text}$"):
        await bridge.use("x")
    assert (recorder.of(WorkBlocked), recorder.of(Swap)) == (
        [WorkBlocked(domain="service", key="x", reason=reason)],
        [],
    )


async def test_work_is_taken_again_after_resuming(bridge: DomainBridge) -> None:
    """A pause ends with its resume."""
    bridge.set_paused("x", True)
    bridge.set_paused("x", False)
    assert (bridge.should_accept_work("x"), (await bridge.use("x")).provider) == (True, "new")


def test_transitions_are_told_once(bridge: DomainBridge, recorder: Recorder) -> None:
    """A bridge without a store tells the same transitions as one with."""
    for flag in (True, True, False, False):
        bridge.set_paused("x", flag)
        bridge.set_draining("x", flag)
    assert recorder.told == [
        event(domain="service", key="x") for event in (Paused, DrainStarted, Resumed, DrainCleared)
    ]


def test_flags_and_notes_are_kept(bridge: DomainBridge) -> None:
    """Each setter returns the whole new state and leaves what it is not about."""
    bridge.set_paused("x", True, note="why")
    state = bridge.set_draining("x", True)
    assert (state, bridge.activity_state("x"), bridge.activity_snapshot(), bridge.activity_state("y")) == (
        DomainActivity(paused=True, draining=True, note="why"),
        state,
        {"x": state},
        DomainActivity(),
    )


def test_bridges_share_a_store(tmp_path: Path, resolver: Resolver, lifecycle: LifecycleManager) -> None:
    """What one bridge pauses holds at once for every bridge on the same file, for its own domain only."""
    stores = [DomainActivityStore(tmp_path / "a.sqlite") for _ in range(2)]
    one, other = (ServiceBridge(resolver, lifecycle, LayerSettings(), store) for store in stores)
    third = TaskBridge(resolver, lifecycle, LayerSettings(), stores[1])
    one.set_paused("x", True)
    answers = [bridge.should_accept_work("x") for bridge in (one, other, third)]
    for store in stores:
        store.close()
    assert answers == [False, False, True]


class Gate:
    """A supervisor that knows of one drain."""

    def should_accept_work(self, domain: str, key: str) -> bool:
        """Refuse the key "y"."""
        return (domain, key) != ("service", "y")

    def activity_state(self, domain: str, key: str) -> DomainActivity:
        """Tell of the drain."""
        return DomainActivity(draining=not self.should_accept_work(domain, key))


async def test_a_supervisor_may_refuse_work_too(resolver: Resolver, lifecycle: LifecycleManager) -> None:
    """Work is refused by the supervisor, and by a pause in this process that the supervisor has not yet seen."""
    bridge = ServiceBridge(resolver, lifecycle, LayerSettings(), supervisor=Gate())
    bridge.set_paused("x", True)
    assert [bridge.should_accept_work(key) for key in "xyz"] == [False, False, True]
    with pytest.raises(LifecycleError, match=r"^service:y is draining$"):
        await bridge.use("y")


def test_candidates_can_be_listed_and_explained(bridge: DomainBridge) -> None:
    """The bridge shows its domain of the resolver."""
    assert (
        [candidate.provider for candidate in bridge.active_candidates()],
        [candidate.provider for candidate in bridge.shadowed_candidates()],
        [entry["provider"] for entry in bridge.explain("x")["ordered"]],
        [entry["provider"] for entry in bridge.explain("x", capabilities=["safe"])["ordered"]],
    ) == (["new"], ["old"], ["new", "old"], ["old"])


@pytest.mark.parametrize(
    ("kind", "domain"),
    [
        (ServiceBridge, "service"),
        (TaskBridge, "task"),
        (EventBridge, "event"),
        (WorkflowBridge, "workflow"),
        (AdapterBridge, "adapter"),
        (ActionBridge, "action"),
    ],
)
def test_every_domain_has_its_bridge(resolver: Resolver, lifecycle: LifecycleManager, kind: Any, domain: str) -> None:
    """Each bridge is one of its domain and tells whoever the resolver tells."""
    bridge = kind(resolver, lifecycle, LayerSettings(), activity_store=None, supervisor=None)
    assert (bridge.domain, bridge.observers) == (domain, resolver.observers)


async def test_an_adapter_has_a_handle_of_its_own(resolver: Resolver, lifecycle: LifecycleManager) -> None:
    """The adapter bridge answers by category."""
    register(resolver, "redis", domain="adapter", metadata={"version": "7"})
    bridge = AdapterBridge(resolver, lifecycle, LayerSettings(provider_settings={"redis": {"port": 1}}))
    handle = await bridge.use("x")
    assert handle == AdapterHandle(
        category="x",
        provider="redis",
        instance=lifecycle.get_instance("adapter", "x"),
        settings={"port": 1},
        metadata={"version": "7"},
    )


async def test_a_missing_adapter_is_named_by_its_category(resolver: Resolver, lifecycle: LifecycleManager) -> None:
    """The error speaks of the category."""
    with pytest.raises(LifecycleError, match=r"^No adapter candidate found for y$"):
        await AdapterBridge(resolver, lifecycle, LayerSettings()).use("y")


async def test_a_handle_tells_of_the_candidate_that_made_the_instance(resolver: Resolver, bridge: DomainBridge) -> None:
    """A provider registered anew does not lend its metadata to what its predecessor made."""
    await bridge.use("x")
    register(resolver, "new", priority=3, metadata={"capabilities": ["fast"], "version": "3"})
    kept = await bridge.use("x")
    reloaded = await bridge.use("x", force_reload=True)
    assert (kept.metadata["version"], reloaded.metadata["version"]) == ("2", "3")


class Plain:
    """An activity store of another make: it can be asked and set."""

    def __init__(self) -> None:
        self.states: dict[tuple[str, str], DomainActivity] = {}

    def get(self, domain: str, key: str) -> DomainActivity:
        """Return the state."""
        return self.states.get((domain, key), DomainActivity())

    def set(self, domain: str, key: str, state: DomainActivity) -> None:
        """Replace the state."""
        self.states[domain, key] = state


def test_a_store_that_can_only_be_set_will_do(resolver: Resolver, lifecycle: LifecycleManager) -> None:
    """Without a change in one step the state is read and set, and keeps what is not given."""
    store = Plain()
    bridge = DomainBridge("service", resolver, lifecycle, LayerSettings(), store)  # type: ignore[arg-type]
    bridge.set_paused("x", True, note="why")
    assert bridge.set_draining("x", True) == DomainActivity(paused=True, draining=True, note="why")
    assert store.states == {("service", "x"): DomainActivity(paused=True, draining=True, note="why")}
