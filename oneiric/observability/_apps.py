"""WSGI and ASGI apps that serve an exposition from one's own server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, MutableMapping
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from oneiric.observability.exposition import Exposition, Response

Message: TypeAlias = "MutableMapping[str, Any]"
Receive: TypeAlias = "Callable[[], Awaitable[Message]]"
Send: TypeAlias = "Callable[[Message], Awaitable[None]]"
ASGIApplication: TypeAlias = "Callable[[Message, Receive, Send], Awaitable[None]]"


def wsgi_app(exposition: Exposition) -> WSGIApplication:
    """Return a WSGI app (PEP 3333) with the three paths of *exposition* below wherever it is mounted."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        response = exposition.respond(
            method=environ["REQUEST_METHOD"],
            path=environ.get("PATH_INFO", ""),
            query=environ.get("QUERY_STRING", ""),
            accept=environ.get("HTTP_ACCEPT", ""),
            accept_encoding=environ.get("HTTP_ACCEPT_ENCODING", ""),
        )
        start_response(f"{response.status} {response.reason}", list(response.headers))
        return [response.body]

    return app


def asgi_app(exposition: Exposition) -> ASGIApplication:
    """Return an ASGI 3 app with the three paths of *exposition* below wherever it is mounted.

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
    path, accept = _relative_path(scope), _header(scope, b"accept")
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


def _relative_path(scope: Message) -> str:
    path, root = str(scope["path"]), str(scope.get("root_path", "")).rstrip("/")
    # Servers differ in whether the path includes the root path, so only a whole leading segment is taken off.
    return path.removeprefix(root) if f"{path}/".startswith(f"{root}/") else path


def _header(scope: Message, name: bytes) -> str:
    values: Iterable[bytes] = (value for key, value in scope.get("headers", ()) if key.lower() == name)
    return b", ".join(values).decode("latin-1")
