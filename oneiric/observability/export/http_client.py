"""Send a request over HTTP whose time and answer are bounded, whatever the other side does."""

from __future__ import annotations

import io
import os
import re
import selectors
import socket
import ssl
from base64 import b64encode
from contextlib import closing, suppress
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote, urlsplit

from oneiric._version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from oneiric.observability.export.deadline import Deadline

MAX_REPLY_BYTES = 64 * 1024
"""Of a longer answer the rest is left unread."""
CONNECT_SECONDS = 3.0
"""Longest that one address of a host is tried."""

T = TypeVar("T")
_REDIRECTS = range(300, 400)
_PORTS = {"http": 80, "https": 443}
_TARGET = re.compile(r"[!-~]*")
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)\0([\t -~\x80-\xff]*)")


@dataclass(frozen=True, slots=True)
class Url:
    """Where requests go.

    Attributes:
        host: Name or address, without brackets.
        secure: Whether it is spoken to over TLS.
        path: What stands in the request line, with the query.
        authorization: The Authorization header that user name and password make, or ""; not in the representation.
    """

    host: str
    port: int
    secure: bool
    path: str
    authorization: str = field(repr=False)

    @property
    def authority(self) -> str:
        """Host and port, as in a Host header; without credentials."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def origin(self) -> str:
        """Scheme, host and port, for messages; without credentials and path."""
        return f"{'https' if self.secure else 'http'}://{self.authority}"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; ``retry_after`` is seconds, 0 where nothing usable was said."""

    status: int
    body: bytes
    retry_after: float


def parse_url(text: str, *, what: str) -> Url:
    """Return *text* as a URL; ValueError, which names *what* it is and never quotes it, where it is none of HTTP."""
    try:
        parts = urlsplit(text)
        port = parts.port
        host = (parts.hostname or "").encode("idna").decode()
    except ValueError:
        raise ValueError(f"{what}: not a URL") from None
    if parts.scheme not in _PORTS or not host or not _TARGET.fullmatch(host + parts.path + parts.query):
        raise ValueError(f"{what}: http://host:port or https://host:port expected")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Url(
        host, port or _PORTS[parts.scheme], parts.scheme == "https", path, _basic(parts.username, parts.password)
    )


def check_headers(headers: Mapping[str, str], *, what: str) -> None:
    """Raise a ValueError that names *what* and quotes no value if *headers* cannot be sent."""
    for name, value in headers.items():
        if not _HEADER.fullmatch(f"{name}\0{value}"):
            raise ValueError(f"{what}: header {name!r:.80} has a name or value that HTTP does not allow")


def request(  # noqa: PLR0913 - what a request has
    method: str,
    url: Url,
    body: bytes,
    *,
    headers: Mapping[str, str],
    deadline: Deadline,
    tls: ssl.SSLContext | None = None,
) -> Reply:
    """Send *body* and return the answer, of which :data:`MAX_REPLY_BYTES` are read at most; follow no redirect.

    The deadline holds for all of it, but for the look-up of the host's name, which the system bounds.

    Raises:
        OSError: There was no connection, no answer before the deadline, or one that is no HTTP; it names the host.
    """
    try:
        with closing(_connect(url, deadline)) as plain, closing(_secured(plain, url, tls, deadline)) as connection:
            wire = _Wire(connection, deadline)
            with suppress(BrokenPipeError, ConnectionResetError):  # who refuses a request may answer before it was read
                wire.sendall(_head(method, url, headers, len(body)))
                wire.sendall(body)
            return _answer(wire, method)
    except OSError as error:
        _name_host(error, url)
        raise


def redirected(status: int) -> str:
    """Return what to do about *status* where it is a redirect, which :func:`request` does not follow; else ""."""
    return "; redirects are not followed, set the address that it redirects to" if status in _REDIRECTS else ""


def _name_host(error: OSError, url: Url) -> None:
    """Let the text of *error*, whose type stays, begin with the host that it is about."""
    text = f"{url.origin}: {error.strerror or error}"
    if error.errno is None:
        error.args = (text,)
    else:
        error.strerror = text


class _Wire(io.RawIOBase):
    """A connected socket as a raw stream; every operation ends at the deadline with a TimeoutError."""

    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        self._connection = connection
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return _patiently(self._connection, self._deadline, lambda: self._connection.recv_into(buffer))

    def sendall(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            piece = rest
            rest = rest[_patiently(self._connection, self._deadline, lambda: self._connection.send(piece)) :]  # noqa: B023 - called at once

    def makefile(self, _: str) -> io.BufferedReader:
        """Return a reader, as HTTPResponse asks a socket for one."""
        return io.BufferedReader(self)


def _patiently(connection: socket.socket, deadline: Deadline, work: Callable[[], T]) -> T:
    while True:
        connection.settimeout(deadline.step())
        with suppress(TimeoutError):
            return work()


def _connect(url: Url, deadline: Deadline) -> socket.socket:
    failure: OSError = ConnectionError("the host has no address")
    for family, kind, protocol, _, address in socket.getaddrinfo(url.host, url.port, type=socket.SOCK_STREAM):
        connection = socket.socket(family, kind, protocol)
        try:
            _connect_to(connection, address, deadline.within(CONNECT_SECONDS))
        except OSError as error:
            connection.close()
            failure = error
        except BaseException:
            connection.close()
            raise
        else:
            return connection
    raise failure


def _connect_to(connection: socket.socket, address: Any, deadline: Deadline) -> None:
    connection.setblocking(False)  # noqa: FBT003 - the standard library's signature
    with suppress(BlockingIOError):
        connection.connect(address)
        return
    with selectors.DefaultSelector() as selector:
        selector.register(connection, selectors.EVENT_WRITE)
        while not selector.select(deadline.step()):
            pass
    if number := connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        raise OSError(number, f"cannot connect: {os.strerror(number)}")


def _secured(plain: socket.socket, url: Url, tls: ssl.SSLContext | None, deadline: Deadline) -> socket.socket:
    if not url.secure:
        return plain
    context = tls or ssl.create_default_context()
    connection = context.wrap_socket(plain, server_hostname=url.host, do_handshake_on_connect=False)
    try:
        _patiently(connection, deadline, connection.do_handshake)
    except BaseException:
        connection.close()
        raise
    return connection


def _head(method: str, url: Url, headers: Mapping[str, str], length: int) -> bytes:
    lines = {"Host": url.authority, "User-Agent": f"oneiric/{__version__}", "Connection": "close"}
    lines |= {"Content-Length": str(length)} | ({"Authorization": url.authorization} if url.authorization else {})
    text = "".join(f"{name}: {value}\r\n" for name, value in {**lines, **headers}.items())
    return f"{method} {url.path} HTTP/1.1\r\n{text}\r\n".encode("latin-1")


def _answer(wire: _Wire, method: str) -> Reply:
    with closing(HTTPResponse(wire, method=method)) as response:  # type: ignore[arg-type] # all it asks of a socket
        try:
            response.begin()
            body = response.read(MAX_REPLY_BYTES)
        except (HTTPException, ValueError) as error:  # a ValueError for a chunk's length that is none
            raise ConnectionError(f"the answer is not HTTP: {type(error).__name__}") from error
        return Reply(response.status, body, _seconds(response.headers.get("Retry-After")))


def _seconds(text: str | None) -> float:
    return float(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else 0.0  # noqa: PLR2004 - 30 years


def _basic(user: str | None, password: str | None) -> str:
    if user is None and password is None:
        return ""
    return "Basic " + b64encode(f"{unquote(user or '')}:{unquote(password or '')}".encode()).decode()
