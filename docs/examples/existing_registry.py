"""An application that has metrics already: Oneiric's join them in the registry that it exposes."""

from __future__ import annotations

from flask import Flask
from prometheus_client import REGISTRY, Counter, make_wsgi_app
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from oneiric import Candidate, Resolver
from oneiric.observability import attach

app = Flask(__name__)
orders = Counter("shop_orders_total", "Orders taken.", ["item"])
app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/metrics": make_wsgi_app()})  # type: ignore[method-assign]

resolver = Resolver()
telemetry = attach(resolver, registry=REGISTRY)  # with a runtime: REGISTRY.register(runtime.telemetry.collector)
resolver.register(Candidate(domain="adapter", key="prices", provider="fixed", factory=dict))


@app.post("/orders/<item>")
def order(item: str) -> dict[str, int]:
    """Take an order: each one resolves who has the prices."""
    resolver.resolve("adapter", "prices")
    orders.labels(item).inc()
    return {"price": 10 * len(item)}
