"""Incidents of the service: what must run does not, and settings and secrets that cannot be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.core.config import SettingsError, load_settings
from oneiric.rehearsal.drills.scenario import Scenario, nothing
from oneiric.rehearsal.drills.world import DOMAIN, KEY
from oneiric.runtime.reload import Reloader

if TYPE_CHECKING:
    from oneiric.rehearsal.drills.sandbox import Sandbox


async def _start_unwell(sandbox: Sandbox) -> None:
    """Start the service anew while its component fails its checks."""
    await sandbox.runtime.stop()
    sandbox.faults.healthy = False
    await sandbox.restart(swap=False)


async def _recover(sandbox: Sandbox) -> None:
    sandbox.faults.healthy = True


async def _save_nonsense(sandbox: Sandbox) -> None:
    """Have settings read again that no parser understands."""
    path = sandbox.artifacts.parent / "oneiric.yaml"
    path.write_text("runtime: [", encoding="utf-8")
    reloader = Reloader(sandbox.runtime, lambda: load_settings(path), set_levels=lambda _: None)
    try:
        await reloader.reload("file")
    except SettingsError:
        return  # as it should be


async def _seal(sandbox: Sandbox) -> None:
    """Read a secret, and have its provider refuse it from then on."""
    await sandbox.runtime.secrets.get("drill")
    sandbox.faults.sealed = True


async def _renew(sandbox: Sandbox) -> None:
    await sandbox.runtime.secrets_refresher.refresh("interval")


async def _unseal(sandbox: Sandbox) -> None:
    sandbox.faults.sealed = False


INCIDENTS = (
    Scenario(
        name="not-ready",
        title="A component that must run fails its health check at the start, and after it.",
        alerts=("OneiricNotReady",),
        also=(
            "OneiricHealthCheckFailures",
            "OneiricSwapFailures",
            "OneiricComponentUnhealthy",
            "OneiricLogEventsSuppressed",
        ),
        begin=_start_unwell,
        fault=nothing,
        end=_recover,
        restarts=True,
        settings={"runtime": {"start": [f"{DOMAIN}/{KEY}"], "retry_interval": 0.2}},
    ),
    Scenario(
        name="reload-failed",
        title="Somebody saves settings that cannot be read.",
        alerts=("OneiricReloadFailed",),
        fault=_save_nonsense,
    ),
    Scenario(
        name="stale-secrets",
        title="The provider of the secrets refuses to renew what it gave out before.",
        alerts=("OneiricSecretsStale",),
        begin=_seal,
        fault=_renew,
        end=_unseal,
        settings={"secrets": {"domain": DOMAIN, "key": KEY}},
    ),
)
"""The incidents of this subject."""
