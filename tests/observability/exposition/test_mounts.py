"""The WSGI and ASGI apps where others mount them: as prometheus_client's own apps, which are asked the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import httpx
import pytest
from fastapi import FastAPI
from flask import Flask
from prometheus_client import CollectorRegistry, Counter, make_asgi_app, make_wsgi_app
from starlette.applications import Starlette
from starlette.routing import Mount
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

from oneiric.observability import Exposition, asgi_app, wsgi_app

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp

    Host: TypeAlias = Callable[[str, ASGIApp], ASGIApp]

SAMPLE = "swaps_total 1.0"


@pytest.fixture
def registry() -> CollectorRegistry:
    """A registry with one counter."""
    registry = CollectorRegistry()
    Counter("swaps", "Swaps.", registry=registry).inc()
    return registry


def starlette(path: str, app: ASGIApp) -> ASGIApp:
    """Return an application of Starlette's with *app* at *path*."""
    return Starlette(routes=[Mount(path, app)])


def fastapi(path: str, app: ASGIApp) -> ASGIApp:
    """Return an application of FastAPI's with *app* at *path*."""
    host = FastAPI()
    host.mount(path, app)
    return host


def twice(path: str, app: ASGIApp) -> ASGIApp:
    """Return an application with *app* at the last segment of *path* in an application at those before it."""
    outer, _, inner = path.rpartition("/")
    return starlette(outer, starlette(f"/{inner}", app)) if outer else starlette(path, app)


async def fetched(app: ASGIApp, path: str, *, prefix: str = "") -> tuple[int, bool]:
    """Return the status that *app* answers for *path*, and whether the sample is there; redirections are followed.

    The application knows that a proxy takes *prefix* off every path.
    """
    transport = httpx.ASGITransport(app, root_path=prefix)
    async with httpx.AsyncClient(transport=transport, base_url="http://shop", follow_redirects=True) as client:
        response = await client.get(path)
    return response.status_code, SAMPLE in response.text


@pytest.mark.parametrize("path", ["/metrics", "/metrics/", "/internal/prometheus", "/internal/prometheus/"])
@pytest.mark.parametrize("host", [starlette, fastapi, twice])
async def test_an_asgi_mount_is_the_page(host: Host, registry: CollectorRegistry, path: str) -> None:
    """Where an ASGI application mounts the app there are the metrics, with a slash after it or without."""
    mounted = path.rstrip("/")
    theirs, ours = make_asgi_app(registry), asgi_app(Exposition(registry))
    assert await fetched(host(mounted, theirs), path) == (200, True)
    assert await fetched(host(mounted, ours), path) == (200, True)


@pytest.mark.parametrize("path", ["/metrics/", "/internal/prometheus/"])
@pytest.mark.parametrize("host", [starlette, fastapi])
async def test_an_asgi_mount_behind_a_proxy_is_the_page(host: Host, registry: CollectorRegistry, path: str) -> None:
    """A prefix that a proxy took off the path, but which the root path has, is not in the way."""
    mounted = path.rstrip("/")
    assert await fetched(host(mounted, make_asgi_app(registry)), path, prefix="/shop") == (200, True)
    assert await fetched(host(mounted, asgi_app(Exposition(registry))), path, prefix="/shop") == (200, True)


@pytest.mark.parametrize("path", ["/metrics", "/metrics/", "/internal/prometheus", "/internal/prometheus/"])
def test_a_wsgi_mount_is_the_page(registry: CollectorRegistry, path: str) -> None:
    """Where Flask's dispatcher mounts the app there are the metrics, with a slash after it or without."""
    for app in (make_wsgi_app(registry), wsgi_app(Exposition(registry))):
        host = DispatcherMiddleware(Flask("shop"), {path.rstrip("/"): app})
        response = Client(host).get(path)
        assert (response.status_code, SAMPLE in response.text) == (200, True)


@pytest.mark.parametrize(
    ("path", "expected"), [("/metrics/metrics", 200), ("/metrics/livez", 200), ("/metrics/x", 404)]
)
async def test_the_other_paths_answer_below_a_mount(registry: CollectorRegistry, path: str, expected: int) -> None:
    """Probes, and the metrics at the path that they once had, are found below a mount; nothing else is."""
    exposition = Exposition(registry)
    flask = DispatcherMiddleware(Flask("shop"), {"/metrics": wsgi_app(exposition)})
    assert Client(flask).get(path).status_code == expected
    for host in (starlette, fastapi):
        assert (await fetched(host("/metrics", asgi_app(exposition)), path))[0] == expected
