"""Incidents of the process, its memory and its telemetry."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from oneiric.core import events
from oneiric.core.config import runtime_health_path
from oneiric.core.resolution import Candidate
from oneiric.monitoring.logql import log_of
from oneiric.rehearsal.drills.lifecycle import resume
from oneiric.rehearsal.drills.scenario import DrillError, Scenario, nothing
from oneiric.rehearsal.drills.world import DOMAIN, KEY, STEADY, StrangeServer

if TYPE_CHECKING:
    from pathlib import Path

    from oneiric.rehearsal.drills.sandbox import Sandbox

HEAVY_INSTANCES = 40
"""How many instances take more memory in all than the threshold."""
ABOVE = 1.1
"""How many times the threshold that is."""
MIB = 2**20
_, _BLOCKED = log_of(events.WorkBlocked)


def _health_file(sandbox: Sandbox) -> Path:
    return runtime_health_path(sandbox.runtime.settings)


async def _bar_the_health_file(sandbox: Sandbox) -> None:
    """Let a directory be where the runtime writes its health to."""
    path = _health_file(sandbox)
    path.unlink(missing_ok=True)
    path.mkdir()


async def _clear_the_health_file(sandbox: Sandbox) -> None:
    _health_file(sandbox).rmdir()


async def _invent_keys(sandbox: Sandbox) -> None:
    sandbox.invented.append(key := f"invented-{len(sandbox.invented)}")
    sandbox.runtime.resolver.register(Candidate(domain=DOMAIN, key=key, provider=STEADY, factory=object))
    sandbox.runtime.resolver.resolve(DOMAIN, key)


async def _forget_keys(sandbox: Sandbox) -> None:
    while sandbox.invented:
        sandbox.runtime.resolver.unregister(DOMAIN, sandbox.invented.pop())


async def _pause(sandbox: Sandbox) -> None:
    sandbox.runtime.bridges[DOMAIN].set_paused(KEY, paused=True, note="maintenance")


async def _use_while_paused(sandbox: Sandbox) -> None:
    for _ in range(5):
        await sandbox.use()


async def _stop(sandbox: Sandbox) -> None:
    await sandbox.runtime.stop()


async def _restart(sandbox: Sandbox) -> None:
    await sandbox.restart()


async def _answer_strangely(sandbox: Sandbox) -> None:
    await sandbox.runtime.stop()
    sandbox.stranger = await asyncio.to_thread(StrangeServer, sandbox.port)


async def _answer_again(sandbox: Sandbox) -> None:
    await sandbox.send_the_stranger_away()
    await sandbox.restart()


async def _see_that_there_is_memory(sandbox: Sandbox) -> None:
    """Refuse to take most of what the machine has left."""
    wanted, left = sandbox.config.memory_bytes * ABOVE, os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if wanted > left / 2:
        raise DrillError(
            f"{wanted / MIB:.0f} MiB are needed, and only {left / MIB:.0f} MiB are free: lower the threshold, as in "
            "--set memory_bytes=300000000"
        )


async def _take_memory(sandbox: Sandbox) -> None:
    if len(sandbox.invented) >= HEAVY_INSTANCES:
        return
    sandbox.faults.ballast_bytes = int(sandbox.config.memory_bytes * ABOVE / HEAVY_INSTANCES)
    sandbox.invented.append(key := f"heavy-{len(sandbox.invented)}")
    sandbox.runtime.resolver.register(sandbox.faults.candidate(key, STEADY))
    await sandbox.runtime.bridges[DOMAIN].use(key)


async def _free_memory(sandbox: Sandbox) -> None:
    sandbox.faults.ballast_bytes = 0
    sandbox.invented.clear()
    await sandbox.runtime.stop()
    await sandbox.restart()


INCIDENTS = (
    Scenario(
        name="hook-errors",
        title="The runtime cannot write its health file.",
        alerts=("OneiricHookErrors",),
        also=("OneiricLogEventsSuppressed",),
        begin=_bar_the_health_file,
        end=_clear_the_health_file,
    ),
    Scenario(
        name="series-explosion",
        title="Keys are made up at run time, more than the series budget allows.",
        alerts=("OneiricSeriesDropped",),
        fault=_invent_keys,
        end=_forget_keys,
        settings={"observability": {"series_budget": 20}},
    ),
    Scenario(
        name="log-flood",
        title="An event happens more often than its log lines may be written.",
        alerts=("OneiricLogEventsSuppressed",),
        begin=_pause,
        fault=_use_while_paused,
        end=resume,
        settings={"observability": {"log_limits": {"events": {_BLOCKED.name: {"rate": 0.1, "burst": 1}}}}},
    ),
    Scenario(
        name="target-down",
        title="The runtime is gone, and its metrics with it.",
        alerts=("OneiricTargetDown",),
        also=("OneiricNotReady",),
        begin=_stop,
        fault=nothing,
        end=_restart,
        restarts=True,
    ),
    Scenario(
        name="metrics-missing",
        title="Another program answers at the address of the metrics.",
        alerts=("OneiricMetricsMissing",),
        also=("OneiricTargetDown", "OneiricNotReady"),
        begin=_answer_strangely,
        fault=nothing,
        end=_answer_again,
        restarts=True,
    ),
    Scenario(
        name="memory-exhaustion",
        title="Instances hold more and more memory.",
        alerts=("OneiricMemoryHigh",),
        begin=_see_that_there_is_memory,
        fault=_take_memory,
        end=_free_memory,
        restarts=True,
        quick=("memory_bytes=300_000_000",),
    ),
)
"""The incidents of this subject."""
