"""One HTTP request and its response on a connected socket, bounded in bytes and in time.

A connection carries one request (RFC 9112): scrapes are further apart than an idle connection may usefully be held, and
so no connection occupies a place while nothing is asked on it.
"""

from __future__ import annotations

import re
import socket
import time
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from oneiric.observability.exposition import error_response

if TYPE_CHECKING:
    from oneiric.observability.exposition import Exposition, Response

LINGER_SECONDS: Final = 1.0
"""How long a client may take to read and close after it was answered."""

_CHUNK_BYTES: Final = 4096
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_NAME_CHARS = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_REQUEST_LINE = re.compile(rf"({_NAME_CHARS}) (\S+) HTTP/([0-9])\.[0-9]")
_HEADER_NAME = re.compile(_NAME_CHARS)
_ORIGIN = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")


class BadRequestError(Exception):
    """A request that is refused before anybody looks at what it asks for."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


def exchange(connection: socket.socket, exposition: Exposition, *, timeout: float, max_header_bytes: int) -> None:
    """Read a request from *connection*, send what *exposition* answers, and wait for the client to have read it.

    Args:
        connection: A connected socket; left open.
        exposition: Asked unless the request is malformed, too long or too slow, which is answered here.
        timeout: Seconds for the whole request to arrive, and again for the whole response to be taken.
        max_header_bytes: Longest request line with headers and the empty line that ends them.

    Raises:
        OSError: When the client went away or did not take the response in time.
    """
    try:
        head = _read_head(connection, timeout=timeout, limit=max_header_bytes)
        if head is None:
            return
        response = _respond(exposition, head)
    except BadRequestError as error:
        response = error_response(error.status)
    connection.settimeout(timeout)
    connection.sendall(serialize(response))
    _linger(connection)


def serialize(response: Response) -> bytes:
    """Return *response* as it goes over the wire, the last one of its connection."""
    headers = (*response.headers, ("Date", formatdate(usegmt=True)), ("Connection", "close"))
    lines = [f"HTTP/1.1 {response.status} {response.reason}", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("latin-1") + response.body


def _read_head(connection: socket.socket, *, timeout: float, limit: int) -> bytes | None:
    received = b""
    deadline = time.monotonic() + timeout
    while (end := _HEAD_END.search(received)) is None:
        if len(received) >= limit:
            raise BadRequestError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        chunk = _receive(connection, deadline)
        if not chunk:
            return None
        received += chunk
    if end.end() > limit:
        raise BadRequestError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
    return received[: end.start()]


def _receive(connection: socket.socket, deadline: float) -> bytes:
    # The bound is on the whole request: a byte now and then buys a slow client no further time.
    remaining = deadline - time.monotonic()
    if remaining <= 0:
        raise BadRequestError(HTTPStatus.REQUEST_TIMEOUT)
    connection.settimeout(remaining)
    try:
        return connection.recv(_CHUNK_BYTES)
    except TimeoutError:
        raise BadRequestError(HTTPStatus.REQUEST_TIMEOUT) from None


def _respond(exposition: Exposition, head: bytes) -> Response:
    request_line, *header_lines = head.decode("latin-1").replace("\r\n", "\n").split("\n")
    matched = _REQUEST_LINE.fullmatch(request_line)
    if matched is None:
        raise BadRequestError(HTTPStatus.BAD_REQUEST)
    method, target, version = matched.groups()
    if version != "1":
        raise BadRequestError(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED)
    headers = _headers(header_lines)
    return exposition.respond(
        method=method,
        path=_path(target),
        accept=headers.get("accept", ""),
        accept_encoding=headers.get("accept-encoding", ""),
    )


def _path(target: str) -> str:
    path = target.split("?", 1)[0]
    return path if path.startswith("/") else _ORIGIN.sub("", path, count=1)


def _headers(lines: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not (colon and _HEADER_NAME.fullmatch(name)):
            raise BadRequestError(HTTPStatus.BAD_REQUEST)
        name = name.lower()
        headers[name] = f"{headers[name]}, {value.strip()}" if name in headers else value.strip()
    return headers


def _linger(connection: socket.socket) -> None:
    # To close while something unread is left, a body for instance, resets the connection and may destroy the response.
    connection.shutdown(socket.SHUT_WR)
    deadline = time.monotonic() + LINGER_SECONDS
    try:
        while _receive(connection, deadline):
            pass
    except BadRequestError:
        return
