"""What an activation and a swap do, in which order, and what they tell."""

from __future__ import annotations

import asyncio
import dataclasses
import math
import threading
from typing import TYPE_CHECKING, Any

import pytest
from lifecycle_support import Bench, Gate, Part, Stubborn, content, until
from support import Clock

from oneiric.core.events import CleanupFailed, HealthCheck, LifecycleCount, Swap
from oneiric.core.lifecycle import (
    CallTimeoutError,
    LifecycleError,
    LifecycleHooks,
    LifecycleManager,
    LifecycleSafetyOptions,
    LifecycleStatus,
    resolve_factory,
)
from oneiric.core.observers import Observers
from oneiric.core.resolution import Candidate, Resolver
from oneiric.demo import DemoAdapter

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def bench() -> Bench:
    """A manager with short patience."""
    return Bench()


def swaps(bench: Bench) -> list[tuple[str, str]]:
    """Return outcome and reason of every swap."""
    return [(ended.outcome, ended.reason) for ended in bench.recorder.endings(Swap)]


async def test_an_activation_returns_what_serves_from_then_on(bench: Bench) -> None:
    """The instance that activate returns is the one get_instance answers."""
    bench.register(Part)
    assert await bench.manager.activate("adapter", "cache") is bench.instance


async def test_every_activation_makes_a_new_instance(bench: Bench) -> None:
    """Activating the provider that serves already replaces its instance and closes it."""
    bench.register(Part)
    first, second = await bench.swap(), await bench.swap()
    assert (first is second, first.closed, second.closed) == (False, 1, 0)


async def test_nothing_is_known_of_what_was_never_touched(bench: Bench) -> None:
    """There is no instance, status or probe result before the first activation."""
    probed = await bench.manager.probe_instance_health("adapter", "cache")
    assert (bench.instance, bench.status, probed) == (None, None, None)


async def test_steps_follow_the_documented_order() -> None:
    """Factory, checks and pre-swap hooks come before the instance serves; closing the old one comes last."""
    bench, steps = Bench(), []

    class Old:
        def cleanup(self) -> None:
            steps.append("old closed")

    class New:
        def __init__(self) -> None:
            steps.append("factory")

        def health(self) -> bool:
            steps.append("health")
            return True

    def check() -> bool:
        steps.append("candidate health")
        return True

    old = await bench.serve(Old())
    bench.register(New, health=check)
    bench.hooks.add_pre_swap(lambda _, new, was: steps.append(f"pre {bench.instance is was is old is not new}"))
    bench.hooks.add_post_swap(lambda _, new, was: steps.append(f"post {bench.instance is new is not was is old}"))
    bench.hooks.add_cleanup(lambda closed: steps.append(f"cleanup hook {closed is old}"))
    await bench.swap()
    assert steps == [
        "factory",
        "candidate health",
        "health",
        "pre True",
        "post True",
        "old closed",
        "cleanup hook True",
    ]


async def test_a_swap_is_told_as_one_operation(bench: Bench) -> None:
    """The operation names who takes over from whom, and that it was forced."""
    await bench.serve()
    bench.register(Part)
    await bench.swap(force=True)
    assert bench.recorder.endings(Swap)[-1].operation == Swap(
        domain="adapter", key="cache", provider="new", previous_provider="old", forced=True
    )


async def test_a_candidate_without_provider_is_told_as_none(bench: Bench) -> None:
    """A missing provider name is "none" in events and None in the status."""
    bench.register(Part, provider=None)
    await bench.swap(None)
    assert (bench.recorder.endings(Swap)[-1].operation, bench.status.current_provider) == (
        Swap(domain="adapter", key="cache", provider="none", previous_provider="none"),
        None,
    )


async def test_a_successful_swap_is_taken_down() -> None:
    """The status says who serves, since when, how long the swap took and how many there were."""
    clock, ticks = Clock(now=0.0), Clock()
    resolver = Resolver(observers=Observers(clock=ticks))
    manager = LifecycleManager(resolver, clock=clock, safety=LifecycleSafetyOptions(sync_in_thread=False))

    def factory() -> Part:
        ticks.advance(0.25)
        return Part()

    resolver.register(Candidate(domain="adapter", key="cache", provider="new", factory=factory))
    await manager.activate("adapter", "cache")
    status = manager.get_status("adapter", "cache")
    assert status is not None
    epoch = "1970-01-01T00:00:00+00:00"
    assert status.as_dict() == {
        "domain": "adapter",
        "key": "cache",
        "state": "ready",
        "current_provider": "new",
        "pending_provider": None,
        "last_error": None,
        "last_state_change_at": epoch,
        "last_activated_at": epoch,
        "last_health_at": epoch,
        "last_swap_duration_ms": 250.0,
        "recent_swap_durations_ms": [250.0],
        "successful_swaps": 1,
        "failed_swaps": 0,
    }


async def test_a_status_handed_out_does_not_change(bench: Bench) -> None:
    """What get_status returned is a snapshot."""
    await bench.serve()
    before = bench.status
    copy = dataclasses.replace(before)
    await bench.swap("old")
    assert before == copy


@pytest.mark.parametrize(("kept", "expected"), [(0, 0), (1, 1), (2, 2), (3, 3), (5, 3)])
async def test_only_so_many_durations_are_kept(kept: int, expected: int) -> None:
    """max_swap_samples bounds the durations of a component."""
    bench = Bench(safety=LifecycleSafetyOptions(max_swap_samples=kept))
    await bench.serve()
    await bench.swap("old")
    await bench.swap("old")
    assert len(bench.status.recent_swap_durations_ms) == expected


async def test_while_it_is_activated_the_status_says_so(bench: Bench) -> None:
    """During a swap the state is activating, the pending provider is named and the old one is the current one."""
    await bench.serve()
    seen: list[LifecycleStatus] = []
    bench.hooks.add_pre_swap(lambda *_: seen.append(bench.status))
    bench.register(Part)
    await bench.swap()
    assert [(s.state, s.current_provider, s.pending_provider) for s in seen] == [("activating", "old", "new")]


@pytest.mark.parametrize(
    ("domain", "key"), [("", "k"), ("adapter", ""), ("adapter", "k" * 257), ("a", "\n"), ("a", None)]
)
async def test_names_that_cannot_be_registered_are_refused(bench: Bench, domain: str, key: Any) -> None:
    """A name that is empty, too long, no string or has control characters is an error that names the field."""
    with pytest.raises(LifecycleError, match=r"is not a valid name"):
        await bench.manager.activate(domain, key)
    assert bench.recorder.told == []


async def test_the_longest_name_can_be_activated(bench: Bench) -> None:
    """A key of 256 characters is a key."""
    bench.resolver.register(Candidate(domain="adapter", key="k" * 256, factory=Part))
    assert isinstance(await bench.manager.activate("adapter", "k" * 256), Part)


async def test_a_falsy_instance_is_closed(bench: Bench) -> None:
    """What is false in a condition is closed as anything else when it is replaced."""

    class Empty(Part):
        def __len__(self) -> int:
            return 0

    old = await bench.serve(Empty())
    await bench.serve()
    assert old.closed == 1


async def test_an_instance_that_is_returned_again_is_not_closed(bench: Bench) -> None:
    """A factory may return the instance that serves; swapping it for itself leaves it open."""
    shared = await bench.serve()
    bench.register(lambda: shared)
    await bench.swap()
    bench.hooks.add_pre_swap(lambda *_: 1 / 0)  # type: ignore[arg-type]  # a hook that raises
    with pytest.raises(LifecycleError):
        await bench.swap()
    assert (bench.instance is shared, shared.closed) == (True, 0)


async def test_a_factory_string_is_imported_and_called(bench: Bench) -> None:
    """A factory can be named, with blanks around the colon."""
    bench.register("oneiric.demo : DemoAdapter")
    assert isinstance(await bench.swap(), DemoAdapter)


def test_resolve_factory_passes_a_callable_through() -> None:
    """What can be called already is not looked up."""
    assert resolve_factory(Part) is Part


@pytest.mark.parametrize(
    ("methods", "called"),
    [
        (["cleanup", "close", "shutdown"], "cleanup"),
        (["close", "shutdown"], "close"),
        (["shutdown"], "shutdown"),
        ([], None),
    ],
)
async def test_the_first_cleanup_method_is_called(bench: Bench, methods: list[str], called: str | None) -> None:
    """Of cleanup, close and shutdown only the first that an instance has is called, awaited where it is async."""
    calls = []

    def method(name: str) -> Any:
        async def close() -> None:
            calls.append(name)

        return close

    await bench.serve(type("Instance", (), {name: staticmethod(method(name)) for name in methods})())
    await bench.serve()
    assert calls == ([called] if called else [])


async def test_swaps_of_one_component_follow_one_another(bench: Bench) -> None:
    """Five activations at once make five instances, of which one serves and four are closed."""
    made: list[Part] = []
    active = 0

    async def factory() -> Part:
        nonlocal active
        active += 1
        assert active == 1
        await asyncio.sleep(0)
        made.append(Part())
        active -= 1
        return made[-1]

    bench.register(factory)
    await asyncio.gather(*(bench.swap() for _ in range(5)))
    assert (sum(part.closed for part in made), bench.instance, len(made)) == (4, made[-1], 5)
    assert len(bench.manager._locks) == 0


async def test_swaps_of_different_components_run_side_by_side(bench: Bench) -> None:
    """A hanging activation does not keep another component waiting."""
    gate = Gate()
    bench.register(gate.wait_async)
    waiting = asyncio.create_task(bench.swap(force=True))
    await until(gate.entered.is_set)
    bench.resolver.register(Candidate(domain="adapter", key="other", factory=Part))
    assert isinstance(await bench.manager.activate("adapter", "other"), Part)
    gate.opened.set()
    await waiting


def test_one_manager_serves_several_loops_one_after_another(bench: Bench) -> None:
    """Locks and instances outlive the loop they were first used on."""
    bench.register(Part)

    async def contend() -> None:
        await asyncio.gather(bench.swap(), bench.swap())

    asyncio.run(contend())
    asyncio.run(contend())
    assert (bench.status.successful_swaps, len(bench.manager._locks)) == (4, 0)


async def test_states_count_what_is_held(bench: Bench) -> None:
    """The counts of a domain follow from its components; during a swap it is in progress."""
    await bench.serve()
    bench.resolver.register(Candidate(domain="adapter", key="bad", factory=lambda: None))
    with pytest.raises(LifecycleError):
        await bench.manager.activate("adapter", "bad")
    seen: list[object] = []
    bench.hooks.add_pre_swap(lambda *_: seen.append(next(iter(bench.manager.states()))))
    await bench.swap("old")
    seen.append(next(iter(bench.manager.states())))
    count = LifecycleCount(domain="adapter", swaps_in_progress=1, instances=1, ready=0, activating=1, failed=1)
    assert seen[0] == count
    assert seen[1] == LifecycleCount(
        domain="adapter", swaps_in_progress=0, instances=1, ready=1, activating=0, failed=1
    )


async def test_states_name_who_serves(bench: Bench) -> None:
    """A component has a provider while somebody serves, "none" for one without a name, and else None."""
    await bench.serve()
    bench.resolver.register(Candidate(domain="task", key="bad", provider="x", factory=lambda: None))
    bench.resolver.register(Candidate(domain="task", key="nameless", factory=Part))
    with pytest.raises(LifecycleError):
        await bench.manager.activate("task", "bad")
    await bench.manager.activate("task", "nameless")
    providers = {state.key: state.provider for state in bench.manager.states() if not isinstance(state, LifecycleCount)}  # type: ignore[attr-defined]
    assert providers == {"cache": "old", "bad": None, "nameless": "none"}


async def test_states_can_be_read_from_another_thread_while_swapping(bench: Bench) -> None:
    """Readers in other threads see whole states and never an error."""
    done, errors = threading.Event(), []

    def read() -> None:
        while not done.is_set():
            try:
                list(bench.manager.states())
                bench.manager.all_statuses()
                bench.manager.get_instance("adapter", "cache")
            except Exception as error:  # noqa: BLE001 - whatever it is fails the test
                errors.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for number in range(30):
            bench.resolver.register(Candidate(domain=f"d{number % 5}", key=f"k{number}", factory=Part))
            await bench.manager.activate(f"d{number % 5}", f"k{number}")
    finally:
        done.set()
        reader.join()
    assert errors == []


async def test_closing_closes_every_instance_once(bench: Bench) -> None:
    """The manager closes what serves, tells what fails, refuses further activations, and can be called again."""
    old = await bench.serve(Stubborn())
    bench.resolver.register(Candidate(domain="task", key="t", factory=Part))
    other = await bench.manager.activate("task", "t")
    await asyncio.gather(bench.manager.aclose(), bench.manager.aclose())
    await bench.manager.aclose()
    assert (old.closed, other.closed, bench.instance, len(bench.recorder.of(CleanupFailed))) == (1, 1, None, 1)
    assert (bench.status.state, bench.status.current_provider) == ("unknown", None)
    with pytest.raises(LifecycleError, match="The lifecycle manager is closed"):
        await bench.swap("old")


async def test_a_swap_under_way_fails_when_the_manager_is_closed(bench: Bench) -> None:
    """What is made while the manager closes is closed too and never serves."""
    old, new, gate = await bench.serve(), Part(), Gate()

    async def factory() -> Part:
        await gate.wait_async()
        return new

    bench.register(factory)
    waiting = asyncio.create_task(bench.swap())
    await until(gate.entered.is_set)
    await bench.manager.aclose()
    gate.opened.set()
    with pytest.raises(LifecycleError, match="is closed"):
        await waiting
    assert (old.closed, new.closed, bench.instance, swaps(bench)[-1]) == (1, 1, None, ("failed", "other"))


async def test_closing_leaves_nothing_activating_in_the_status_file(tmp_path: Path) -> None:
    """An activation that is under way when the manager closes has failed, as the file says, whenever it ends."""
    bench, gate = Bench(path=tmp_path / "status.json"), Gate()

    async def factory() -> Part:
        await gate.wait_async()
        return Part()

    bench.register(factory)
    waiting = asyncio.create_task(bench.swap())
    await until(gate.entered.is_set)
    await bench.manager.aclose()
    kept = content(tmp_path / "status.json")
    gate.opened.set()
    with pytest.raises(LifecycleError, match="is closed"):
        await waiting
    assert [(one["state"], one["pending_provider"], one["last_error"]) for one in kept] == [
        ("failed", None, "The lifecycle manager is closed")
    ]
    assert (content(tmp_path / "status.json"), bench.status.failed_swaps) == (kept, 1)


async def serve_twice(bench: Bench) -> Part:
    """Return one instance that serves two keys."""
    shared = Part()
    for key in ("one", "two"):
        bench.resolver.register(Candidate(domain="adapter", key=key, provider="shared", factory=lambda: shared))
        bench.resolver.register(Candidate(domain="adapter", key=key, provider="other", factory=Part))
        await bench.manager.activate("adapter", key, "shared")
    return shared


async def test_an_instance_of_two_keys_is_closed_when_neither_is_served_by_it(bench: Bench) -> None:
    """What is swapped out of one key serves the other one on, and is closed once when that is over."""
    shared = await serve_twice(bench)
    closed = []
    for key in ("one", "two"):
        await bench.manager.swap("adapter", key, "other")
        closed.append(shared.closed)
    assert closed == [0, 1]


async def test_an_instance_of_two_keys_that_are_swapped_at_once_is_closed_once(bench: Bench) -> None:
    """Nor do two swaps at the same time close it twice, or not at all."""
    shared = await serve_twice(bench)
    await asyncio.gather(*(bench.manager.swap("adapter", key, "other") for key in ("one", "two")))
    assert shared.closed == 1


async def test_closing_closes_an_instance_of_two_keys_once(bench: Bench) -> None:
    """The manager closes each instance once, however many keys it serves."""
    shared = await serve_twice(bench)
    await bench.manager.aclose()
    assert shared.closed == 1


async def test_a_rejected_instance_that_serves_another_key_stays_open(bench: Bench) -> None:
    """A swap that fails does not close what its factory returned where that serves elsewhere."""
    shared = await serve_twice(bench)
    bench.register(lambda: shared, health=lambda: False)
    with pytest.raises(LifecycleError):
        await bench.swap()
    assert shared.closed == 0


async def test_a_late_instance_that_serves_another_key_stays_open(bench: Bench) -> None:
    """Nor does a factory that returns it too late close it."""
    shared, gate = await serve_twice(bench), Gate()
    bench.manager.safety = dataclasses.replace(bench.safety, activation_timeout=0.01)

    async def factory() -> Part:
        await gate.wait_async()
        return shared

    bench.register(factory)
    with pytest.raises(CallTimeoutError):
        await bench.swap()
    gate.opened.set()
    await until(gate.left.is_set)
    await bench.manager.aclose()
    assert shared.closed == 1


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("activation_timeout", -1),
        ("health_timeout", math.nan),
        ("cleanup_timeout", math.inf),
        ("hook_timeout", "5"),
        ("shield_tasks", 1),
        ("sync_in_thread", None),
        ("max_swap_samples", -1),
        ("max_swap_samples", 1.5),
        ("max_hanging_calls", 0),
        ("max_hanging_calls", True),
    ],
)
def test_safety_options_that_make_no_sense_are_refused(option: str, value: Any) -> None:
    """The error names the option, its value and what is allowed."""
    with pytest.raises(ValueError, match=f"^{option} must be .*, not "):
        LifecycleSafetyOptions(**{option: value})


def test_safety_options_have_their_published_defaults() -> None:
    """Positional order and defaults of the published options stay; 0 is allowed."""
    assert dataclasses.astuple(LifecycleSafetyOptions())[:6] == (30.0, 5.0, 10.0, 5.0, True, 20)
    assert dataclasses.astuple(LifecycleSafetyOptions(0, 0, 0, 0, False, 0))[:6] == (0, 0, 0, 0, False, 0)


async def test_checks_of_a_swap_are_told_before_it_ends(bench: Bench) -> None:
    """Health checks are operations of their own within the swap."""
    bench.register(Part, health=lambda: True)
    await bench.swap()
    assert [type(ended.operation) for ended in bench.recorder.ended] == [HealthCheck, Swap]


def test_a_time_out_is_a_lifecycle_error() -> None:
    """Who handles LifecycleError handles timeouts."""
    assert issubclass(CallTimeoutError, LifecycleError)


async def test_hooks_and_limits_may_be_replaced(bench: Bench) -> None:
    """The next swap calls the new hooks, within the new limits."""
    bench.register(Part)
    called: list[object] = []
    bench.manager.hooks = LifecycleHooks(pre_swap=[lambda *parts: called.append(parts[1])])
    bench.manager.safety = dataclasses.replace(bench.manager.safety, hook_timeout=7.0)
    instance = await bench.swap()
    assert (called, bench.manager.safety.hook_timeout) == ([instance], 7.0)
