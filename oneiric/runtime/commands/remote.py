"""The remote sources: how they stand, and a synchronisation now."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import msgspec

from oneiric.core.config import state_directory
from oneiric.core.events import SourceState
from oneiric.core.redaction import describe, redact
from oneiric.remote import load_remote_telemetry
from oneiric.runtime.commands.command import Command, text
from oneiric.runtime.control.errors import ControlError, wrong_use
from oneiric.runtime.control.protocol import FAILED

if TYPE_CHECKING:
    from oneiric.runtime.commands.command import Fields
    from oneiric.runtime.orchestrator import RuntimeOrchestrator

_FETCHED = ("https://", "http://")


def commands(runtime: RuntimeOrchestrator, *, offline: bool) -> dict[str, Command]:
    """Return the commands about the remote sources of *runtime*."""
    remote = _Remote(runtime, offline=offline)
    return {"remote-status": Command("read", remote.status), "remote-sync": Command("change", remote.sync)}


class _Remote:
    def __init__(self, runtime: RuntimeOrchestrator, *, offline: bool) -> None:
        self._runtime = runtime
        self._offline = offline

    async def status(self, _: Fields) -> dict[str, Any]:
        settings = self._runtime.settings
        telemetry = await asyncio.to_thread(load_remote_telemetry, state_directory(settings))
        return {
            "manifest_url": _shown(settings.remote.manifest_url),
            "enabled": settings.remote.enabled,
            "refresh_interval": settings.remote.refresh_interval,
            "latency_budget_ms": settings.remote.latency_budget_ms,
            **asdict(telemetry),
            "sources": [self._source(name) for name in self._runtime.remotes],
        }

    async def sync(self, fields: Fields) -> dict[str, Any]:
        manifest = text(fields, "manifest")
        self._require_fetched(manifest)
        try:
            result = await self._runtime.sync_remote(manifest)
        except Exception as error:
            error_type, reason = describe(error)
            raise ControlError(
                FAILED,
                f"the remote synchronisation failed: {reason or error_type}",
                "oneiric remote-status has more; what was in force before still is",
            ) from error
        if result is None:
            return {"synced": False, "reason": self._why_skipped(manifest)}
        return {
            "synced": True,
            "source": result.manifest.source,
            "registered": result.registered,
            "skipped": result.skipped,
            "per_domain": result.per_domain,
            "duration_ms": round(result.duration_ms, 3),
        }

    def _source(self, name: str) -> dict[str, Any]:
        source = self._runtime.remotes[name]
        (state,) = (state for state in source.states() if isinstance(state, SourceState))
        known: dict[str, Any] = msgspec.to_builtins(state)
        return {**known, "url": _shown(source.config.manifest_url), "pending": source.is_pending}

    def _require_fetched(self, manifest: str | None) -> None:
        """Refuse a file: a service opens none on the word of who asks."""
        configured = self._runtime.settings.remote.manifest_url
        if self._offline or manifest is None or manifest == configured or manifest.lower().startswith(_FETCHED):
            return
        raise wrong_use(
            f"the service fetches manifests by http and https only, not {_shown(manifest)}",
            "name a file in remote.manifest_url of its settings",
        )

    def _why_skipped(self, manifest: str | None) -> str:
        remote = self._runtime.settings.remote
        if manifest is None and not remote.enabled:
            return "remote.enabled is off; --manifest URL synchronises all the same"
        if manifest is None and not remote.manifest_url:
            return "remote.manifest_url is not set; --manifest URL names one"
        return "the circuit is open after failures; oneiric remote-status shows them"


def _shown(url: str | None) -> str | None:
    return None if url is None else redact(url)
