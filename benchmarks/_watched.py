"""Resolvers to measure, their telemetry, and the page that shows what it counted."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from oneiric.core.events import Resolved
from oneiric.core.resolution import Candidate, Resolver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from oneiric.core.observers import Observers
    from oneiric.observability import Telemetry
    from oneiric.observability.model import Metric

DOMAIN = "adapter"
FASTEST = 0.000_002
"""Seconds; less than the least bucket, so that an observation changes every line of its histogram."""


def resolver_of(
    keys: Iterable[str],
    providers: Iterable[str] = ("redis",),
    *,
    factory: Callable[[], Any] = dict,
    observers: Observers | None = None,
) -> Resolver:
    """Return a resolver that has a candidate of each of *providers* for each of *keys*."""
    resolver = Resolver(observers=observers)
    names = list(providers)
    for key in keys:
        for provider in names:
            resolver.register(Candidate(domain=DOMAIN, key=key, provider=provider, factory=factory))
    return resolver


def resolved(key: str, provider: str = "redis", *, duration: float = FASTEST) -> Resolved:
    """Return that *provider* was selected for *key* in *duration* seconds."""
    return Resolved(domain=DOMAIN, key=key, provider=provider, duration=duration, candidates=1, shadowed=0)


def page(telemetry: Telemetry) -> bytes:
    """Render the page of /metrics now, with all that was reported until now."""
    response = telemetry.exposition().respond(method="GET", path="/metrics")
    if response.status != HTTPStatus.OK:
        raise AssertionError(f"no page but {response.status}")
    return response.body


def require_counted(telemetry: Telemetry, metric: Metric, expected: int, *, where: str = "") -> None:
    """Raise AssertionError unless the samples of *metric* that have the label *where* are *expected* together."""
    pattern = rf"^{metric.name}\{{[^}}]*{where}[^}}]*\}} (\S+)$"
    counted = sum(float(value) for value in re.findall(pattern, page(telemetry).decode(), re.MULTILINE))
    if counted != expected:
        raise AssertionError(f"{metric.name} is {counted:g} where it should be {expected}")
