"""The incidents that can be rehearsed: how each is brought about in a sandbox, and taken back."""

from __future__ import annotations

import asyncio
import hashlib
import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from oneiric.cli._drill_sandbox import SOURCE
from oneiric.cli._drill_world import DOMAIN, FLAKY, KEY, SLOW, STEADY, StrangeServer
from oneiric.core import events
from oneiric.core.resolution import Candidate
from oneiric.monitoring.alerts import alerts
from oneiric.monitoring.config import BundleConfig
from oneiric.monitoring.logql import log_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping

    from oneiric.cli._drill_sandbox import Sandbox

NEVER = 1_000_000_000
"""A threshold that is not reached, for an alert that another rehearsal is about."""


async def _nothing(_sandbox: Sandbox) -> None:
    """Change nothing."""


async def _work(sandbox: Sandbox) -> None:
    """Do what the runtime does all day."""
    sandbox.runtime.resolver.resolve(DOMAIN, KEY)
    await sandbox.use()


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """An incident.

    Attributes:
        name: What it is asked for by.
        title: What happens, in one sentence.
        alerts: The alerts that fire.
        also: Alerts that may fire too, because the fault is theirs as well.
        begin: Brings the fault about.
        fault: A step of the work while the fault lasts.
        end: Takes the fault back.
        normal: A step of the work while all is well.
        settings: Settings of the sandbox's runtime, by section.
        bundle: Settings of the bundle under which the fault shows within seconds.
    """

    name: str
    title: str
    alerts: tuple[str, ...]
    also: tuple[str, ...] = ()
    begin: Callable[[Sandbox], Awaitable[None]] = _nothing
    fault: Callable[[Sandbox], Awaitable[None]] = _work
    end: Callable[[Sandbox], Awaitable[None]] = _nothing
    normal: Callable[[Sandbox], Awaitable[None]] = _work
    settings: Mapping[str, Any] = field(default_factory=dict)
    bundle: tuple[str, ...] = ()


async def _resolve_missing(sandbox: Sandbox) -> None:
    sandbox.runtime.resolver.resolve(DOMAIN, "missing")


async def _resolve_slowly(sandbox: Sandbox) -> None:
    def hesitant() -> Iterator[str]:
        time.sleep(0.15)  # the resolver waits for whoever asks
        yield "fast"

    await asyncio.to_thread(sandbox.runtime.resolver.resolve, DOMAIN, KEY, capabilities=hesitant())


async def _swap_to_flaky(sandbox: Sandbox) -> None:
    await sandbox.swap(FLAKY)


async def _swap_slowly(sandbox: Sandbox) -> None:
    sandbox.weather.start_seconds = 1.2
    await sandbox.swap(SLOW)
    await sandbox.swap(STEADY)


async def _fall_ill(sandbox: Sandbox) -> None:
    sandbox.weather.healthy = False


async def _recover(sandbox: Sandbox) -> None:
    sandbox.weather.healthy = True


async def _pause(sandbox: Sandbox) -> None:
    sandbox.runtime.bridges[DOMAIN].set_paused(KEY, paused=True, note="drill")


async def _resume(sandbox: Sandbox) -> None:
    sandbox.runtime.bridges[DOMAIN].set_paused(KEY, paused=False)


async def _kill_server(sandbox: Sandbox) -> None:
    await asyncio.to_thread(sandbox.server.kill)


async def _revive_server(sandbox: Sandbox) -> None:
    await asyncio.to_thread(sandbox.server.revive)


async def _stop_loop(sandbox: Sandbox) -> None:
    await sandbox.runtime.remotes[SOURCE].stop()


async def _start_loop(sandbox: Sandbox) -> None:
    sandbox.runtime.remotes[SOURCE].start()


async def _damage_cache(sandbox: Sandbox) -> None:
    for path in await asyncio.to_thread(lambda: [*sandbox.artifacts.iterdir()]):
        await asyncio.to_thread(path.write_bytes, b"damaged")
    await sandbox.sync()


async def _publish_tampered(sandbox: Sandbox) -> None:
    sandbox.server.publish(tampered=True)


async def _publish_short(sandbox: Sandbox) -> None:
    sandbox.server.publish(validity=timedelta(minutes=5))


async def _publish(sandbox: Sandbox) -> None:
    sandbox.server.publish()


async def _fill_cache(sandbox: Sandbox) -> None:
    content = bytes(90_000)
    path = sandbox.artifacts / hashlib.sha256(content).hexdigest()
    await asyncio.to_thread(path.write_bytes, content)
    sandbox.notes["filler"] = path


async def _clear_cache(sandbox: Sandbox) -> None:
    await asyncio.to_thread(sandbox.notes.pop("filler").unlink, missing_ok=True)


class _Failing:
    """An observer that cannot do what it is there for."""

    def receiver(self, _event_type: type) -> Callable[[object], None]:
        """Return what always raises."""

        def fail(_event: object) -> None:
            raise RuntimeError("drill")

        return fail


async def _add_failing_observer(sandbox: Sandbox) -> None:
    sandbox.notes["remove"] = sandbox.runtime.observers.add(_Failing())


async def _remove_failing_observer(sandbox: Sandbox) -> None:
    sandbox.notes.pop("remove")()


async def _invent_keys(sandbox: Sandbox) -> None:
    number = sandbox.notes["invented"] = sandbox.notes.get("invented", 0) + 1
    key = f"invented-{number}"
    sandbox.runtime.resolver.register(Candidate(domain=DOMAIN, key=key, provider=STEADY, factory=object))
    sandbox.runtime.resolver.resolve(DOMAIN, key)


async def _use_while_paused(sandbox: Sandbox) -> None:
    for _ in range(5):
        await sandbox.use()


async def _stop_runtime(sandbox: Sandbox) -> None:
    await sandbox.runtime.stop()


async def _restart(sandbox: Sandbox) -> None:
    await sandbox.restart()


async def _answer_strangely(sandbox: Sandbox) -> None:
    await sandbox.runtime.stop()
    sandbox.notes["stranger"] = await asyncio.to_thread(StrangeServer, sandbox.port)


async def _answer_again(sandbox: Sandbox) -> None:
    await asyncio.to_thread(sandbox.notes.pop("stranger").close)
    await sandbox.restart()


async def _take_memory(sandbox: Sandbox) -> None:
    if len(sandbox.notes.setdefault("keys", [])) >= 80:  # noqa: PLR2004 - 80 times 4 MiB
        return
    sandbox.weather.ballast = True
    key = f"heavy-{len(sandbox.notes['keys'])}"
    sandbox.notes["keys"].append(key)
    resolver = sandbox.runtime.resolver
    factory = next(iter(sandbox.weather.candidates())).factory
    resolver.register(Candidate(domain=DOMAIN, key=key, provider=STEADY, factory=factory))
    await sandbox.runtime.bridges[DOMAIN].use(key)


async def _free_memory(sandbox: Sandbox) -> None:
    sandbox.weather.ballast = False
    await sandbox.runtime.stop()
    await sandbox.restart()


def _mostly(share: float, bad: Callable[[Sandbox], Awaitable[None]], good: Callable[[Sandbox], Awaitable[None]]) -> Any:
    """Return a step that takes *bad* steps for the *share* of its times and *good* ones for the rest."""

    async def step(sandbox: Sandbox) -> None:
        due = sandbox.notes["due"] = sandbox.notes.get("due", 0.0) + share
        if due >= 1:
            sandbox.notes["due"] = due - 1
            await bad(sandbox)
        else:
            await good(sandbox)

    return step


async def _resolve(sandbox: Sandbox) -> None:
    sandbox.runtime.resolver.resolve(DOMAIN, KEY)


async def _sync_badly(sandbox: Sandbox) -> None:
    await _kill_server(sandbox)
    await sandbox.sync()
    await _revive_server(sandbox)


async def _sync(sandbox: Sandbox) -> None:
    await sandbox.sync()


_, _BLOCKED = log_of(events.WorkBlocked)
_RESOLUTION_BUDGET = ("resolution_objective=0.95", "resolution_slo_minimum_count=10")
_RESOLUTION_BURNS = tuple(
    alert.name for alert in alerts(BundleConfig()) if alert.name.startswith("OneiricResolutionBudgetBurn")
)
_SYNC_BURNS = tuple(alert.name for alert in alerts(BundleConfig()) if alert.name.startswith("OneiricSyncBudgetBurn"))
_SYNC_BUDGET = ("sync_objective=0.95", "sync_slo_minimum_count=3", f"sync_consecutive_failures={NEVER}")
_OWN_PACE = {"remote": {"refresh_interval": 3600.0, "circuit_breaker_threshold": 1_000_000}}

SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario(
            name="resolution-failures",
            title="Something asks for a key that nobody provides.",
            alerts=("OneiricResolutionFailures",),
            also=_RESOLUTION_BURNS,
            fault=_resolve_missing,
        ),
        Scenario(
            name="slow-resolutions",
            title="Resolutions take 150 ms each.",
            alerts=("OneiricResolutionLatencyHigh",),
            fault=_resolve_slowly,
            bundle=("resolution_minimum_count=3",),
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
            bundle=("swap_slow_seconds=1",),
        ),
        Scenario(
            name="rollback-burst",
            title="Swaps to a provider that does not work are tried again and again.",
            alerts=("OneiricRollbackBurst",),
            also=("OneiricHealthCheckFailures",),
            fault=_swap_to_flaky,
            bundle=(f"swap_failures_per_minute={NEVER}",),
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
            begin=_fall_ill,
            end=_recover,
            bundle=(f"health_check_failures_per_minute={NEVER}",),
        ),
        Scenario(
            name="forgotten-pause",
            title="A component is paused and nobody resumes it.",
            alerts=("OneiricPauseForgotten",),
            begin=_pause,
            fault=_resolve,
            end=_resume,
            bundle=("pause_forgotten_seconds=2",),
        ),
        Scenario(
            name="remote-sync-failures",
            title="The manifest server is dead.",
            alerts=("OneiricRemoteSyncFailures",),
            also=(*_SYNC_BURNS, "OneiricRemoteSyncStale"),
            begin=_kill_server,
            end=_revive_server,
        ),
        Scenario(
            name="stale-source",
            title="A source has not been synchronised for several intervals.",
            alerts=("OneiricRemoteSyncStale",),
            also=_SYNC_BURNS,
            begin=_kill_server,
            end=_revive_server,
            bundle=(f"sync_consecutive_failures={NEVER}",),
        ),
        Scenario(
            name="dead-sync-loop",
            title="The loop that refreshes a source has ended.",
            alerts=("OneiricRemoteSyncLoopDead",),
            also=("OneiricRemoteSyncStale",),
            begin=_stop_loop,
            end=_start_loop,
        ),
        Scenario(
            name="cache-corruption",
            title="The files of the artifact cache are damaged.",
            alerts=("OneiricDigestMismatch",),
            fault=_damage_cache,
        ),
        Scenario(
            name="tampered-manifest",
            title="The manifest was changed after it was signed.",
            alerts=("OneiricSignatureInvalid",),
            also=(*_SYNC_BURNS, "OneiricRemoteSyncStale"),
            begin=_publish_tampered,
            end=_publish,
            bundle=(f"sync_consecutive_failures={NEVER}",),
        ),
        Scenario(
            name="expiring-manifest",
            title="The manifest in force is valid for five more minutes.",
            alerts=("OneiricManifestExpiring",),
            begin=_publish_short,
            end=_publish,
            bundle=("manifest_expiry_seconds=600",),
        ),
        Scenario(
            name="full-cache",
            title="The artifact cache is full to 90 %.",
            alerts=("OneiricCacheDiskUsageHigh",),
            begin=_fill_cache,
            end=_clear_cache,
            settings={"remote": {"cache_max_bytes": 110_000, "max_artifact_bytes": 100_000}},
        ),
        Scenario(
            name="hook-errors",
            title="A part that watches the runtime fails.",
            alerts=("OneiricHookErrors",),
            also=("OneiricLogEventsSuppressed",),
            begin=_add_failing_observer,
            end=_remove_failing_observer,
        ),
        Scenario(
            name="series-explosion",
            title="Keys are made up at run time, more than the series budget allows.",
            alerts=("OneiricSeriesDropped",),
            fault=_invent_keys,
            settings={"observability": {"series_budget": 20}},
        ),
        Scenario(
            name="log-flood",
            title="An event happens more often than its log lines may be written.",
            alerts=("OneiricLogEventsSuppressed",),
            begin=_pause,
            fault=_use_while_paused,
            end=_resume,
            settings={"observability": {"log_limits": {"events": {_BLOCKED.name: {"rate": 0.1, "burst": 1}}}}},
            bundle=(f"pause_forgotten_seconds={NEVER}",),
        ),
        Scenario(
            name="target-down",
            title="The process is gone.",
            alerts=("OneiricTargetDown",),
            begin=_stop_runtime,
            fault=_nothing,
            end=_restart,
        ),
        Scenario(
            name="metrics-missing",
            title="Another program answers at the address of the metrics.",
            alerts=("OneiricMetricsMissing",),
            begin=_answer_strangely,
            fault=_nothing,
            end=_answer_again,
        ),
        Scenario(
            name="memory-exhaustion",
            title="Instances hold more and more memory.",
            alerts=("OneiricMemoryHigh",),
            fault=_take_memory,
            end=_free_memory,
            bundle=("memory_bytes=400_000_000",),
        ),
        Scenario(
            name="resolution-budget",
            title="Four resolutions in five fail: the error budget is gone within hours.",
            alerts=("OneiricResolutionBudgetBurn1h", "OneiricResolutionBudgetBurn6h"),
            also=_RESOLUTION_BURNS,
            fault=_mostly(0.8, _resolve_missing, _resolve),
            bundle=(*_RESOLUTION_BUDGET, f"resolution_failures_per_minute={NEVER}"),
        ),
        Scenario(
            name="resolution-budget-slow",
            title="One resolution in four fails: the error budget is gone within days.",
            alerts=("OneiricResolutionBudgetBurn1d", "OneiricResolutionBudgetBurn3d"),
            also=_RESOLUTION_BURNS,
            fault=_mostly(0.28, _resolve_missing, _resolve),
            bundle=(*_RESOLUTION_BUDGET, f"resolution_failures_per_minute={NEVER}"),
        ),
        Scenario(
            name="sync-budget",
            title="Four synchronisations in five fail: the error budget is gone within hours.",
            alerts=("OneiricSyncBudgetBurn1h", "OneiricSyncBudgetBurn6h"),
            also=_SYNC_BURNS,
            fault=_mostly(0.8, _sync_badly, _sync),
            normal=_sync,
            settings=_OWN_PACE,
            bundle=_SYNC_BUDGET,
        ),
        Scenario(
            name="sync-budget-slow",
            title="One synchronisation in four fails: the error budget is gone within days.",
            alerts=("OneiricSyncBudgetBurn1d", "OneiricSyncBudgetBurn3d"),
            also=_SYNC_BURNS,
            fault=_mostly(0.28, _sync_badly, _sync),
            normal=_sync,
            settings=_OWN_PACE,
            bundle=_SYNC_BUDGET,
        ),
    )
}
"""Every incident that can be rehearsed, by name; each alert but the dead-man's switch has one at least."""
