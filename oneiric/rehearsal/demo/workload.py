"""The workload of the demonstration: a steady mix of what applications do, through the public API."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, TypeAlias

from oneiric.core.lifecycle import LifecycleError
from oneiric.core.resolution import Candidate, CandidateSource

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from random import Random

    from oneiric.runtime.orchestrator import RuntimeOrchestrator

Step: TypeAlias = "Callable[[str, str], Awaitable[None]]"

KEYS = {
    "adapter": "cache",
    "service": "billing",
    "task": "report",
    "event": "order-created",
    "workflow": "nightly",
    "action": "notify",
}
"""The local key of each domain."""
PROVIDERS = ("steady", "fresh", "flaky")
"""The providers of each local key; the first wins, the last never passes its health check."""


class Component:
    """A local provider's instance: it starts in a moment, knows how it is, and can be closed."""

    def __init__(self, *, healthy: bool) -> None:
        self.healthy = healthy
        self.is_open = True

    async def health(self) -> bool:
        """Whether it is healthy."""
        await asyncio.sleep(0)
        return self.healthy

    async def close(self) -> None:
        """Close it."""
        self.is_open = False


def candidates() -> Iterator[Candidate]:
    """Return the local candidates of all six domains."""
    for (domain, key), provider in itertools.product(KEYS.items(), PROVIDERS):
        yield Candidate(
            domain=domain,
            key=key,
            provider=provider,
            priority=len(PROVIDERS) - PROVIDERS.index(provider),
            factory=_factory(provider),
            metadata={"capabilities": ["fast"] if provider == "fresh" else []},
            source=CandidateSource.LOCAL_PKG,
        )


class Workload:
    """Steps to take with *runtime*, in an order drawn from *random*; every kind of step comes up in every round.

    With *faults* some steps are such as must fail.
    """

    def __init__(self, runtime: RuntimeOrchestrator, random: Random, *, faults: bool = True) -> None:
        self._runtime = runtime
        self._random = random
        self._faults = faults
        self._sources = itertools.cycle(runtime.remotes)
        self._round: list[Step] = []

    async def step(self) -> None:
        """Take the next step, with a component drawn at random."""
        if not self._round:
            self._round = self._deal()
        domain = self._random.choice(tuple(KEYS))
        await self._round.pop()(domain, KEYS[domain])

    def _deal(self) -> list[Step]:
        times: dict[Step, int] = {
            self._resolve: 16,
            self._use: 6,
            self._swap: 4,
            self._pause_and_resume: 1,
            self._drain_and_clear: 1,
            self._sync: len(self._runtime.remotes),
        }
        if self._faults:
            bad = (self._resolve_unknown, self._resolve_absent_provider, self._resolve_incapable, self._swap_to_flaky)
            times |= dict.fromkeys(bad, 1)
        steps = [step for step, count in times.items() for _ in range(count)]
        self._random.shuffle(steps)
        return steps

    async def _resolve(self, domain: str, key: str) -> None:
        self._runtime.resolver.resolve(domain, key)

    async def _resolve_unknown(self, domain: str, key: str) -> None:
        self._runtime.resolver.resolve(domain, f"{key}-of-nobody")

    async def _resolve_absent_provider(self, domain: str, key: str) -> None:
        self._runtime.resolver.resolve(domain, key, provider="absent")

    async def _resolve_incapable(self, domain: str, key: str) -> None:
        self._runtime.resolver.resolve(domain, key, capabilities=["miracles"])

    async def _use(self, domain: str, key: str) -> None:
        await self._runtime.bridges[domain].use(key)

    async def _swap(self, domain: str, key: str) -> None:
        await self._runtime.lifecycle.swap(domain, key, self._random.choice(PROVIDERS[:-1]))

    async def _swap_to_flaky(self, domain: str, key: str) -> None:
        await _refused(self._runtime.lifecycle.swap(domain, key, PROVIDERS[-1]))

    async def _pause_and_resume(self, domain: str, key: str) -> None:
        bridge = self._runtime.bridges[domain]
        bridge.set_paused(key, paused=True, note="maintenance")
        if self._faults:
            await _refused(bridge.use(key))
        bridge.set_paused(key, paused=False)

    async def _drain_and_clear(self, domain: str, key: str) -> None:
        bridge = self._runtime.bridges[domain]
        bridge.set_draining(key, draining=True, note="moving away")
        if self._faults:
            await _refused(bridge.use(key))
        bridge.set_draining(key, draining=False)

    async def _sync(self, _domain: str, _key: str) -> None:
        await self._runtime.remotes.try_sync(next(self._sources))


async def _refused(work: Awaitable[object]) -> None:
    """Do *work* that the runtime must refuse; it is an error of the demonstration if it does not."""
    try:
        await work
    except LifecycleError:
        return
    raise AssertionError("the runtime accepted what it must refuse")


def _factory(provider: str) -> Callable[[], Component]:
    return lambda: Component(healthy=provider != PROVIDERS[-1])
