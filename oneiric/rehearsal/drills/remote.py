"""Incidents of manifests, artifacts and their cache."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING

from oneiric.rehearsal.drills.sandbox import SOURCE
from oneiric.rehearsal.drills.scenario import NEVER, Scenario

if TYPE_CHECKING:
    from oneiric.rehearsal.drills.sandbox import Sandbox

CACHE_BYTES = 110_000
_PROMPT = {"remote": {"refresh_interval": 1.0}}
"""For incidents that the next synchronisation meets with."""
_BURNS = tuple(f"OneiricSyncBudgetBurn{window}" for window in ("1h", "6h", "1d", "3d"))


async def kill_server(sandbox: Sandbox) -> None:
    """Let the manifest server be dead."""
    await asyncio.to_thread(sandbox.server.kill)


async def revive_server(sandbox: Sandbox) -> None:
    """Let the manifest server live."""
    await asyncio.to_thread(sandbox.server.revive)


async def _stop_loop(sandbox: Sandbox) -> None:
    await sandbox.runtime.remotes[SOURCE].stop()


async def _start_loop(sandbox: Sandbox) -> None:
    sandbox.runtime.remotes[SOURCE].start()


async def _damage_cache(sandbox: Sandbox) -> None:
    def damage() -> None:
        for path in sandbox.artifacts.iterdir():
            path.write_bytes(b"damaged")

    await asyncio.to_thread(damage)
    await sandbox.sync()


async def _publish_tampered(sandbox: Sandbox) -> None:
    sandbox.server.publish(tampered=True)


async def _publish_short(sandbox: Sandbox) -> None:
    sandbox.server.publish(validity=timedelta(seconds=sandbox.config.manifest_expiry_seconds / 2))


async def _publish(sandbox: Sandbox) -> None:
    sandbox.server.publish()


async def _fill_cache(sandbox: Sandbox) -> None:
    def fill() -> None:
        taken = sum(path.stat().st_size for path in sandbox.artifacts.iterdir())
        wanted = (1 + sandbox.config.cache_usage_ratio) / 2  # halfway between the threshold and full
        content = bytes(int(CACHE_BYTES * wanted) - taken)
        sandbox.filler = sandbox.artifacts / hashlib.sha256(content).hexdigest()
        sandbox.filler.write_bytes(content)

    await asyncio.to_thread(fill)


async def _clear_cache(sandbox: Sandbox) -> None:
    if sandbox.filler is not None:
        await asyncio.to_thread(sandbox.filler.unlink, missing_ok=True)


INCIDENTS = (
    Scenario(
        name="remote-sync-failures",
        title="The manifest server is dead.",
        alerts=("OneiricRemoteSyncFailures",),
        also=(*_BURNS, "OneiricRemoteSyncStale"),
        begin=kill_server,
        end=revive_server,
        settings=_PROMPT,
    ),
    Scenario(
        name="stale-source",
        title="A source has not been synchronised for several intervals.",
        alerts=("OneiricRemoteSyncStale",),
        also=(*_BURNS, "OneiricRemoteSyncFailures"),
        begin=kill_server,
        end=revive_server,
        alone=(f"sync_consecutive_failures={NEVER}",),
        settings=_PROMPT,
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
        also=(*_BURNS, "OneiricRemoteSyncStale", "OneiricRemoteSyncFailures"),
        begin=_publish_tampered,
        end=_publish,
        settings=_PROMPT,
    ),
    Scenario(
        name="expiring-manifest",
        title="The manifest in force expires soon.",
        alerts=("OneiricManifestExpiring",),
        begin=_publish_short,
        end=_publish,
        settings=_PROMPT,
    ),
    Scenario(
        name="full-cache",
        title="The artifact cache is nearly full.",
        alerts=("OneiricCacheDiskUsageHigh",),
        begin=_fill_cache,
        end=_clear_cache,
        settings={"remote": {"cache_max_bytes": CACHE_BYTES}},
    ),
)
"""The incidents of this subject."""
