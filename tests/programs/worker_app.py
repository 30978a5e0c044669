"""An application for servers that run several workers: ``/hit`` resolves once, everything else is about the metrics.

Its settings name no shared directory: only the environment does.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oneiric import Candidate, OneiricSettings, RuntimeOrchestrator
from oneiric.observability import asgi_app, wsgi_app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

TEXT = ("Content-Type", "text/plain")

runtime = RuntimeOrchestrator(
    OneiricSettings(
        cache_dir=Path(os.environ["APP_STATE"], str(os.getpid())),
        observability={"metrics_server": False, "probe_interval": None},
    )
)
runtime.resolver.register(Candidate(domain="adapter", key="cache", provider="memory", factory=dict))
assert runtime.telemetry is not None
exposition = runtime.telemetry.exposition()
wsgi_metrics, asgi_metrics = wsgi_app(exposition), asgi_app(exposition)


def wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer a request of WSGI."""
    if environ["PATH_INFO"] != "/hit":
        return wsgi_metrics(environ, start_response)
    runtime.resolver.resolve("adapter", "cache")
    start_response("200 OK", [TEXT])
    return [b"hit"]


async def asgi(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer a request of ASGI."""
    if scope["path"] != "/hit":
        await asgi_metrics(scope, receive, send)
        return
    runtime.resolver.resolve("adapter", "cache")
    headers = [tuple(part.encode() for part in TEXT)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"hit"})
