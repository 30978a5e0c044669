"""A shop with Flask under gunicorn: telemetry is attached in each worker, after the fork."""

from __future__ import annotations

import os

from flask import Flask
from prometheus_client import Counter
from prometheus_client.multiprocess import MultiProcessCollector
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from oneiric import Candidate, Resolver
from oneiric.observability import attach, wsgi_app

app = Flask(__name__)
resolver = Resolver()
resolver.register(Candidate(domain="adapter", key="prices", provider="fixed", factory=dict))

# A metric of the application's own. With PROMETHEUS_MULTIPROC_DIR prometheus_client keeps it in files of its own.
orders = Counter("shop_orders_total", "Orders taken.", ["item"])


def start_telemetry() -> None:
    """Attach to the resolver and mount the metrics; called in each worker by flask_shop_gunicorn.py."""
    telemetry = attach(resolver)
    MultiProcessCollector(telemetry.registry)  # reads the files of all workers
    app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/metrics": wsgi_app(telemetry.exposition())})  # type: ignore[method-assign]


@app.post("/orders/<item>")
def order(item: str) -> dict[str, int]:
    """Take an order: each one resolves who has the prices."""
    resolver.resolve("adapter", "prices")
    orders.labels(item).inc()
    return {"price": 10 * len(item), "worker": os.getpid()}
