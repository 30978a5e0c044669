"""One connection of a client: one request, one response, each bounded in bytes and in time."""

from __future__ import annotations

import enum
import socket
import ssl
import struct
from contextlib import suppress
from http import HTTPStatus
from selectors import EVENT_READ, EVENT_WRITE
from typing import TYPE_CHECKING, Final, Protocol

from oneiric.observability.exposition import error_response
from oneiric.observability.server.http import HEAD_END, BadRequestError, Request, is_hopeless, parse_head, serialize

if TYPE_CHECKING:
    from concurrent.futures import Future

    from oneiric.observability.exposition import Response
    from oneiric.observability.server.loop import Loop

_CHUNK_BYTES: Final = 8192
_MAX_DISCARDED_BYTES: Final = 1024 * 1024
_TAKEN_BYTES: Final = 32 * 1024  # who reads a byte now and then takes less
_RESET: Final = struct.pack("ii", 1, 0)  # do not linger: throw away what the client did not take


class Stage(enum.Enum):
    """What a connection is waiting for."""

    RECEIVING = enum.auto()
    """The client's request, the TLS handshake before it included."""
    ANSWERING = enum.auto()
    """Our own answer."""
    SENDING = enum.auto()
    """The client, to take the answer."""
    LINGERING = enum.auto()
    """The client, to stop sending what nobody reads: closing before that may destroy the answer on its way."""


class Keeper(Protocol):
    """Whoever keeps the connections."""

    @property
    def loop(self) -> Loop:
        """What watches their sockets."""

    def moved(self, connection: Connection, before: Stage | None, after: Stage | None) -> None:
        """Take note that *connection* went from one stage to another; None stands for outside."""

    def received(self, count: int) -> None:
        """Take note that the connections hold *count* bytes more, or less."""

    def took(self, connection: Connection) -> None:
        """Take note that the client of *connection* took more of its answer than what was sent at once."""

    def answer(self, request: Request) -> Future[Response]:
        """Return what will have the response to *request*; never waits, never raises."""

    def failed(self, request: Request, error: BaseException) -> Response:
        """Return the response to *request*, which came to nothing because of *error*."""


class Connection:
    """A connection in one of the stages; belongs to the thread of its keeper's loop.

    Args:
        connected: The socket, not blocking, owned from now on.
        keeper: Called with every change.
        max_header_bytes: Longest request, up to the empty line after its headers; a longer one is answered 431.

    Attributes:
        stage: What it is waiting for; None once it is closed.
        since: When that began, in seconds of the keeper's.
        outgoing: What is still to be sent.
    """

    __slots__ = (
        "_discarded",
        "_events",
        "_keeper",
        "_max_header_bytes",
        "_received",
        "_request",
        "_socket",
        "_taken",
        "_unread",
        "outgoing",
        "since",
        "stage",
    )

    def __init__(self, connected: socket.socket, keeper: Keeper, *, max_header_bytes: int) -> None:
        self._socket = connected
        self._keeper = keeper
        self._max_header_bytes = max_header_bytes
        self._received = bytearray()
        self._discarded = 0
        self._unread = False
        self._events = 0
        self._request: Request | None = None
        self._taken: int | None = None
        self.outgoing: list[memoryview] = []
        self.since = 0.0
        self.stage: Stage | None = None
        self._enter(Stage.RECEIVING)

    def advance(self) -> None:
        """Do what can be done without waiting, and then wait for the client."""
        if self.stage is None:
            return
        try:
            if self.stage is Stage.RECEIVING:
                self._receive()
            elif self.stage is Stage.SENDING:
                self._send()
            elif self.stage is Stage.LINGERING:
                self._discard()
        except (BlockingIOError, ssl.SSLWantReadError):
            self._wait(EVENT_WRITE if self.stage is Stage.SENDING and not self._is_tls else EVENT_READ)
        except ssl.SSLWantWriteError:
            self._wait(EVENT_WRITE)
        except (OSError, ValueError):  # the client went away, or speaks no TLS
            self.close()
        except BaseException:
            self.close()
            raise

    def expire(self) -> None:
        """Give up waiting: a client that began its request gets an answer, another one is cut off."""
        if self.stage is Stage.RECEIVING and self._received:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        elif self.stage is Stage.ANSWERING and self._request is not None:
            self._respond(self._keeper.failed(self._request, TimeoutError("no answer in time")))
        else:
            self.close()

    def close(self) -> None:
        """Close it, whatever it is waiting for; what the client did not take is thrown away. Idempotent."""
        stage = self.stage
        if stage is None:
            return
        self._wait(0)
        if stage is Stage.SENDING:
            with suppress(OSError):
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._socket.close()
        self.outgoing.clear()
        self._forget_received()
        self._enter(None)

    def abandon(self) -> None:
        """Close this process's copy of the socket, and leave the connection to the one that it was forked from."""
        self.stage = None
        self._socket.close()

    @property
    def _is_tls(self) -> bool:
        return isinstance(self._socket, ssl.SSLSocket)

    def _enter(self, stage: Stage | None) -> None:
        before, self.stage = self.stage, stage
        self._keeper.moved(self, before, stage)

    def _wait(self, events: int) -> None:
        before, self._events = self._events, events
        if events == before:
            return
        loop = self._keeper.loop
        if not events:
            loop.forget(self._socket)
        elif before:
            loop.change(self._socket, events, self.advance)
        else:
            loop.watch(self._socket, events, self.advance)

    def _receive(self) -> None:
        while self.stage is Stage.RECEIVING:
            chunk = self._socket.recv(_CHUNK_BYTES)  # it makes the TLS handshake too
            if not chunk:
                self.close()
                return
            start = len(self._received)
            self._received += chunk
            self._keeper.received(len(chunk))
            self._look_for_request(start)

    def _look_for_request(self, start: int) -> None:
        received, longest = self._received, self._max_header_bytes
        end = received.find(HEAD_END, max(0, start - len(HEAD_END) + 1))
        size = len(received) if end < 0 else end + len(HEAD_END)
        if size > longest or (end < 0 and size == longest):
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        elif is_hopeless(received, start, size):
            self._refuse(HTTPStatus.BAD_REQUEST)
        elif end >= 0:
            self._unread = len(received) > size
            self._ask(bytes(received[:end]))

    def _ask(self, head: bytes) -> None:
        try:
            request = parse_head(head)
        except BadRequestError as error:
            self._refuse(error.status)
            return
        self._request = request
        self._unread = self._unread or request.has_body
        self._forget_received()
        self._enter(Stage.ANSWERING)
        self._wait(0)
        answer = self._keeper.answer(request)
        if answer.done():
            self._answered(answer)
        else:
            answer.add_done_callback(lambda done: self._keeper.loop.call(lambda: self._answered(done)))

    def _answered(self, answer: Future[Response]) -> None:
        if self.stage is not Stage.ANSWERING or self._request is None:
            return
        error = answer.exception()
        self._respond(answer.result() if error is None else self._keeper.failed(self._request, error))

    def _refuse(self, status: HTTPStatus) -> None:
        self._unread = True  # more of it may be on its way
        self._forget_received()
        self._respond(error_response(status))

    def _respond(self, response: Response) -> None:
        self.outgoing = serialize(response, head_only=self._request is not None and self._request.method == "HEAD")
        self._enter(Stage.SENDING)
        self.advance()

    def _send(self) -> None:
        while self.outgoing:
            sent = self._socket.send(self.outgoing[0]) if self._is_tls else self._socket.sendmsg(self.outgoing)
            self._drop_sent(sent)
            self._note_taken(sent)
        self._finish()

    def _note_taken(self, sent: int) -> None:
        if self._taken is None:
            self._taken = 0  # at first the operating system takes it, not the client
            return
        self._taken += sent
        if self._taken >= _TAKEN_BYTES:
            self._keeper.took(self)

    def _drop_sent(self, sent: int) -> None:
        while self.outgoing and sent >= len(self.outgoing[0]):
            sent -= len(self.outgoing.pop(0))
        if sent:
            self.outgoing[0] = self.outgoing[0][sent:]

    def _finish(self) -> None:
        if isinstance(self._socket, ssl.SSLSocket):
            with suppress(OSError, ValueError):  # it shows the client that this is the end, and is not waited for
                self._socket.unwrap()
        if not self._unread:
            self._enter(Stage.LINGERING)
            self.close()
            return
        self._socket.shutdown(socket.SHUT_WR)
        self._enter(Stage.LINGERING)
        self._discard()

    def _discard(self) -> None:
        while chunk := self._socket.recv(_CHUNK_BYTES):
            self._discarded += len(chunk)
            if self._discarded > _MAX_DISCARDED_BYTES:
                break
        self.close()

    def _forget_received(self) -> None:
        if self._received:
            self._keeper.received(-len(self._received))
            self._received = bytearray()
