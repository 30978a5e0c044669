"""Remote manifests: candidates that a signed document offers, kept equal to it while the runtime lives."""

from __future__ import annotations

from oneiric.remote.delivery import ArtifactCache, CachedArtifact, cache_for, clean, stock_of
from oneiric.remote.errors import RemoteSyncError
from oneiric.remote.loader import remote_sync_loop, sync_remote_manifest
from oneiric.remote.manifest import RemoteManifest, RemoteManifestEntry, RemoteSyncResult
from oneiric.remote.source import RemoteSource
from oneiric.remote.telemetry import RemoteSyncTelemetry, load_remote_telemetry

__all__ = [
    "ArtifactCache",
    "CachedArtifact",
    "RemoteManifest",
    "RemoteManifestEntry",
    "RemoteSource",
    "RemoteSyncError",
    "RemoteSyncResult",
    "RemoteSyncTelemetry",
    "cache_for",
    "clean",
    "load_remote_telemetry",
    "remote_sync_loop",
    "stock_of",
    "sync_remote_manifest",
]
