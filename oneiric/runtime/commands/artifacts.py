"""The artifact cache: what is in it, and how it gets smaller."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from oneiric.core.redaction import describe
from oneiric.remote import clean, stock_of
from oneiric.runtime.commands.command import Command, flag
from oneiric.runtime.control.errors import ControlError
from oneiric.runtime.control.protocol import FAILED

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from oneiric.remote import CachedArtifact
    from oneiric.runtime.commands.command import Fields
    from oneiric.runtime.orchestrator import RuntimeOrchestrator

    T = TypeVar("T")


def commands(runtime: RuntimeOrchestrator) -> dict[str, Command]:
    """Return the commands about the artifact cache of *runtime*."""
    cache = runtime.remotes.cache

    async def status(_: Fields) -> dict[str, Any]:
        stock = await _in_thread(lambda: stock_of(cache))
        protected = cache.protected
        return {
            "directory": str(cache.artifacts),
            "artifacts": len(stock),
            "bytes": sum(item.size for item in stock),
            "limit_bytes": cache.bounds.max_bytes,
            "max_age_seconds": cache.bounds.max_age,
            "entries": [_entry(item, cache.clock()) | {"active": item.path.name in protected} for item in stock],
        }

    async def remove(fields: Fields) -> dict[str, Any]:
        everything, dry_run = flag(fields, "all"), flag(fields, "dry_run")
        gone = await _in_thread(lambda: clean(cache, everything=everything, dry_run=dry_run))
        return {
            "directory": str(cache.artifacts),
            "dry_run": dry_run,
            "removed": len(gone),
            "bytes": sum(item.size for item in gone),
            "entries": [_entry(item, cache.clock()) for item in gone],
        }

    return {"cache-status": Command("read", status), "cache-clean": Command("change", remove)}


async def _in_thread(work: Callable[[], T]) -> T:
    try:
        return await asyncio.to_thread(work)
    except OSError as error:
        raise ControlError(FAILED, f"the artifact cache: {describe(error)[1]}") from error


def _entry(item: CachedArtifact, now: float) -> dict[str, Any]:
    return {"sha256": item.path.name, "bytes": item.size, "age_seconds": round(max(0.0, now - item.used_at), 1)}
