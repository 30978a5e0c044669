"""Incidents that use up error budgets, fast or slowly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.monitoring.bundle.alerts import BURNS
from oneiric.rehearsal.drills.lifecycle import resolve_missing
from oneiric.rehearsal.drills.remote import kill_server, revive_server
from oneiric.rehearsal.drills.scenario import Scenario, resolve

if TYPE_CHECKING:
    from collections.abc import Callable

    from oneiric.rehearsal.drills.sandbox import Sandbox
    from oneiric.rehearsal.drills.scenario import Step

MOST = 0.95
"""The share of bad events that every objective which can be set burns fast with."""
BETWEEN = (BURNS[1].factor + BURNS[2].factor) / 2
"""How many times too fast a budget burns that only the slower alerts see."""


def _mostly_bad(_sandbox: Sandbox) -> float:
    return MOST


def _resolutions_now_and_then(sandbox: Sandbox) -> float:
    return BETWEEN * (1 - sandbox.config.resolution_objective)


def _syncs_now_and_then(sandbox: Sandbox) -> float:
    return BETWEEN * (1 - sandbox.config.sync_objective)


def _mixed(share: Callable[[Sandbox], float], *, bad: Step, good: Step) -> Step:
    """Return a step that is *bad* for the *share* of its times, evenly spread, and *good* for the rest."""

    async def step(sandbox: Sandbox) -> None:
        sandbox.bad_due += share(sandbox)
        if sandbox.bad_due < 1:
            await good(sandbox)
            return
        sandbox.bad_due -= 1
        await bad(sandbox)

    return step


async def _resolve(sandbox: Sandbox) -> None:
    resolve(sandbox)


async def _sync_badly(sandbox: Sandbox) -> None:
    await kill_server(sandbox)
    await sandbox.sync()
    await revive_server(sandbox)


async def _sync(sandbox: Sandbox) -> None:
    await sandbox.sync()


_RESOLUTION_BURNS = tuple(f"OneiricResolutionBudgetBurn{burn.label}" for burn in BURNS)
_SYNC_BURNS = tuple(f"OneiricSyncBudgetBurn{burn.label}" for burn in BURNS)
_RESOLUTION_BUDGET = ("resolution_objective=0.95", "resolution_slo_minimum_count=10")
_SYNC_BUDGET = ("sync_objective=0.95", "sync_slo_minimum_count=3")
_OWN_PACE = {"remote": {"refresh_interval": 3600.0, "circuit_breaker_threshold": 1_000_000}}

INCIDENTS = (
    Scenario(
        name="resolution-budget",
        title="Nearly all resolutions fail: the error budget is gone within days.",
        alerts=_RESOLUTION_BURNS[:2],
        also=(*_RESOLUTION_BURNS[2:], "OneiricResolutionFailures"),
        fault=_mixed(_mostly_bad, bad=resolve_missing, good=_resolve),
        quick=_RESOLUTION_BUDGET,
    ),
    Scenario(
        name="resolution-budget-slow",
        title="Now and then a resolution fails: the error budget is gone before its period is over.",
        alerts=_RESOLUTION_BURNS[2:],
        also=(*_RESOLUTION_BURNS[:2], "OneiricResolutionFailures"),
        fault=_mixed(_resolutions_now_and_then, bad=resolve_missing, good=_resolve),
        quick=_RESOLUTION_BUDGET,
    ),
    Scenario(
        name="sync-budget",
        title="Nearly all synchronisations fail: the error budget is gone within days.",
        alerts=_SYNC_BURNS[:2],
        also=(*_SYNC_BURNS[2:], "OneiricRemoteSyncFailures"),
        fault=_mixed(_mostly_bad, bad=_sync_badly, good=_sync),
        normal=_sync,
        settings=_OWN_PACE,
        quick=_SYNC_BUDGET,
    ),
    Scenario(
        name="sync-budget-slow",
        title="Now and then a synchronisation fails: the error budget is gone before its period is over.",
        alerts=_SYNC_BURNS[2:],
        also=(*_SYNC_BURNS[:2], "OneiricRemoteSyncFailures"),
        fault=_mixed(_syncs_now_and_then, bad=_sync_badly, good=_sync),
        normal=_sync,
        settings=_OWN_PACE,
        quick=_SYNC_BUDGET,
    ),
)
"""The incidents of this subject."""
