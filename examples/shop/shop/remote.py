"""What the manifest brings: it names the factories here, which ``ONEIRIC_FACTORY_ALLOWLIST`` must allow."""

from __future__ import annotations

from shop.caches import BoundedCache


def bounded_cache() -> BoundedCache:
    """Make a cache that keeps what was used last."""
    return BoundedCache()
