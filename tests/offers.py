"""Candidates for tests of resolution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from oneiric.core.resolution import Candidate, Resolver, ResolverSettings

if TYPE_CHECKING:
    from oneiric.core.observers import Observers


def offer(provider: str | None = "redis", *, key: str = "cache", **fields: Any) -> Candidate:
    """Return a candidate of an adapter key."""
    return Candidate(**{"domain": "adapter", "key": key, "provider": provider, "factory": dict, **fields})


def resolver_of(*candidates: Candidate, selected: str | None = None, observers: Observers | None = None) -> Resolver:
    """Return a resolver of *candidates*, the one of provider *selected* preferred for the key cache."""
    selections = {"adapter": {"cache": selected}} if selected is not None else {}
    resolver = Resolver(ResolverSettings(selections=selections), observers=observers)
    for candidate in candidates:
        resolver.register(candidate)
    return resolver


def winner_of(resolver: Resolver, provider: str | None = None, **arguments: Any) -> str | None:
    """Return who wins the key cache."""
    candidate = resolver.resolve("adapter", "cache", provider, **arguments)
    return None if candidate is None else candidate.provider
