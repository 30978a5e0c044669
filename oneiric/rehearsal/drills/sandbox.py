"""A sandbox: a real runtime on a manifest of its own, in which a fault can be put and taken out again."""

from __future__ import annotations

import asyncio
import os
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

from oneiric.core.config import OneiricSettings, RemoteSourceConfig
from oneiric.core.lifecycle import LifecycleError
from oneiric.rehearsal.demo import HOST, VALIDITY
from oneiric.rehearsal.drills.world import DOMAIN, KEY, STEADY, FaultInjection, ManifestServer
from oneiric.remote.manifest import ENV_TRUSTED_PUBLIC_KEYS
from oneiric.runtime.orchestrator import RuntimeOrchestrator

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping
    from pathlib import Path
    from types import TracebackType

    from oneiric.monitoring.config import BundleConfig
    from oneiric.rehearsal.drills.world import StrangeServer

SOURCE = "drill"
REFRESH_SECONDS = 10.0
"""How often a sandbox synchronises whose incident is about something else: many run side by side."""
PROBE_SECONDS = 0.5
PATIENCE = 3
"""How many times as long as a slow swap an activation may take."""


class Sandbox:
    """One runtime below *directory*, with one key, one remote source, and a metrics server that keeps its port.

    Used from one event loop, as an async context manager. The process trusts the key of its manifests from then on.

    Args:
        directory: An empty one, for everything that is written.
        config: The thresholds that a fault is to exceed.
        port: Of the metrics; 0 takes a free one.
        settings: Settings of the runtime, by section.
        runtime: One of :func:`sandbox_settings` that somebody else starts and stops; None: one that it makes.

    Attributes:
        runtime: The runtime; another one after :meth:`restart`.
        marker: A key that no other runtime has.
        server: What serves the manifest.
        faults: What is wrong with the providers.
        port: Where /metrics is; 0 where it cannot be served.
        filler: What an incident filled the cache with.
        invented: The keys that an incident made up.
        stranger: Who answers at the address of the metrics instead.
        bad_due: How much of a bad step is due, where only some are.
    """

    def __init__(
        self,
        directory: Path,
        *,
        config: BundleConfig,
        port: int = 0,
        settings: Mapping[str, Any] | None = None,
        runtime: RuntimeOrchestrator | None = None,
    ) -> None:
        self.config = config
        self.marker = f"drill-{secrets.token_hex(4)}"
        self.port = port
        self.faults = FaultInjection()
        self.filler: Path | None = None
        self.invented: list[str] = []
        self.stranger: StrangeServer | None = None
        self.bad_due = 0.0
        self._directory = directory
        self._settings = dict(settings or {})
        (directory / "manifests").mkdir()
        validity = VALIDITY + timedelta(seconds=config.manifest_expiry_seconds)
        self.server = ManifestServer(directory / "manifests", validity=validity)
        trust(self.server.public_key)
        self.runtime = self._equipped(runtime) if runtime is not None else self._runtime()

    async def __aenter__(self) -> Self:
        """Start."""
        try:
            await self.start()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop everything."""
        await self._stop()

    @property
    def metrics_url(self) -> str:
        """Where the metrics are."""
        return f"http://{HOST}:{self.port}/metrics"

    @property
    def artifacts(self) -> Path:
        """The directory of the artifact cache."""
        return self.runtime.remotes.cache.artifacts

    async def start(self, *, swap: bool = True) -> None:
        """Start the runtime, and activate its component unless *swap* is false."""
        await self.runtime.start()
        self.port = 0 if self.runtime.metrics_server is None else self.runtime.metrics_server.port
        if swap:
            await self.runtime.lifecycle.swap(DOMAIN, KEY, STEADY)

    async def restart(self, *, swap: bool = True) -> None:
        """Start a new runtime of the same settings at the same port; the old one must have been stopped."""
        self.runtime = self._runtime()
        await self.start(swap=swap)

    async def swap(self, provider: str) -> None:
        """Swap to *provider*; it may fail."""
        await accepted(self.runtime.lifecycle.swap(DOMAIN, KEY, provider))

    async def use(self) -> None:
        """Use the component as an application would; it may be refused."""
        await accepted(self.runtime.bridges[DOMAIN].use(KEY))

    async def sync(self) -> None:
        """Synchronise now; it may fail."""
        await self.runtime.remotes.try_sync(SOURCE)

    async def send_the_stranger_away(self) -> None:
        """Let nobody else answer at the address of the metrics; idempotent."""
        stranger, self.stranger = self.stranger, None
        if stranger is not None:
            await asyncio.to_thread(stranger.close)

    async def _stop(self) -> None:
        await self.send_the_stranger_away()
        await self.runtime.stop()
        await asyncio.to_thread(self.server.kill)

    def _runtime(self) -> RuntimeOrchestrator:
        settings = sandbox_settings(self._directory, config=self.config, port=self.port, given=self._settings)
        return self._equipped(RuntimeOrchestrator(OneiricSettings.exactly(**settings)))

    def _equipped(self, runtime: RuntimeOrchestrator) -> RuntimeOrchestrator:
        runtime.remotes.add(self._source())
        for candidate in (self.faults.candidate(self.marker, STEADY), *self.faults.candidates(KEY)):
            runtime.resolver.register(candidate)
        return runtime

    def _source(self) -> RemoteSourceConfig:
        options: dict[str, Any] = {
            "name": SOURCE,
            "enabled": True,
            "manifest_url": self.server.url,
            "refresh_interval": REFRESH_SECONDS,
            "signature_required": True,
            "max_retries": 0,
            "timeout": 2.0,
            "circuit_breaker_reset": 1.0,
        }
        return RemoteSourceConfig(**options | self._settings.get("remote", {}))


def sandbox_settings(directory: Path, *, config: BundleConfig, port: int, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a sandbox's runtime by section, but for its source, which no file can know before."""
    observability = {"metrics_address": f"{HOST}:{port}", "probe_interval": PROBE_SECONDS}
    return {
        **given,
        "cache_dir": str(directory / "cache"),
        "runtime_paths": {"domain_activity_witness_path": str(directory / "witness.json")},
        "observability": observability | given.get("observability", {}),
        "lifecycle": {"activation_timeout": PATIENCE * config.swap_slow_seconds},
        "remote": {"cache_scan_interval": 1.0} | given.get("remote", {}),
    }


async def accepted(work: Awaitable[object]) -> bool:
    """Do *work* and return whether the runtime accepted it."""
    try:
        await work
    except LifecycleError:
        return False
    return True


def trust(public_key: str) -> None:
    """Trust *public_key* in this process, beside the keys that are trusted already."""
    trusted = os.environ.get(ENV_TRUSTED_PUBLIC_KEYS, "")
    os.environ[ENV_TRUSTED_PUBLIC_KEYS] = ",".join(filter(None, (trusted, public_key)))
