"""The remote sources of one runtime, and the artifact cache that they share."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oneiric.core.errors import LifecycleError
from oneiric.remote.delivery import ArtifactCache
from oneiric.remote.source import RemoteSource

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Iterator

    from oneiric.core.config import OneiricSettings, RemoteSourceConfig
    from oneiric.core.resolution import Resolver
    from oneiric.observability import Telemetry
    from oneiric.remote.ledger import LastSync
    from oneiric.remote.manifest import RemoteSyncResult


class RemoteSources:
    """The sources by name, in the order in which they were added; all use the cache directory of the runtime.

    Used from one event loop at a time. A source that is added is attached to the *telemetry*, if there is one.

    Attributes:
        cache: The artifact cache.
    """

    def __init__(
        self, resolver: Resolver, settings: OneiricSettings, *, secrets: Any, telemetry: Telemetry | None
    ) -> None:
        self._resolver = resolver
        self._secrets = secrets
        self._directory = Path(settings.cache_dir or settings.remote.cache_dir)
        self._state = settings.state_dir and Path(settings.state_dir).expanduser()
        self._sources: dict[str, RemoteSource] = {}
        self._closed = False
        self._telemetry = telemetry
        self.cache = ArtifactCache(
            self._directory,
            observers=resolver.observers,
            max_bytes=settings.remote.cache_max_bytes,
            max_age=settings.remote.cache_max_age,
            high_ratio=settings.remote.cache_high_ratio,
            scan_interval=settings.remote.cache_scan_interval,
        )

    def __iter__(self) -> Iterator[str]:
        """Return the names."""
        return iter(tuple(self._sources))

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._sources)

    def __getitem__(self, name: str) -> RemoteSource:
        """Return the source called *name*; KeyError where there is none."""
        return self._sources[name]

    @property
    def pending(self) -> tuple[str, ...]:
        """The names of sources that are to be synchronised with and of which no manifest is in force yet."""
        return tuple(name for name, source in self._sources.copy().items() if source.is_pending)

    @property
    def last_syncs(self) -> dict[str, LastSync]:
        """How the last synchronisation with each source ended, by its name."""
        return {name: source.last_sync for name, source in self._sources.copy().items()}

    def add(self, config: RemoteSourceConfig) -> RemoteSource:
        """Add a source, not yet refreshed in the background, and return it.

        ValueError for a name that is taken, LifecycleError once the runtime was stopped.
        """
        if self._closed:
            raise LifecycleError("This runtime was stopped; a remote source cannot be added")
        if config.name in self._sources:
            raise ValueError(f"there is a remote source called {config.name!r} already")
        config = config.model_copy(update={"cache_dir": str(self._directory)})
        source = RemoteSource(self._resolver, config, cache=self.cache, state_dir=self._state, secrets=self._secrets)
        self._sources[config.name] = source
        source.announce()
        if self._telemetry is not None:
            self._telemetry.add(source)
        return source

    def ensure(self, config: RemoteSourceConfig) -> RemoteSource:
        """Return the source of this name, which is added where there is none."""
        return self._sources[config.name] if config.name in self._sources else self.add(config)

    def reconfigure(self, settings: OneiricSettings) -> None:
        """Have the sources that *settings* name go by them from now on; others stay as they are."""
        for config in (settings.remote, *settings.remotes.values()):
            if (source := self._sources.get(config.name)) is not None:
                source.reconfigure(config.model_copy(update={"cache_dir": str(self._directory)}))

    async def remove(self, name: str) -> None:
        """Stop the source called *name*, and unregister what it brought; KeyError where there is none."""
        source = self._sources.pop(name)
        await source.remove()
        if self._telemetry is not None:
            self._telemetry.remove(source)

    async def try_sync(self, name: str) -> RemoteSyncResult | None:
        """Synchronise with the source called *name*; None where that failed, which the source has reported."""
        try:
            return await self._sources[name].sync()
        except Exception:  # noqa: BLE001 - reported, counted and logged by the source
            return None

    async def start(self, *, main: str, manifest_url: str | None, interval: float | None) -> None:
        """Synchronise with every source, go on doing so in the background, and scan the cache at intervals.

        Returns when each source was synchronised once or failed, or after the largest of their latency budgets; what
        is not done by then goes on. *manifest_url* and *interval* stand in for what the source called *main* has.
        """
        self.cache.start()
        tried = []
        for name, source in self._sources.items():
            started = (
                source.start(manifest_url=manifest_url, interval_override=interval) if name == main else source.start()
            )
            tried.append(started.wait())
        if tried:
            budget = max(source.config.latency_budget_ms for source in self._sources.values()) / 1000
            await _all_within(tried, seconds=budget)

    async def stop(self) -> None:
        """Stop refreshing and scanning; idempotent."""
        for source in self._sources.values():
            await source.stop()
        await self.cache.stop()

    async def close(self) -> None:
        """Stop, and take no further source; what the sources brought stays registered."""
        self._closed = True
        await self.stop()
        if self._telemetry is not None:
            for source in self._sources.values():
                self._telemetry.remove(source)


async def _all_within(waits: Iterable[Coroutine[Any, Any, object]], *, seconds: float) -> None:
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, timeout=seconds)
    finally:
        for task in tasks:
            task.cancel()
