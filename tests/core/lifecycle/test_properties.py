"""What holds after any sequence of swaps, failures, probes and cancellations."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from lifecycle_support import Bench, until

from oneiric.core.events import CleanupFailed, HealthCheck, LifecycleCount, RolledBack, Swap
from oneiric.core.lifecycle import LifecycleError, LifecycleSafetyOptions

if TYPE_CHECKING:
    from collections.abc import Coroutine

TIMEOUT = 0.002
PROVIDERS = ("a", "b")

outcomes = st.sampled_from(["ok", "ok", "ok", "raises", "late"])
answers = st.sampled_from(["ok", "ok", "ok", "raises", "late", "false", "none"])
turns = st.none() | st.integers(0, 40)


@dataclass(frozen=True)
class Plan:
    """How each step of the next swap goes."""

    in_thread: bool = False
    factory: str = "ok"
    health: str = "ok"
    pre: str = "ok"
    post: str = "ok"
    cleanup: str = "ok"
    cleanup_hook: str = "ok"


plans = st.builds(Plan, st.booleans(), outcomes, answers, outcomes, outcomes, outcomes, outcomes)


async def step(how: str) -> None:
    """Succeed or fail as told, after a turn of the loop."""
    await asyncio.sleep(0)
    if how == "late":
        await asyncio.sleep(2 * TIMEOUT)
    if how == "raises":
        raise ValueError(how)


class Made:
    """An instance that was made; closing it again would be counted."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.closed = 0

    async def health(self) -> Any:
        """Answer as planned."""
        await step(self.plan.health)
        return {"false": False, "none": None}.get(self.plan.health, True)

    async def close(self) -> None:
        """Count, then end as planned."""
        self.closed += 1
        await step(self.plan.cleanup)


class LifecycleMachine(RuleBasedStateMachine):
    """Drives one manager, in one loop, and compares it with what was told."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.made: list[Made] = []
        self.plan = Plan()
        self.driven = 0
        self.closing = False
        limits = dict.fromkeys(["activation_timeout", "health_timeout", "cleanup_timeout", "hook_timeout"], TIMEOUT)
        self.bench = Bench(safety=LifecycleSafetyOptions(**limits))  # type: ignore[arg-type]  # all of them seconds
        self.bench.hooks.add_pre_swap(lambda *_: step(self.plan.pre))
        self.bench.hooks.add_post_swap(lambda *_: step(self.plan.post))
        self.bench.hooks.add_cleanup(lambda _: step(self.plan.cleanup_hook))
        for provider in PROVIDERS:
            self.bench.register(self.factory, provider=provider)

    def factory(self) -> Any:
        """Make an instance as planned, on the loop or in the thread this is called in."""
        return self.make_at_once() if self.plan.in_thread else self.make()

    def make_at_once(self) -> Made:
        """Fail, or make an instance."""
        if self.plan.factory == "raises":
            raise ValueError
        self.made.append(Made(self.plan))
        return self.made[-1]

    async def make(self) -> Made:
        """Likewise, taking turns."""
        await step(self.plan.factory)
        self.made.append(Made(self.plan))
        return self.made[-1]

    def drive(self, work: Coroutine[Any, Any, Any], cancel_after: int | None) -> None:
        """Run *work*, cancelled after so many turns of the loop, until nothing goes on in the background."""

        async def main() -> None:
            task = asyncio.create_task(work)
            for _ in range(-1 if cancel_after is None else cancel_after):
                await asyncio.sleep(0)
            if cancel_after is not None:
                task.cancel()
            with contextlib.suppress(asyncio.CancelledError, LifecycleError):
                await task
            manager = self.bench.manager
            calls = manager._calls
            await until(lambda: not (calls._abandoned or calls._started or calls.hanging or len(manager._locks)))

        self.driven += 1
        self.runner.run(main())

    @precondition(lambda self: not self.closing)
    @rule(plan=plans, provider=st.sampled_from(PROVIDERS), force=st.booleans(), cancel_after=turns)
    def swap(self, plan: Plan, provider: str, force: bool, cancel_after: int | None) -> None:
        """Swap as planned."""
        self.plan = plan
        self.drive(self.bench.swap(provider, force=force), cancel_after)

    @precondition(lambda self: not self.closing)
    @rule(one=plans, two=plans, cancel_after=turns)
    def swap_at_once(self, one: Plan, two: Plan, cancel_after: int | None) -> None:
        """Swap twice at once; the plan changes on the way."""

        async def both() -> None:
            self.plan = one
            first = asyncio.create_task(self.bench.swap("a"))
            await asyncio.sleep(0)
            self.plan = two
            results = asyncio.gather(first, self.bench.swap("b"), return_exceptions=True)
            await results

        self.drive(both(), cancel_after)

    @precondition(lambda self: not self.closing)
    @rule()
    def swap_to_nobody(self) -> None:
        """Ask for a provider that does not exist; for a component that was never touched it would not count."""
        if self.bench.status is not None:
            self.drive(self.bench.swap("missing"), None)

    @rule(health=answers, cancel_after=turns)
    def probe(self, health: str, cancel_after: int | None) -> None:
        """Probe what serves."""
        if self.bench.instance is not None:
            self.bench.instance.plan = Plan(health=health, cleanup=self.bench.instance.plan.cleanup)
        self.drive(self.bench.manager.probe_instance_health("adapter", "cache"), cancel_after)

    @precondition(lambda self: self.driven > 5)
    @rule()
    def close(self) -> None:
        """Close the manager."""
        self.closing = True
        self.drive(self.bench.manager.aclose(), None)

    @invariant()
    def only_what_serves_is_open(self) -> None:
        """The served instance is open; every other one was closed exactly once."""
        served = self.bench.instance
        assert [made.closed for made in self.made] == [0 if made is served else 1 for made in self.made]

    @invariant()
    def counters_agree_with_what_was_told(self) -> None:
        """The status counts the endings that were told, and every restored instance was told."""
        ended = self.bench.recorder.endings(Swap)
        failed = [swap for swap in ended if swap.outcome == "failed"]
        succeeded = [swap for swap in ended if swap.outcome == "success"]
        status = self.bench.status
        counted = (status.successful_swaps, status.failed_swaps) if status else (0, 0)
        restored = [swap for swap in failed if swap.operation.previous_provider != "none"]  # type: ignore[attr-defined]
        assert (counted, len(ended)) == ((len(succeeded), len(failed)), len(succeeded) + len(failed))
        assert len(self.bench.recorder.of(RolledBack)) == len(restored)
        assert len(self.bench.recorder.of(Swap)) == len(ended)
        assert len(self.bench.recorder.of(HealthCheck)) == len(self.bench.recorder.endings(HealthCheck))

    @invariant()
    def nothing_is_under_way(self) -> None:
        """No swap is in progress, no state is stuck, no lock is kept, and the status names who serves."""
        status = self.bench.status
        counts = [state for state in self.bench.manager.states() if isinstance(state, LifecycleCount)]
        serving = self.bench.instance is not None
        assert [(count.swaps_in_progress, count.activating, count.instances) for count in counts] == (
            [(0, 0, int(serving))] if status else []
        )
        assert len(self.bench.manager._locks) == 0
        if status is not None:
            assert (status.pending_provider, status.current_provider is not None) == (None, serving)

    def teardown(self) -> None:
        """Close the manager; then nothing is left open."""
        self.drive(self.bench.manager.aclose(), None)
        self.runner.close()
        assert [made.closed for made in self.made] == [1] * len(self.made)
        assert all(told.error for told in self.bench.recorder.of(CleanupFailed))


LifecycleMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=12, deadline=None)
TestLifecycle = LifecycleMachine.TestCase
