"""A handler that sends each line to a log receiver over HTTP."""

from __future__ import annotations

import logging.handlers
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlencode, urlsplit

from oneiric.core.logging.failures import Tally
from oneiric.core.logging.handlers import SinkHandler

if TYPE_CHECKING:
    import http.client
    from collections.abc import Sequence

    from oneiric.core.logging.buffer import EncodedLine, QueueLimits

HTTP_TIMEOUT = 5.0
"""Seconds that one request may wait for the log receiver."""

_HTTP_ERRORS = 400


class QueuedHTTPHandler(SinkHandler, logging.handlers.HTTPHandler):
    """Sends each line as the body of a request, from the thread of its queue.

    With method GET the line is the query parameter ``line``. A status of 400 or more is a failure; a line is sent once.
    """

    def __init__(self, endpoint: str, *, method: str, limits: QueueLimits | None = None) -> None:
        parts = urlsplit(endpoint)
        credentials = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
        logging.handlers.HTTPHandler.__init__(
            self,
            parts.netloc.rpartition("@")[2],
            f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}",
            method=method,
            secure=parts.scheme == "https",
            credentials=credentials,
        )
        tally = Tally()
        self.prepare(_Receiver(self, tally), tally, limits, name="log-sender")

    def getConnection(self, host: str, secure: bool) -> http.client.HTTPConnection:  # noqa: FBT001, N802 - the published signature
        """Return a connection that waits a bounded time."""
        connection: http.client.HTTPConnection = super().getConnection(host, secure)
        connection.timeout = HTTP_TIMEOUT
        return connection

    def post(self, line: bytes) -> None:
        """Send *line*; raises whatever goes wrong."""
        get = self.method == "GET"
        url = f"{self.url}{'&' if '?' in self.url else '?'}{urlencode({'line': line})}" if get else self.url
        headers = {"Content-Type": "application/json"}
        if self.credentials:
            headers["Authorization"] = _basic(*self.credentials)
        connection = self.getConnection(self.host, self.secure)
        try:
            connection.request(self.method, url, body=None if get else line, headers=headers)
            if (status := connection.getresponse().status) >= _HTTP_ERRORS:
                raise OSError(f"the log receiver at {self.host} answered with status {status}")
        finally:
            connection.close()


class _Receiver:
    """Where the lines of a handler are sent; what fails is lost."""

    waiting, batch = 0, 1
    prompt = in_memory = False

    def __init__(self, handler: QueuedHTTPHandler, tally: Tally) -> None:
        self._handler = handler
        self._tally = tally
        self.unwritten = 0

    def forget(self) -> None:
        """Forget what the parent was in the middle of."""
        self.unwritten = 0

    def send(self, lines: Sequence[EncodedLine], wait: float) -> Exception | None:  # noqa: ARG002 - requests have their own bound
        """Send each of *lines*."""
        failed: Exception | None = None
        for number, line in enumerate(lines):
            self.unwritten = len(lines) - number
            try:
                self._handler.post(bytes(line))
            except Exception as error:  # noqa: BLE001 - isolation is the job
                self._tally.lose(1)
                self._tally.failure(error)
                failed = error
        self.unwritten = 0
        return failed


def _basic(user: str, password: str) -> str:
    import base64  # noqa: PLC0415 - only a sink with credentials needs it

    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
