"""What a failing step of a swap leads to: what serves, what is closed, raised, counted and told."""

from __future__ import annotations

import pytest
from lifecycle_support import Bench, Part, Stubborn

from oneiric.core.events import CleanupFailed, ComponentState, HealthRecovered, RolledBack, Swap
from oneiric.core.lifecycle import (
    LifecycleError,
)


@pytest.fixture
def bench() -> Bench:
    """A manager with short patience."""
    return Bench()


def swaps(bench: Bench) -> list[tuple[str, str]]:
    """Return outcome and reason of every swap."""
    return [(ended.outcome, ended.reason) for ended in bench.recorder.endings(Swap)]


async def test_no_candidate_is_an_error_with_its_published_text(bench: Bench) -> None:
    """Activating what nobody registered says so, and leaves no status behind."""
    with pytest.raises(LifecycleError, match=r"^No candidate registered for adapter:cache$"):
        await bench.manager.activate("adapter", "cache", force=True)
    assert (swaps(bench), bench.status) == ([("failed", "no_candidate")], None)


async def test_no_candidate_for_what_serves_is_a_failed_swap(bench: Bench) -> None:
    """Asking for a provider that does not exist counts as failed and leaves the old instance serving."""
    old = await bench.serve()
    with pytest.raises(LifecycleError):
        await bench.swap("missing")
    assert (bench.status.state, bench.status.failed_swaps, bench.instance, old.closed) == ("failed", 1, old, 0)
    assert bench.recorder.of(RolledBack) == [
        RolledBack(domain="adapter", key="cache", provider="none", restored_provider="old")
    ]


async def test_a_raising_factory_leaves_the_previous_instance_serving(bench: Bench) -> None:
    """The error is wrapped, counted and told, and the old instance is neither closed nor replaced."""
    old = await bench.serve()

    def factory() -> None:
        raise ValueError("password=hunter2")

    bench.register(factory)
    with pytest.raises(LifecycleError, match=r"^Swap failed for adapter:cache \(new\)$") as caught:
        await bench.swap()
    status = bench.status
    assert (type(caught.value.__cause__), bench.instance, old.closed) == (ValueError, old, 0)
    assert (status.state, status.current_provider, status.pending_provider) == ("failed", "old", None)
    assert (status.last_error, status.failed_swaps, status.successful_swaps) == ("password=***", 1, 1)
    ended = bench.recorder.endings(Swap)[-1]
    assert (ended.outcome, ended.reason, ended.error_type, ended.error) == (
        "failed",
        "factory",
        "ValueError",
        "password=***",
    )
    assert bench.recorder.of(RolledBack) == [
        RolledBack(domain="adapter", key="cache", provider="new", restored_provider="old")
    ]


async def test_a_failed_first_activation_rolls_back_to_nothing(bench: Bench) -> None:
    """Without a previous instance there is nothing to restore."""
    bench.register(lambda: None)
    with pytest.raises(LifecycleError):
        await bench.swap()
    assert (bench.recorder.of(RolledBack), bench.status.state, bench.status.current_provider) == ([], "failed", None)


async def test_a_lifecycle_error_is_raised_as_it_is(bench: Bench) -> None:
    """An error that is already a LifecycleError is not wrapped."""
    error = LifecycleError("mine")

    def factory() -> None:
        raise error

    bench.register(factory)
    with pytest.raises(LifecycleError) as caught:
        await bench.swap()
    assert caught.value is error


async def test_an_error_without_text_is_named_by_its_type(bench: Bench) -> None:
    """last_error is never empty."""

    def factory() -> None:
        raise KeyError

    bench.register(factory)
    with pytest.raises(LifecycleError):
        await bench.swap()
    assert bench.status.last_error == "KeyError"


async def test_a_factory_returning_none_is_refused(bench: Bench) -> None:
    """None is no instance."""
    bench.register(lambda: None)
    with pytest.raises(LifecycleError, match=r"^Factory for adapter:cache \(new\) returned None$"):
        await bench.swap()
    assert swaps(bench) == [("failed", "factory")]


@pytest.mark.parametrize("instance", [0, "", [], {}, False])
async def test_a_falsy_instance_is_an_instance(bench: Bench, instance: object) -> None:
    """What is false in a condition serves, is probed and is restored as anything else."""
    await bench.serve(instance)
    bench.register(lambda: None)
    with pytest.raises(LifecycleError):
        await bench.swap()
    assert (bench.instance, await bench.manager.probe_instance_health("adapter", "cache")) == (instance, True)
    assert len(bench.recorder.of(RolledBack)) == 1


@pytest.mark.parametrize(
    ("factory", "text"),
    [
        ("os:getcwd", r"^Security validation failed: .*blocked"),
        ("elsewhere.module:thing", r"^Security validation failed: .*not in allowlist"),
        ("no colon", r"^Security validation failed: Invalid factory format"),
        ("oneiric.missing:thing", r"^Failed to load factory 'oneiric.missing:thing': No module"),
        ("oneiric.demo:missing", r"^Failed to load factory 'oneiric.demo:missing': module"),
        ("oneiric.demo:__doc__", r"^Failed to load factory .*: str is not callable"),
        (
            "oneiric:configure_logging",
            r"^Security validation failed: Factory module .*configure' is blocked",
        ),
        ("oneiric.remote.delivery.cache:Path", r"^Security validation failed: Factory module 'pathlib"),
    ],
)
async def test_a_factory_string_that_is_no_good_is_a_failed_swap(bench: Bench, factory: str, text: str) -> None:
    """What may not be imported, cannot be imported or cannot be called fails for the reason factory."""
    bench.register(factory)
    with pytest.raises(LifecycleError, match=text):
        await bench.swap()
    assert (swaps(bench), bench.status.state) == ([("failed", "factory")], "failed")


async def test_a_failing_candidate_check_stops_the_swap(bench: Bench) -> None:
    """A check that answers False rejects the new instance, which is closed."""
    old, new = await bench.serve(), Part()
    bench.register(lambda: new, health=lambda: False)
    with pytest.raises(LifecycleError, match=r"^Health check failed for adapter:cache \(new\)$"):
        await bench.swap()
    assert (swaps(bench)[-1], bench.instance, old.closed, new.closed) == (("failed", "health"), old, 0, 1)


async def test_a_rejected_instance_reaches_the_cleanup_hooks(bench: Bench) -> None:
    """Cleanup hooks run for an instance that never served."""
    closed: list[object] = []
    bench.hooks.add_cleanup(closed.append)
    new = Part()
    bench.register(lambda: new, health=lambda: False)
    with pytest.raises(LifecycleError):
        await bench.swap()
    assert closed == [new]


async def test_a_failing_pre_swap_hook_stops_the_swap(bench: Bench) -> None:
    """A pre-swap hook that raises rejects the new instance."""
    old, new = await bench.serve(), Part()
    bench.register(lambda: new)

    def hook(*_: object) -> None:
        raise ValueError("no")

    bench.hooks.add_pre_swap(hook)
    with pytest.raises(LifecycleError):
        await bench.swap()
    assert (swaps(bench)[-1], bench.instance, old.closed, new.closed) == (("failed", "hook"), old, 0, 1)


async def test_a_failing_post_swap_hook_undoes_nothing(bench: Bench) -> None:
    """After the new instance serves, a hook's failure is told and the remaining steps are taken."""
    old, seen = await bench.serve(), []

    async def hook(*_: object) -> None:
        raise ValueError("no")

    bench.hooks.add_post_swap(hook)
    bench.hooks.add_post_swap(lambda *_: seen.append("second"))
    bench.register(Part)
    new = await bench.swap()
    assert (bench.instance, old.closed, seen, swaps(bench)[-1]) == (new, 1, ["second"], ("success", ""))
    name = hook.__qualname__
    assert bench.recorder.of(CleanupFailed) == [
        CleanupFailed(
            domain="adapter",
            key="cache",
            provider="new",
            error_type="ValueError",
            error=f"post_swap hook {name}: no",
        )
    ]
    assert (bench.status.state, bench.status.last_error) == ("ready", f"post_swap hook {name}: no")


async def test_a_failing_cleanup_of_the_old_instance_undoes_nothing(bench: Bench) -> None:
    """The swap has succeeded; the failure is told with the method's name, and the cleanup hooks still run."""
    closed: list[object] = []
    old = await bench.serve(Stubborn())
    bench.hooks.add_cleanup(closed.append)
    bench.register(Part)
    new = await bench.swap()
    assert (bench.instance, old.closed, closed, bench.status.successful_swaps) == (new, 1, [old], 2)
    assert [(told.provider, told.error) for told in bench.recorder.of(CleanupFailed)] == [
        ("old", "cleanup method cleanup: stuck")
    ]


async def test_a_failing_cleanup_hook_undoes_nothing(bench: Bench) -> None:
    """A cleanup hook that raises is told and does not keep the next one from running."""
    closed: list[object] = []
    old = await bench.serve()

    def hook(_: object) -> None:
        raise ValueError("no")

    bench.hooks.add_cleanup(hook)
    bench.hooks.add_cleanup(closed.append)
    bench.register(Part)
    await bench.swap()
    assert (closed, [told.error for told in bench.recorder.of(CleanupFailed)]) == (
        [old],
        [f"cleanup hook {hook.__qualname__}: no"],
    )


async def test_a_failing_cleanup_of_the_rejected_instance_masks_nothing(bench: Bench) -> None:
    """The error raised and kept is why the swap failed, not that the rejected instance could not be closed."""
    bench.register(Stubborn, health=lambda: False)

    def hook(_: object) -> None:
        raise ValueError("no")

    bench.hooks.add_cleanup(hook)
    with pytest.raises(LifecycleError, match="Health check failed"):
        await bench.swap()
    assert (bench.status.state, bench.status.last_error) == ("failed", "Health check failed for adapter:cache (new)")
    assert len(bench.recorder.of(CleanupFailed)) == 2


async def test_an_attribute_that_raises_counts_as_a_failing_method(bench: Bench) -> None:
    """A cleanup property that raises is told; it breaks nothing."""

    class Odd:
        @property
        def cleanup(self) -> None:
            raise ValueError("odd")

    await bench.serve(Odd())
    await bench.serve()
    assert [told.error for told in bench.recorder.of(CleanupFailed)] == ["cleanup method cleanup: odd"]


async def test_force_returns_the_previous_instance_when_the_factory_fails(bench: Bench) -> None:
    """A forced swap with a failing factory raises nothing, and is told, counted and taken down as failed."""
    old = await bench.serve()
    bench.register(lambda: None)
    assert await bench.swap(force=True) is old
    assert (bench.status.state, bench.status.failed_swaps, swaps(bench)[-1]) == ("failed", 1, ("failed", "factory"))
    assert len(bench.recorder.of(RolledBack)) == 1


async def test_force_returns_none_when_nothing_served(bench: Bench) -> None:
    """A forced first activation that fails answers None."""
    bench.register(lambda: None)
    assert await bench.swap(force=True) is None


async def test_force_returns_the_previous_instance_when_a_hook_fails(bench: Bench) -> None:
    """A forced swap stopped by a hook raises nothing and closes the new instance."""
    old, new = await bench.serve(), Part()
    bench.register(lambda: new)

    def hook(*_: object) -> None:
        raise ValueError("no")

    bench.hooks.add_pre_swap(hook)
    assert (await bench.swap(force=True), new.closed) == (old, 1)


async def test_a_swap_of_what_was_never_registered_has_no_labels_of_its_own(bench: Bench) -> None:
    """Whatever a caller asks for, the swap is told under names that are fit to be labels."""
    for domain, key in (("planet", "k"), ("adapter", "https://host/path"), ("adapter", "absent")):
        with pytest.raises(LifecycleError, match="No candidate registered"):
            await bench.manager.activate(domain, key)
    told = [(swap.domain, swap.key) for swap in bench.recorder.of(Swap)]
    assert told == [("_other", "k"), ("adapter", "_invalid"), ("adapter", "absent")]


async def test_a_rejected_instance_does_not_make_the_component_unhealthy() -> None:
    """While the previous instance serves on, the component is as healthy as that, and does not recover later."""
    bench = Bench()
    served = Part("old")
    served.health = lambda: True  # type: ignore[attr-defined]
    await bench.serve(served)
    bench.register(lambda: {"unwell": True}, health=lambda: False)
    with pytest.raises(LifecycleError, match="Health check failed"):
        await bench.swap()
    (state,) = [state for state in bench.manager.states() if isinstance(state, ComponentState)]
    assert (state.provider, state.healthy) == ("old", True)
    assert await bench.manager.probe_instance_health("adapter", "cache") is True
    assert bench.recorder.of(HealthRecovered) == []


async def test_a_component_that_nobody_serves_is_unhealthy_after_a_rejection() -> None:
    """Where nothing serves, the failed check of the only instance there was is the component's health."""
    bench = Bench()
    bench.register(dict, health=lambda: False)
    with pytest.raises(LifecycleError, match="Health check failed"):
        await bench.swap()
    (state,) = [state for state in bench.manager.states() if isinstance(state, ComponentState)]
    assert (state.provider, state.healthy) == (None, False)
