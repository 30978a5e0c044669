"""What the shop brings: candidates for an entry point or ``--import shop``, and those that reach into the runtime."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from oneiric import Candidate
from shop.caches import FileCache, FileCacheSettings, MemoryCache
from shop.handlers import Journal, JournalSettings, Stock, Totals, TotalsSettings
from shop.orders import PAID
from shop.payments import Payments, SpoolSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from oneiric import Resolver, RuntimeOrchestrator
    from oneiric.domains.base import DomainBridge


def candidates() -> list[Candidate]:
    """Return what needs neither settings nor other components."""
    return [
        Candidate(domain="adapter", key="cache", provider="memory", factory=MemoryCache, priority=1),
        Candidate(domain="event", key="stock", provider="counter", factory=Stock, metadata={"topics": [PAID]}),
    ]


def register(resolver: Resolver) -> None:
    """Register what needs neither settings nor other components."""
    for candidate in candidates():
        resolver.register(candidate)


def connect(runtime: RuntimeOrchestrator) -> None:
    """Register what has settings, and the service, which uses the others through *runtime*."""
    add(runtime.adapter_bridge, "cache", "file", FileCacheSettings, FileCache)
    add(runtime.event_bridge, "receipt", "journal", JournalSettings, Journal, topics=[PAID])
    add(runtime.task_bridge, "report", "totals", TotalsSettings, Totals)
    add(runtime.service_bridge, "payments", "spool", SpoolSettings, partial(Payments.opened, runtime))


def add(  # noqa: PLR0913, PLR0917 - what a candidate is made of
    bridge: DomainBridge,
    key: str,
    provider: str,
    model: Callable[..., Any],
    make: Callable[[Any], Any],
    topics: list[str] | None = None,
) -> None:
    """Register a candidate for *key* whose factory gives *make* the settings of *provider*, parsed by *model*."""
    bridge.register_settings_model(provider, model)
    bridge.resolver.register(
        Candidate(
            domain=bridge.domain,
            key=key,
            provider=provider,
            factory=lambda: make(bridge.get_settings(provider)),
            metadata={"topics": topics} if topics else {},
        )
    )
