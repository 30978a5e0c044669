"""Synchronise a resolver with a manifest by calling a function."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from oneiric.remote.delivery import DEFAULT_HTTP_TIMEOUT, ArtifactCache, ArtifactManager, cache_for
from oneiric.remote.manifest import VALID_DOMAINS, RemoteSyncResult
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

MAX_SOURCES = 64
"""Most sources that are remembered for one resolver; what the others registered stays."""

_SHARED = "_remote_shared"


@dataclass(frozen=True)
class _Shared:
    """What calls with the same resolver share: sources, the one used last at the end, and caches by directory."""

    sources: dict[str, RemoteSource] = field(default_factory=dict)
    caches: dict[str, ArtifactCache] = field(default_factory=dict)


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
    """Return the source that calls with the same *resolver*, *config* and URL share, so that failures add up.

    Those with the same cache directory share the cache of the first one, and with it what protects their artifacts.
    """
    # Kept with the resolver, to live exactly as long: a weak mapping from resolvers would be kept alive by its own
    # values, which refer to them.
    shared: _Shared = vars(resolver).setdefault(_SHARED, _Shared())
    identity = hashlib.sha256(f"{config.model_dump_json()} {manifest_url or ''}".encode()).hexdigest()
    source = shared.sources.pop(identity, None)
    if source is None:
        cache = shared.caches.setdefault(config.cache_dir, cache_for(config, observers=resolver.observers))
        source = RemoteSource(resolver, config, cache=cache)
    source.secrets = secrets
    shared.sources[identity] = source
    if len(shared.sources) > MAX_SOURCES:
        del shared.sources[next(iter(shared.sources))]
    return source
