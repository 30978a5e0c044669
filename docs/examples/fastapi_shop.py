"""A shop with FastAPI: the runtime lives as long as the application, and /metrics is mounted in it."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI
from prometheus_client import Counter

from oneiric import Candidate, OneiricSettings, RuntimeOrchestrator
from oneiric.observability import asgi_app

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class FixedPrices:
    """Prices that stand in the code; another provider may ask a database."""

    def of(self, item: str) -> int:
        """Return the price of *item*."""
        return 10 * len(item)

    async def health(self) -> bool:
        """Return whether there are prices."""
        return True


# The application serves the metrics itself, so the runtime need not.
settings = OneiricSettings(app={"name": "shop"}, observability={"metrics_server": False})
runtime = RuntimeOrchestrator(settings)
runtime.resolver.register(Candidate(domain="adapter", key="prices", provider="fixed", factory=FixedPrices))
telemetry = runtime.telemetry
assert telemetry is not None  # it is, unless the settings switch it off

# A metric of the application's own: on the same page, but of this process alone.
orders = Counter("shop_orders_total", "Orders taken.", ["item"], registry=telemetry.registry)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Run the runtime while the application runs."""
    async with runtime:
        yield


app = FastAPI(lifespan=lifespan)
app.mount("/metrics", asgi_app(telemetry.exposition(ready=lambda: runtime.ready)))


@app.post("/orders/{item}")
async def order(item: str) -> dict[str, int]:
    """Take an order: each one resolves who has the prices."""
    prices = await runtime.adapter_bridge.use("prices")
    orders.labels(item).inc()
    return {"price": prices.instance.of(item), "worker": os.getpid()}
