"""What is in an artifact cache, and removing it when somebody asks for that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.remote.delivery.eviction import CachedArtifact, Victims, choose_victims, take_stock

if TYPE_CHECKING:
    from oneiric.remote.delivery.cache import ArtifactCache


def stock_of(cache: ArtifactCache) -> list[CachedArtifact]:
    """Return the artifacts of *cache*, the one unused for longest first; OSError where they cannot be looked at."""
    if not cache.artifacts.is_dir():
        return []
    return take_stock(cache.artifacts, now=cache.clock())


def clean(cache: ArtifactCache, *, everything: bool = False, dry_run: bool = False) -> list[CachedArtifact]:
    """Remove from *cache* what is beyond its bounds, or *everything*, and return it; with *dry_run* it stays.

    Neither goes what is in force here, nor what was used as recently as another process may still need it, but for
    its age. OSError where something cannot be removed.
    """
    stock, now, protected = stock_of(cache), cache.clock(), cache.protected
    if everything:
        free = [item for item in stock if item.path.name not in protected and now - item.used_at > cache.bounds.grace]
        chosen = [Victims("request", free)] if free else []
    else:
        chosen = list(choose_victims(stock, protected, now=now, bounds=cache.bounds))
    if dry_run:
        return [item for victims in chosen for item in victims.items]
    return [item for victims in chosen for item in cache.evict(victims)]
