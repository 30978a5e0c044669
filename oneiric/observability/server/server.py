"""The metrics server: an exposition served over HTTP from a thread of its own."""

from __future__ import annotations

import ipaddress
import re
import socket
import threading
from concurrent.futures import Future
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from oneiric.core.concurrency import Background, renew_after_fork, start_thread
from oneiric.core.config import OneiricSettings
from oneiric.core.logging import report_notes
from oneiric.core.redaction import describe
from oneiric.observability.events import MetricsServerExposed, MetricsServerFailed, MetricsServerStarted
from oneiric.observability.exposition import METRICS_PATHS, error_response
from oneiric.observability.server.acceptor import Acceptor
from oneiric.observability.server.access import Credentials, tls_of
from oneiric.observability.server.settings import server_limits_of, server_security_of

if TYPE_CHECKING:
    import ssl
    from types import TracebackType

    from oneiric.core.observers import Observers
    from oneiric.observability.exposition import Exposition, Response
    from oneiric.observability.server.access import ServerSecurity
    from oneiric.observability.server.http import Request
    from oneiric.observability.server.limits import ServerLimits
    from oneiric.observability.server.reloading import Reloaded

DEFAULT_ADDRESS: Final = "127.0.0.1:9464"
STOP_SECONDS: Final = 2.0
"""How long :meth:`MetricsServer.stop` waits for its thread at most."""

_SINK: Final = "metrics_server"
_BACKLOG: Final = 4096  # the operating system's own bound holds; a connection over it is not answered for a second
_SEND_BUFFER_BYTES: Final = 64 * 1024  # else the kernel copies megabytes for each client that does not read
_ANSWER_SLACK_SECONDS: Final = 0.5
_MAX_PORT: Final = 65_535
_ADDRESS = re.compile(r"(?:\[([^\[\]]+)\]|([A-Za-z0-9._-]+)):([0-9]{1,5})")


class _Running(NamedTuple):
    reception: Acceptor
    thread: threading.Thread
    port: int

    def end(self) -> None:
        """Stop, and wait for the end, but not for ever."""
        self.reception.stop()
        self.thread.join(STOP_SECONDS)


class MetricsServer:
    """Serve *exposition* at *address* from a daemon thread; thread-safe, and can be started again once stopped.

    A connection carries one request. Nothing is ever printed, and no failure reaches the host: a failed start is
    reported as :class:`MetricsServerFailed`, a failure while serving as a failed hook. Being reachable beyond the
    loopback without TLS or without authentication is reported as :class:`MetricsServerExposed`. A forked child does
    not serve, and may start it anew.

    Args:
        exposition: What answers.
        address: See :func:`parse_address`; port 0 takes a free one at each start. What is None here and below is taken
            from the environment, then from the file that ``ONEIRIC_CONFIG`` names, then from the defaults.
        observers: Notified of starts and failures; without it, those of the exposition.
        limits: The bounds.
        security: TLS and authentication.

    Attributes:
        address: The host listened on.
    """

    def __init__(
        self,
        exposition: Exposition,
        *,
        address: str | None = None,
        observers: Observers | None = None,
        limits: ServerLimits | None = None,
        security: ServerSecurity | None = None,
    ) -> None:
        if address is None or limits is None or security is None:
            found = OneiricSettings()
            report_notes(found)
            settings = found.observability
            address = settings.metrics_address if address is None else address
            limits = server_limits_of(settings.server) if limits is None else limits
            security = server_security_of(settings.server) if security is None else security
        self.address, self._port = parse_address(address)
        self.observers = exposition.observers if observers is None else observers
        self._exposition = exposition
        self._limits = limits
        self._security = security
        self._reporting = Background("oneiric-metrics-reports")
        self._running: _Running | None = None
        self._stops = 0
        self._renew()
        renew_after_fork(self._renew)

    @property
    def port(self) -> int:
        """The port listened on; while not running, the one asked for."""
        running = self._running
        return self._port if running is None else running.port

    def start(self) -> bool:
        """Listen, and return whether the server now runs; to start a running one changes nothing."""
        with self._starting:
            stops = self._stops
            if self._running is not None:
                return True
            try:
                opened = self._listen()
            except Exception as error:  # noqa: BLE001 - isolation is the job: the host goes on without metrics
                self._tell_failed(error)
                return False
            if not self._publish(opened, stops):
                return self._running is not None
        self.observers.notify(MetricsServerStarted(address=self.address, port=opened.port))
        return True

    def stop(self) -> None:
        """Stop listening and cut off every connection, within seconds; idempotent, and callable in a signal handler.

        A start that is under way comes to nothing, and is not waited for.
        """
        with self._lock:
            self._stops += 1
            running, self._running = self._running, None
        if running is not None:
            running.end()

    def __enter__(self) -> Self:
        """Start; whether that succeeded is reported to the observers."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    def _renew(self) -> None:
        # Reentrant, as a signal handler may stop, or start, what the interrupted thread is starting or stopping.
        self._starting, self._lock = threading.RLock(), threading.RLock()
        running, self._running = self._running, None
        if running is not None:
            running.reception.abandon()

    def _listen(self) -> _Running:
        tls = tls_of(self._security, self._report)
        desk = _Desk(self._exposition, Credentials(self._security, self._report))
        found = socket.getaddrinfo(self.address, self._port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        listener = socket.create_server(address, family=family, backlog=_BACKLOG)
        try:
            listener.setblocking(False)  # noqa: FBT003 - the signature of the standard library
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)  # accepted ones inherit it
            port: int = listener.getsockname()[1]
            self._warn_if_exposed(listener)
            reception = Acceptor(
                listener,
                self._limits,
                secure=None if tls is None else partial(_secure, tls),
                answer=desk.answer,
                failed=desk.failed,
                report=self._report,
                answer_timeout=self._exposition.timeout + _ANSWER_SLACK_SECONDS,
            )
            thread = start_thread("oneiric-metrics", reception.run)
        except BaseException:
            listener.close()
            raise
        return _Running(reception, thread, port)

    def _publish(self, opened: _Running, stops: int) -> bool:
        """Run *opened*, or close it and return False where a signal handler started another or stopped this one."""
        with self._lock:
            if self._running is None:
                self._running = opened  # before it is looked whether this was stopped: who stops it now finds it
            is_running = self._running is opened
            if is_running and self._stops == stops:
                return True
            if is_running:
                self._running = None
        opened.end()
        return False

    def _tell_failed(self, error: Exception) -> None:
        error_type, text = describe(error)
        self.observers.notify(
            MetricsServerFailed(address=self.address, port=self._port, error_type=error_type, error=text)
        )

    def _report(self, error: BaseException) -> None:
        # Elsewhere, as a receiver may wait for a full pipe or a slow disk.
        self._reporting.call(lambda: self.observers.hook_failed(_SINK, error))

    def _warn_if_exposed(self, listener: socket.socket) -> None:
        host, port = listener.getsockname()[:2]
        if self._security.missing and not ipaddress.ip_address(host.partition("%")[0]).is_loopback:
            self.observers.notify(MetricsServerExposed(address=self.address, port=port, missing=self._security.missing))


class _Desk:
    """Answer requests with *exposition*, the metrics only to those whom *credentials* let in."""

    def __init__(self, exposition: Exposition, credentials: Credentials) -> None:
        self._exposition = exposition
        self._credentials = credentials
        self._refused: Future[Response] = Future()
        self._refused.set_result(error_response(HTTPStatus.UNAUTHORIZED, *credentials.challenges))

    def answer(self, request: Request) -> Future[Response]:
        """Return what will have the response to *request*."""
        if request.path in METRICS_PATHS and not self._credentials.allow(request.authorization):
            return self._refused
        return self._exposition.submit(
            method=request.method,
            path=request.path,
            query=request.query,
            accept=request.accept,
            accept_encoding=request.accept_encoding,
        )

    def failed(self, request: Request, error: BaseException) -> Response:
        """Return the response to *request*, which came to nothing because of *error*."""
        return self._exposition.failed(error, path=request.path)


def _secure(tls: Reloaded[ssl.SSLContext], accepted: socket.socket) -> ssl.SSLSocket:
    return tls.get().wrap_socket(accepted, server_side=True, do_handshake_on_connect=False)


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
