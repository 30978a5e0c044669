"""Incidents of resolutions, swaps, health and pauses."""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING

from oneiric.core.activity import DomainActivityStore
from oneiric.core.config import domain_activity_path, domain_activity_witness_path
from oneiric.rehearsal.drills.scenario import NEVER, Scenario, work
from oneiric.rehearsal.drills.world import DOMAIN, FLAKY, KEY, SLOW, STEADY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oneiric.rehearsal.drills.sandbox import Sandbox

ABOVE = 1.2
"""How far above its threshold what takes long takes."""
MINUTE = 60.0


async def resolve_missing(sandbox: Sandbox) -> None:
    """Resolve a key that nobody provides."""
    sandbox.runtime.resolver.resolve(DOMAIN, "missing")


async def _resolve_slowly(sandbox: Sandbox) -> None:
    def hesitant() -> Iterator[str]:
        time.sleep(sandbox.config.resolution_p99_seconds * ABOVE)  # the resolver waits for whoever asks
        yield "fast"

    await asyncio.to_thread(sandbox.runtime.resolver.resolve, DOMAIN, KEY, capabilities=hesitant())


async def _swap_to_flaky(sandbox: Sandbox) -> None:
    await sandbox.swap(FLAKY)


async def _swap_slowly(sandbox: Sandbox) -> None:
    sandbox.faults.start_seconds = sandbox.config.swap_slow_seconds * ABOVE
    await sandbox.swap(SLOW)
    await sandbox.swap(STEADY)


async def _fall_ill(sandbox: Sandbox) -> None:
    sandbox.faults.healthy = False


async def _recover(sandbox: Sandbox) -> None:
    sandbox.faults.healthy = True


async def _find_paused(sandbox: Sandbox) -> None:
    """Leave a pause behind as another process would have that made it long ago."""
    since = time.time() - sandbox.config.pause_forgotten_seconds - MINUTE
    settings = sandbox.runtime.settings

    def leave() -> None:
        witness = domain_activity_witness_path(settings)
        other = DomainActivityStore(domain_activity_path(settings), clock=lambda: since, witness=witness)
        other.change(DOMAIN, KEY, paused=True, note="maintenance")
        other.close()

    await asyncio.to_thread(leave)


async def _lose_state(sandbox: Sandbox) -> None:
    """Empty the file of pauses while something is paused, as a clean-up does that means something else."""
    store = sandbox.runtime.activity_store
    await asyncio.to_thread(store.change, DOMAIN, sandbox.marker, paused=True, note="maintenance")
    os.truncate(domain_activity_path(sandbox.runtime.settings), 0)


async def _look(sandbox: Sandbox) -> None:
    await asyncio.to_thread(sandbox.runtime.activity_store.snapshot)


async def _decide(sandbox: Sandbox) -> None:
    """Keep what the witness knows, and end the maintenance."""
    store = sandbox.runtime.activity_store
    await asyncio.to_thread(store.recover, "witness")
    await asyncio.to_thread(store.change, DOMAIN, sandbox.marker, paused=False)


async def resume(sandbox: Sandbox) -> None:
    """Resume the component."""
    sandbox.runtime.bridges[DOMAIN].set_paused(KEY, paused=False)


INCIDENTS = (
    Scenario(
        name="resolution-failures",
        title="Something asks for a key that nobody provides, ten times a second.",
        alerts=("OneiricResolutionFailures",),
        also=tuple(f"OneiricResolutionBudgetBurn{window}" for window in ("1h", "6h", "1d", "3d")),
        fault=resolve_missing,
    ),
    Scenario(
        name="slow-resolutions",
        title="Whoever asks for a component holds the resolver up.",
        alerts=("OneiricResolutionLatencyHigh",),
        fault=_resolve_slowly,
        quick=("resolution_minimum_count=3",),
    ),
    Scenario(
        name="swap-failures",
        title="Every swap goes to a provider that fails its health check.",
        alerts=("OneiricSwapFailures",),
        also=("OneiricHealthCheckFailures", "OneiricRollbackBurst"),
        fault=_swap_to_flaky,
    ),
    Scenario(
        name="slow-swap",
        title="A provider takes longer to start than the threshold.",
        alerts=("OneiricSwapSlow",),
        fault=_swap_slowly,
        quick=("swap_slow_seconds=1",),
    ),
    Scenario(
        name="rollback-burst",
        title="Swaps to a provider that does not work are tried again and again.",
        alerts=("OneiricRollbackBurst",),
        also=("OneiricHealthCheckFailures", "OneiricSwapFailures"),
        fault=_swap_to_flaky,
        alone=(f"swap_failures_per_minute={NEVER}",),
    ),
    Scenario(
        name="health-check-failures",
        title="What the component depends on is down: its checks fail.",
        alerts=("OneiricHealthCheckFailures",),
        also=("OneiricComponentUnhealthy",),
        begin=_fall_ill,
        end=_recover,
    ),
    Scenario(
        name="unhealthy-component",
        title="A component is unhealthy and stays so.",
        alerts=("OneiricComponentUnhealthy",),
        also=("OneiricHealthCheckFailures",),
        begin=_fall_ill,
        end=_recover,
        alone=(f"health_check_failures_per_minute={NEVER}",),
    ),
    Scenario(
        name="forgotten-pause",
        title="Somebody paused a component long ago, and its work is still refused.",
        alerts=("OneiricPauseForgotten",),
        also=("OneiricLogEventsSuppressed",),
        begin=_find_paused,
        fault=work,
        end=resume,
    ),
    Scenario(
        name="lost-state",
        title="Something empties the file that keeps the pauses, while a component is paused.",
        alerts=("OneiricActivityStateSuspect",),
        also=("OneiricHookErrors",),
        begin=_lose_state,
        fault=_look,
        end=_decide,
    ),
)
"""The incidents of this subject."""
