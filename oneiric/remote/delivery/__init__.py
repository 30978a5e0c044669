"""Manifests and artifacts brought here: fetched, checked, kept and evicted."""

from oneiric.remote.delivery.artifacts import DEFAULT_HTTP_TIMEOUT, ArtifactManager
from oneiric.remote.delivery.cache import ArtifactCache, cache_for
from oneiric.remote.delivery.cleaning import clean, stock_of
from oneiric.remote.delivery.draft import Draft
from oneiric.remote.delivery.eviction import CachedArtifact
from oneiric.remote.delivery.fetch import ARTIFACT_DEADLINE_FACTOR, Fetcher
from oneiric.remote.delivery.hosts import check_address
from oneiric.remote.delivery.threads import to_its_end

__all__ = [
    "ARTIFACT_DEADLINE_FACTOR",
    "DEFAULT_HTTP_TIMEOUT",
    "ArtifactCache",
    "ArtifactManager",
    "CachedArtifact",
    "Draft",
    "Fetcher",
    "cache_for",
    "check_address",
    "clean",
    "stock_of",
    "to_its_end",
]
