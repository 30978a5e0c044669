"""WSGI and ASGI apps that serve an exposition from one's own server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeAlias

from oneiric.observability.exposition.responses import LANDING_PATH, METRICS_PATH

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, MutableMapping
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from oneiric.observability.exposition.exposition import Exposition
    from oneiric.observability.exposition.responses import Response

Message: TypeAlias = "MutableMapping[str, Any]"
Receive: TypeAlias = "Callable[[], Awaitable[Message]]"
Send: TypeAlias = "Callable[[Message], Awaitable[None]]"
ASGIApplication: TypeAlias = "Callable[[Message, Receive, Send], Awaitable[None]]"


def wsgi_app(exposition: Exposition) -> WSGIApplication:
    """Return a WSGI app (PEP 3333) that serves *exposition*.

    Mounted at a path, it answers that path with the metrics, with a slash at its end or without: mount it at
    ``/metrics``. It is mounted where SCRIPT_NAME is not empty. Elsewhere, at the root of a server, it answers what
    the metrics server answers: ``/metrics``, ``/livez``, ``/readyz`` and ``/``. All but the last answer below a mount,
    too.
    """

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        response = exposition.respond(
            method=environ["REQUEST_METHOD"],
            path=_served_path(environ.get("SCRIPT_NAME", ""), environ.get("PATH_INFO", "")),
            query=environ.get("QUERY_STRING", ""),
            accept=environ.get("HTTP_ACCEPT", ""),
            accept_encoding=environ.get("HTTP_ACCEPT_ENCODING", ""),
        )
        start_response(f"{response.status} {response.reason}", list(response.headers))
        return [response.body]

    return app


def asgi_app(exposition: Exposition) -> ASGIApplication:
    """Return an ASGI 3 app that serves *exposition*.

    Mounted at a path, it answers that path with the metrics, with a slash at its end or without: mount it at
    ``/metrics``. It is mounted where ``root_path`` is not empty. Elsewhere, at the root of a server, it answers what
    the metrics server answers: ``/metrics``, ``/livez``, ``/readyz`` and ``/``. All but the last answer below a mount,
    too.

    Exposition and readiness are computed in threads of their own, so that the loop is not held up. A
    WebSocket is refused, the lifespan protocol is answered; any other scope is a ValueError, as ASGI has it.
    """

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "http":
            await _http(exposition, scope, send)
        elif kind == "lifespan":
            await _lifespan(receive, send)
        elif kind == "websocket":
            await send({"type": "websocket.close"})
        else:
            raise ValueError(f"ASGI scope type {str(kind)[:80]!r}: only http, lifespan and websocket are known")

    return app


async def _http(exposition: Exposition, scope: Message, send: Send) -> None:
    response = await _respond(exposition, scope)
    body = b"" if scope["method"] == "HEAD" else response.body
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _respond(exposition: Exposition, scope: Message) -> Response:
    root = str(scope.get("root_path", ""))
    path, accept = _served_path(root, _path_below(root, str(scope["path"]))), _header(scope, b"accept")
    answer = exposition.submit(
        method=scope["method"],
        path=path,
        query=scope.get("query_string", b"").decode("latin-1"),
        accept=accept,
        accept_encoding=_header(scope, b"accept-encoding"),
    )
    try:
        return await asyncio.wait_for(asyncio.wrap_future(answer), exposition.timeout)
    except Exception as error:  # noqa: BLE001 - isolation is the job: foreign code was called
        return exposition.failed(error, path=path)


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


def _served_path(root: str, path: str) -> str:
    """Return the exposition's path for *path* below the mount point *root*, whose own page is the metrics."""
    if path not in {"", "/"}:
        return path
    return METRICS_PATH if root.strip("/") else LANDING_PATH


def _path_below(root: str, path: str) -> str:
    """Return *path* without *root*, or without the part of it that *path* begins with.

    Servers and frameworks differ in how much of the root path the path includes: all of it, nothing, or only what
    follows the prefix that a proxy took off.
    """
    root = root.rstrip("/")
    while root and not f"{path}/".startswith(f"{root}/"):
        _, slash, rest = root[1:].partition("/")
        root = slash + rest
    return path.removeprefix(root)


def _header(scope: Message, name: bytes) -> str:
    values: Iterable[bytes] = (value for key, value in scope.get("headers", ()) if key.lower() == name)
    return b", ".join(values).decode("latin-1")
