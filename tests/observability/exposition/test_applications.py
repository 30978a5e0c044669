"""An exposition mounted in a WSGI or an ASGI server."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest
from prometheus_client import CollectorRegistry, Counter

from oneiric.observability.exposition import OPENMETRICS_CONTENT_TYPE, TEXT_CONTENT_TYPE, Exposition, asgi_app, wsgi_app

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import WSGIApplication

    from oneiric.observability.exposition import Response
    from oneiric.observability.exposition.applications import Message


METRICS = b"# HELP swaps_total "
LANDING = b"<!DOCTYPE html>\n"


@pytest.fixture
def exposition() -> Exposition:
    """An exposition of one counter, wide enough to be compressed."""
    registry = CollectorRegistry()
    Counter("swaps", "Swaps, " + "x" * 2000, registry=registry).inc()
    return Exposition(registry)


def call_wsgi(app: WSGIApplication, **environ: str) -> tuple[str, dict[str, str], bytes]:
    """Return status, headers and body of a request to *app*, which must keep to PEP 3333."""
    started: list[tuple[str, dict[str, str]]] = []
    environment: dict[str, Any] = {"SCRIPT_NAME": "", "QUERY_STRING": ""} | environ
    setup_testing_defaults(environment)

    def start_response(status: str, headers: list[tuple[str, str]], _error: object = None) -> Any:
        started.append((status, dict(headers)))
        return lambda _data: None

    result: Any = validator(app)(environment, start_response)
    try:
        body = b"".join(result)
    finally:
        result.close()
    return *started[0], body


async def call_asgi(exposition: Exposition, scope: Message, *received: Message) -> list[Message]:
    """Return what the app sends in *scope* when it receives *received*."""
    incoming = iter(received)
    sent: list[Message] = []

    async def receive() -> Message:
        return next(incoming)

    async def send(message: Message) -> None:
        sent.append(message)

    await asgi_app(exposition)(scope, receive, send)
    return sent


def http_scope(path: str, *, headers: Iterable[tuple[bytes, bytes]] = (), **further: Any) -> Message:
    """Return the scope of a GET request."""
    return {"type": "http", "method": "GET", "path": path, "headers": list(headers)} | further


def messages(response: Response) -> list[Message]:
    """Return what ASGI sends for *response*."""
    headers = [(name.lower().encode(), value.encode()) for name, value in response.headers]
    return [
        {"type": "http.response.start", "status": response.status, "headers": headers},
        {"type": "http.response.body", "body": response.body},
    ]


def test_wsgi_serves_the_exposition(exposition: Exposition) -> None:
    """The WSGI app answers what the exposition responds."""
    status, headers, body = call_wsgi(wsgi_app(exposition), PATH_INFO="/metrics")
    assert (status, headers["Content-Type"]) == ("200 OK", TEXT_CONTENT_TYPE)
    assert b"swaps_total 1.0" in body


def test_wsgi_negotiates(exposition: Exposition) -> None:
    """The WSGI app passes on what the client accepts."""
    _, headers, _ = call_wsgi(
        wsgi_app(exposition),
        PATH_INFO="/metrics",
        HTTP_ACCEPT="application/openmetrics-text",
        HTTP_ACCEPT_ENCODING="gzip",
    )
    assert (headers["Content-Type"], headers["Content-Encoding"]) == (OPENMETRICS_CONTENT_TYPE, "gzip")


def test_wsgi_restricts_the_samples(exposition: Exposition) -> None:
    """The WSGI app passes on which names are wanted."""
    _, _, body = call_wsgi(wsgi_app(exposition), PATH_INFO="/metrics", QUERY_STRING="name[]=nothing")
    assert body == b""


async def test_asgi_restricts_the_samples(exposition: Exposition) -> None:
    """The ASGI app passes on which names are wanted."""
    sent = await call_asgi(exposition, http_scope("/metrics", query_string=b"name%5B%5D=nothing"))
    assert sent[1]["body"] == b""


async def test_asgi_answers_in_time() -> None:
    """A rendering that hangs is given up, and nobody else is held up by it."""
    gate = threading.Event()

    class Hanging(CollectorRegistry):
        def collect(self) -> Iterable[Any]:
            gate.wait(120)
            return []

    exposition = Exposition(Hanging(), timeout=0.05)
    page = await call_asgi(exposition, http_scope("/metrics"))
    alive = await call_asgi(exposition, http_scope("/livez"))
    gate.set()
    assert [(sent[0]["status"], sent[1]["body"]) for sent in (page, alive)] == [
        (503, b"the metrics could not be collected in time\n"),
        (200, b"ok\n"),
    ]


def test_wsgi_answers_head_without_a_body(exposition: Exposition) -> None:
    """The WSGI app sends no body for HEAD."""
    status, headers, body = call_wsgi(wsgi_app(exposition), PATH_INFO="/metrics", REQUEST_METHOD="HEAD")
    assert (status, int(headers["Content-Length"]) > 0, body) == ("200 OK", True, b"")


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"PATH_INFO": "/livez"}, b"ok\n"),
        ({"PATH_INFO": "/livez", "SCRIPT_NAME": "/internal"}, b"ok\n"),
        ({"PATH_INFO": "/livez", "QUERY_STRING": "verbose=1"}, b"ok\n"),
        ({"PATH_INFO": "/metrics"}, METRICS),
        ({"PATH_INFO": "/metrics/"}, METRICS),
        ({"PATH_INFO": "", "SCRIPT_NAME": "/metrics"}, METRICS),
        ({"PATH_INFO": "/", "SCRIPT_NAME": "/metrics"}, METRICS),
        ({"PATH_INFO": "/metrics", "SCRIPT_NAME": "/internal"}, METRICS),
        ({"PATH_INFO": "/"}, LANDING),
        ({"PATH_INFO": "/internal/livez"}, b"not found\n"),
        ({"PATH_INFO": "/livez", "REQUEST_METHOD": "POST"}, b"method not allowed\n"),
        ({"PATH_INFO": "/", "SCRIPT_NAME": "/metrics", "REQUEST_METHOD": "POST"}, b"method not allowed\n"),
    ],
)
def test_wsgi_answers_below_its_mount_point(exposition: Exposition, environ: dict[str, str], expected: bytes) -> None:
    """What counts is the path below SCRIPT_NAME, which has the metrics itself; the query does not count."""
    assert call_wsgi(wsgi_app(exposition), **environ)[2].startswith(expected)


def test_wsgi_answers_an_empty_path_at_the_root_of_a_server(exposition: Exposition) -> None:
    """A server that knows neither a script's name nor a path means its root."""
    environ: dict[str, Any] = {"REQUEST_METHOD": "GET"}
    assert b"".join(wsgi_app(exposition)(environ, lambda *_: lambda _data: None)).startswith(LANDING)


async def test_asgi_serves_the_exposition(exposition: Exposition) -> None:
    """The ASGI app sends exactly what the exposition responds, header names in lower case."""
    sent = await call_asgi(exposition, http_scope("/metrics", query_string=b"x=1"))
    assert sent == messages(exposition.respond(method="GET", path="/metrics"))


async def test_asgi_negotiates(exposition: Exposition) -> None:
    """The ASGI app passes on what the client accepts, in one header or in several."""
    accept = [(b"accept", b"text/plain;q=0.1"), (b"Accept", b"application/openmetrics-text")]
    sent = await call_asgi(exposition, http_scope("/metrics", headers=[*accept, (b"accept-encoding", b"gzip")]))
    expected = exposition.respond(
        method="GET", path="/metrics", accept="application/openmetrics-text", accept_encoding="gzip"
    )
    assert sent == messages(expected)


async def test_asgi_answers_head_without_a_body(exposition: Exposition) -> None:
    """The ASGI app sends no body for HEAD."""
    sent = await call_asgi(exposition, http_scope("/metrics", method="HEAD"))
    assert (sent[0]["status"], sent[1]["body"]) == (200, b"")


@pytest.mark.parametrize(
    ("path", "root_path", "expected"),
    [
        ("/livez", "", b"ok\n"),
        ("/internal/livez", "/internal", b"ok\n"),
        ("/internal/livez", "/internal/", b"ok\n"),
        ("/livez", "/internal", b"ok\n"),
        ("/livez", "/live", b"ok\n"),
        ("/internal/livez", "/proxied/internal", b"ok\n"),
        ("/metrics", "", METRICS),
        ("/metrics/", "", METRICS),
        ("/metrics", "/metrics", METRICS),
        ("/metrics/", "/metrics", METRICS),
        ("/metrics/", "/proxied/metrics", METRICS),
        ("/internal/page/", "/proxied/internal/page", METRICS),
        ("/", "/metrics", METRICS),
        ("", "/metrics", METRICS),
        ("/internal/metrics", "/internal", METRICS),
        ("/", "", LANDING),
        ("/", "/", LANDING),
        ("/internal/livez", "", b"not found\n"),
        ("/internal/livez", "/intern", b"not found\n"),
        ("/metrics/livez/x", "/metrics", b"not found\n"),
    ],
)
async def test_asgi_answers_below_its_mount_point(
    exposition: Exposition, path: str, root_path: str, expected: bytes
) -> None:
    """What counts is the path below the root path, which has the metrics itself.

    The path includes all of the root path, nothing of it, or what follows the prefix that a proxy took off.
    """
    sent = await call_asgi(exposition, http_scope(path, root_path=root_path))
    assert sent[1]["body"].startswith(expected)


@pytest.mark.parametrize("path", ["/metrics", "/readyz"])
async def test_asgi_computes_beside_the_loop(path: str) -> None:
    """Collectors and the readiness check run in another thread than the loop."""
    threads: list[threading.Thread] = []

    class Noting(CollectorRegistry):
        def collect(self) -> Iterable[Any]:
            threads.append(threading.current_thread())
            return []

    def ready() -> bool:
        threads.append(threading.current_thread())
        return True

    await call_asgi(Exposition(Noting(), ready=ready), http_scope(path))
    assert len(threads) == 1
    assert threads[0] is not threading.current_thread()


async def test_asgi_answers_lifespan(exposition: Exposition) -> None:
    """Start and stop of the host's server are acknowledged."""
    received: list[Message] = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent = await call_asgi(exposition, {"type": "lifespan"}, *received)
    assert sent == [{"type": "lifespan.startup.complete"}, {"type": "lifespan.shutdown.complete"}]


async def test_asgi_refuses_a_websocket(exposition: Exposition) -> None:
    """A WebSocket is closed before it is accepted, which its server answers 403."""
    sent = await call_asgi(exposition, {"type": "websocket", "path": "/metrics"})
    assert sent == [{"type": "websocket.close"}]


async def test_asgi_refuses_an_unknown_protocol(exposition: Exposition) -> None:
    """Another scope is an error, by which a server learns that it is not supported."""
    with pytest.raises(ValueError, match="'carrier-pigeon': only http, lifespan and websocket"):
        await call_asgi(exposition, {"type": "carrier-pigeon"})
