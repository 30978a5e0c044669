"""The metrics server: an exposition served over plain HTTP from threads of its own."""

from __future__ import annotations

import ipaddress
import re
import socket
import threading
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Self

from oneiric.core.redaction import describe
from oneiric.observability._acceptor import Acceptor
from oneiric.observability._http import exchange, serialize
from oneiric.observability.events import MetricsServerFailed, MetricsServerStarted
from oneiric.observability.exposition import error_response

if TYPE_CHECKING:
    from types import TracebackType

    from oneiric.core.observers import Observers
    from oneiric.observability.exposition import Exposition

DEFAULT_ADDRESS: Final = "127.0.0.1:9464"
MAX_CONNECTIONS: Final = 8
TIMEOUT_SECONDS: Final = 5.0
MAX_HEADER_BYTES: Final = 8192
STOP_SECONDS: Final = 2.0
"""How long :meth:`MetricsServer.stop` waits for the requests in progress, which it cuts off."""

_SINK: Final = "metrics_server"
_BACKLOG: Final = 128
_MAX_PORT: Final = 65_535
_ADDRESS = re.compile(r"(?:\[([^\[\]]+)\]|([A-Za-z0-9._-]+)):([0-9]{1,5})")


class MetricsServer:
    """Serve *exposition* at *address* from daemon threads; thread-safe, and can be started again once stopped.

    A connection carries one request. Nothing is ever printed, and no failure reaches the host: a failed start is told
    as :class:`MetricsServerFailed`, a failed request as a failed hook. A forked child does not serve; to stop the
    server there leaves the parent's alone.

    Args:
        exposition: What answers.
        address: See :func:`parse_address`; port 0 takes a free one at each start.
        observers: Told of starts and failures; without it, those of the exposition.
        max_connections: Requests in progress at once; a further one is answered 503 at once.
        timeout: Seconds a client has to send its request, and again to take the response.
        max_header_bytes: Longest request, up to the empty line after its headers; a longer one is answered 431.

    Attributes:
        address: The host listened on.
    """

    def __init__(  # noqa: PLR0913 - every bound of a server open to a network can be set
        self,
        exposition: Exposition,
        *,
        address: str = DEFAULT_ADDRESS,
        observers: Observers | None = None,
        max_connections: int = MAX_CONNECTIONS,
        timeout: float = TIMEOUT_SECONDS,
        max_header_bytes: int = MAX_HEADER_BYTES,
    ) -> None:
        if max_connections < 1 or timeout <= 0 or max_header_bytes < 1:
            raise ValueError(f"must be positive: {max_connections=}, {timeout=}, {max_header_bytes=}")
        self.address, self._port = parse_address(address)
        self.observers = exposition.observers if observers is None else observers
        self._exposition = exposition
        self._max_connections = max_connections
        self._timeout = timeout
        self._max_header_bytes = max_header_bytes
        self._lock = threading.Lock()
        self._running: tuple[Acceptor, int] | None = None

    @property
    def port(self) -> int:
        """The port listened on; while not running, the one asked for."""
        running = self._running
        return self._port if running is None else running[1]

    def start(self) -> bool:
        """Listen, and return whether the server now runs; to start a running one changes nothing."""
        try:
            with self._lock:
                if self._running is not None:
                    return True
                self._running = self._listen()
        except Exception as error:  # noqa: BLE001 - isolation is the job: the host goes on without metrics
            error_type, text = describe(error)
            self.observers.notify(
                MetricsServerFailed(address=self.address, port=self._port, error_type=error_type, error=text)
            )
            return False
        self.observers.notify(MetricsServerStarted(address=self.address, port=self.port))
        return True

    def stop(self) -> None:
        """Stop listening and cut off the requests in progress, within seconds; idempotent."""
        with self._lock:
            running, self._running = self._running, None
        if running is not None:
            running[0].stop(wait=STOP_SECONDS)

    def __enter__(self) -> Self:
        """Start; whether that succeeded was told to the observers."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    def _listen(self) -> tuple[Acceptor, int]:
        found = socket.getaddrinfo(self.address, self._port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        listener = socket.create_server(address, family=family, backlog=_BACKLOG)
        acceptor = Acceptor(
            listener,
            self._serve,
            refusal=serialize(error_response(HTTPStatus.SERVICE_UNAVAILABLE)),
            limit=self._max_connections,
            failed=partial(self.observers.hook_failed, _SINK),
        )
        try:
            acceptor.start()
        except BaseException:
            listener.close()
            raise
        return acceptor, listener.getsockname()[1]

    def _serve(self, connection: socket.socket) -> None:
        exchange(connection, self._exposition, timeout=self._timeout, max_header_bytes=self._max_header_bytes)


def parse_address(text: str) -> tuple[str, int]:
    """Return host and port of *text*: ``127.0.0.1:9464``, ``localhost:0`` or ``[::1]:9464``.

    Raises:
        ValueError: When it is not an address in this form.
    """
    matched = _ADDRESS.fullmatch(text)
    if matched is None:
        raise ValueError(f"metrics address {text[:80]!r}: expected host:port, with an IPv6 host in brackets")
    ipv6, name, port = matched.groups()
    if int(port) > _MAX_PORT:
        raise ValueError(f"metrics address {text[:80]!r}: the port must be 0 (any free one) to {_MAX_PORT}")
    if ipv6 is None:
        return name, int(port)
    try:
        ipaddress.IPv6Address(ipv6)
    except ValueError:
        raise ValueError(f"metrics address {text[:80]!r}: there must be an IPv6 address in the brackets") from None
    return ipv6, int(port)
