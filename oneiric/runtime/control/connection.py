"""One connection: a request within its bounds, and the answer to it."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import h11

from oneiric.runtime.control.errors import ControlError, wrong_use
from oneiric.runtime.control.protocol import (
    API_HEADER,
    API_VERSION,
    HEARTBEAT_SECONDS,
    MAX_HEAD_BYTES,
    RELEASE_HEADER,
    STATUSES,
)

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

LINGER_SECONDS = 1.0
"""How long a client may go on sending once it is answered."""

_CHUNK_BYTES = 4 * 1024
_METHODS = ("GET", "POST")


@dataclass(frozen=True)
class Request:
    """What was asked: the command's *name* as it stands in the path, with its version, and its fields."""

    method: str
    path: str
    fields: Mapping[str, Any]


class Exchange:
    """One request and its answer on a connection that is closed after it.

    Args:
        reader: What the client sends.
        writer: Where the answer goes.
        release: The version of the service.
        max_body: Largest body, in bytes.
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, release: str, max_body: int
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._max_body = max_body
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD_BYTES)
        self._headers = [(API_HEADER, API_VERSION), (RELEASE_HEADER, release), ("Connection", "close")]

    async def request(self) -> Request | None:
        """Return the request, None where the client leaves without one; ControlError for what is none."""
        head, body = None, bytearray()
        while True:
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError as error:
                raise wrong_use(f"not a request: {error}") from None
            if event is h11.NEED_DATA:
                self._http.receive_data(await self._reader.read(_CHUNK_BYTES))
            elif isinstance(event, h11.Request):
                head = event
                if len(head.target) + sum(len(name) + len(value) for name, value in head.headers) > MAX_HEAD_BYTES:
                    raise wrong_use(f"not a request: its head is longer than {MAX_HEAD_BYTES} bytes")
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > self._max_body:
                    raise wrong_use(f"the body is longer than {self._max_body} bytes, see control.max_body_bytes")
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                return _request_of(head, bytes(body))
            else:
                return None

    async def answer(self, work: Coroutine[Any, Any, Any]) -> None:
        """Do *work* and send what it returns, or its ControlError; until then a sign of life now and then.

        Where the client leaves meanwhile, the work goes on to its end.
        """
        task = asyncio.ensure_future(work)
        try:
            while not (await asyncio.wait([task], timeout=HEARTBEAT_SECONDS))[0]:
                with suppress(ConnectionError):
                    await self._send(h11.InformationalResponse(status_code=102, headers=[]))
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.wait([task])
            raise
        error = task.exception()
        if isinstance(error, ControlError):
            await self.refuse(error)
        elif error is not None:
            raise error
        else:
            await self._respond(200, task.result())

    async def refuse(self, error: ControlError) -> None:
        """Send *error*."""
        await self._respond(STATUSES[error.code], {"error": error.as_dict()})

    async def finish(self) -> None:
        """Take what the client still sends, for a while: a close that leaves it unread would cost it the answer."""
        with suppress(OSError, TimeoutError):
            self._writer.write_eof()
            async with asyncio.timeout(LINGER_SECONDS):
                while await self._reader.read(_CHUNK_BYTES):
                    pass

    async def _respond(self, status: int, content: Any) -> None:
        body = json.dumps(content).encode()
        headers = [*self._headers, ("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        with suppress(ConnectionError, h11.LocalProtocolError):
            await self._send(h11.Response(status_code=status, headers=headers))
            await self._send(h11.Data(data=body))
            await self._send(h11.EndOfMessage())

    async def _send(self, event: h11.Event) -> None:
        self._writer.write(self._http.send(event) or b"")
        await self._writer.drain()


def _request_of(head: h11.Request, body: bytes) -> Request:
    method = head.method.decode("ascii")
    target = urlsplit(head.target.decode("ascii"))
    if method not in _METHODS:
        raise wrong_use(f"method {method:.20}: GET reads, POST changes")
    fields: Any = dict(parse_qsl(target.query, keep_blank_values=True))
    if method == "POST":
        try:
            fields = json.loads(body or b"{}")
        except ValueError as error:
            raise wrong_use(f"the body is not JSON: {error}") from None
        if not isinstance(fields, dict):
            raise wrong_use("the body must be a JSON object")
    return Request(method, target.path, fields)
