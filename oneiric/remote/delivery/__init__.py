"""Manifests and artifacts brought here: fetched, checked, kept and evicted."""

from oneiric.remote.delivery.artifacts import DEFAULT_HTTP_TIMEOUT, ArtifactManager
from oneiric.remote.delivery.cache import ArtifactCache, cache_for
from oneiric.remote.delivery.draft import Draft
from oneiric.remote.delivery.fetch import ARTIFACT_DEADLINE_FACTOR, Fetcher
from oneiric.remote.delivery.hosts import check_address
from oneiric.remote.delivery.threads import to_its_end

__all__ = [
    "ARTIFACT_DEADLINE_FACTOR",
    "DEFAULT_HTTP_TIMEOUT",
    "ArtifactCache",
    "ArtifactManager",
    "Draft",
    "Fetcher",
    "cache_for",
    "check_address",
    "to_its_end",
]
