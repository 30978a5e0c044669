"""Synchronise a resolver with a manifest by calling a function."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.remote.artifacts import DEFAULT_HTTP_TIMEOUT, ArtifactManager
from oneiric.remote.entries import VALID_DOMAINS
from oneiric.remote.models import RemoteSyncResult
from oneiric.remote.source import RemoteSource

if TYPE_CHECKING:
    from oneiric.core.config import RemoteSourceConfig
    from oneiric.core.resolution import Resolver
    from oneiric.remote.preparation import Secrets

__all__ = [
    "DEFAULT_HTTP_TIMEOUT",
    "VALID_DOMAINS",
    "ArtifactManager",
    "RemoteSyncResult",
    "remote_sync_loop",
    "source_of",
    "sync_remote_manifest",
]

_SOURCES = "_remote_sources"


async def sync_remote_manifest(
    resolver: Resolver,
    config: RemoteSourceConfig,
    *,
    secrets: Secrets | None = None,
    manifest_url: str | None = None,
) -> RemoteSyncResult | None:
    """Synchronise *resolver* once, as :meth:`RemoteSource.sync` does."""
    return await source_of(resolver, config, secrets=secrets, manifest_url=manifest_url).sync(manifest_url)


async def remote_sync_loop(
    resolver: Resolver,
    config: RemoteSourceConfig,
    *,
    secrets: Secrets | None = None,
    manifest_url: str | None = None,
    interval_override: float | None = None,
) -> None:
    """Synchronise *resolver* every interval until cancelled, as :meth:`RemoteSource.run` does."""
    source = source_of(resolver, config, secrets=secrets, manifest_url=manifest_url)
    await source.run(interval_override, manifest_url=manifest_url)


def source_of(
    resolver: Resolver, config: RemoteSourceConfig, *, secrets: Secrets | None = None, manifest_url: str | None = None
) -> RemoteSource:
    """Return the source that calls with the same *resolver*, *config* and URL share, so that failures add up."""
    # Kept with the resolver, to live exactly as long: a weak mapping from resolvers would be kept alive by its own
    # values, which refer to them.
    sources: dict[str, RemoteSource] = vars(resolver).setdefault(_SOURCES, {})
    identity = f"{config.model_dump_json()} {manifest_url or ''}"
    if identity not in sources:
        sources[identity] = RemoteSource(resolver, config)
    sources[identity].secrets = secrets
    return sources[identity]
