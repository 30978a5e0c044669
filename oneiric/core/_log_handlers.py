"""Handlers that never raise into, print for, or hold up whoever logs."""

from __future__ import annotations

import logging
import logging.handlers
import os
import queue
import stat
import threading
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlencode, urlsplit

from oneiric.core._log_render import printed, render_json
from oneiric.core._log_stream import LineStream, LogFailures, Tally

if TYPE_CHECKING:
    import http.client
    from collections.abc import Callable
    from pathlib import Path
    from typing import TextIO

HTTP_TIMEOUT = 5.0
"""Seconds that one request may wait for the log receiver."""
MAX_QUEUED_LINES = 1_000
"""How many lines wait for the log receiver; later ones are dropped."""

_HTTP_ERRORS = 400


class SinkHandler(logging.Handler):
    """What the handlers of all sinks share; a subclass puts a formatted line where it belongs.

    ``on_error`` is called with each failure, without a lock held; lines that it logs itself are not given to the
    handler that failed, so that a failure cannot feed on itself (from Python 3.14 on, to no handler).
    """

    on_error: Callable[[Exception], object] | None

    def prepare(self, tally: Tally) -> None:
        """Count into *tally*; for the constructors of subclasses."""
        self.on_error = None
        self.tally = tally
        self._telling = threading.local()

    def failures(self) -> LogFailures:
        """Return what was lost so far."""
        return LogFailures(self.tally.dropped, self.tally.failed, self.tally.last_error)

    def put(self, line: str) -> Exception | None:
        """Write *line*, with the handler's lock held; return what went wrong, never raise."""
        raise NotImplementedError

    def finish(self, timeout: float) -> None:
        """Write what waits, for at most *timeout* seconds, and let go of files and threads; later lines reopen them."""
        raise NotImplementedError

    def handle(self, record: logging.LogRecord) -> bool:
        """Format *record* without the lock, so that a value which logs while it is printed finds the handler free."""
        allowed: object = self.filter(record)
        if not allowed:
            return False
        if getattr(self._telling, "active", False):
            self.tally.dropped += 1
        else:
            self.emit(allowed if isinstance(allowed, logging.LogRecord) else record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        """Write *record* as one line."""
        line = self._line(record)
        self.acquire()
        try:
            error = self.put(line)
        finally:
            self.release()
        if error is not None:
            self.tell(error)

    def tell(self, error: Exception) -> None:
        """Call ``on_error`` with *error*."""
        if self.on_error is None:
            return
        self._telling.active = True
        try:
            self.on_error(error)
        except Exception as broken:  # noqa: BLE001 - isolation is the job
            self.tally.failure(broken)
        finally:
            self._telling.active = False

    def _line(self, record: logging.LogRecord) -> str:
        try:
            return self.format(record)
        except Exception as error:  # noqa: BLE001 - a record's values and a user's processors are foreign code
            self.tally.failure(error)
            self.tell(error)
            return render_json(
                {"event": printed(record.msg), "level": record.levelname.lower(), "logger": record.name, "error": error}
            )


class LineHandler(SinkHandler):
    """Writes to standard error, standard output or any other stream, which it never closes."""

    def __init__(self, stream: TextIO | None) -> None:
        super().__init__()
        self.lines = LineStream(stream)
        self.prepare(self.lines.tally)

    def put(self, line: str) -> Exception | None:
        """Write *line*."""
        return self.lines.write(line)

    def finish(self, timeout: float) -> None:
        """Write what waits."""
        self.acquire()
        try:
            self.lines.flush(timeout)
        finally:
            self.release()

    def flush(self) -> None:
        """Write what the stream takes now."""
        self.finish(0.0)


class RotatingLineHandler(SinkHandler, logging.handlers.RotatingFileHandler):
    """Writes to a file that is renamed once it would exceed *max_bytes*; its directory is made.

    With *max_bytes* or *backup_count* 0 the file grows. If renaming fails, lines go on into the same file.
    """

    def __init__(self, path: Path, *, max_bytes: int, backup_count: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        logging.handlers.RotatingFileHandler.__init__(
            self, path, maxBytes=max_bytes, backupCount=backup_count, encoding="utf-8"
        )
        self.lines = LineStream(self.stream)
        self.prepare(self.lines.tally)

    def put(self, line: str) -> Exception | None:
        """Write *line*, to a new file if the present one is full."""
        try:
            self._make_room(len(line) + 1)
        except OSError as error:
            self.tally.failure(error)
            return self.lines.write(line) or error
        return self.lines.write(line)

    def finish(self, timeout: float) -> None:
        """Write what waits and close the file."""
        self.acquire()
        try:
            self.lines.flush(timeout)
            logging.handlers.RotatingFileHandler.close(self)
        finally:
            self.release()

    def flush(self) -> None:
        """Write what the file takes now."""
        self.acquire()
        try:
            self.lines.flush()
        finally:
            self.release()

    def _make_room(self, size: int) -> None:
        if self.stream is None:
            self._reopen()
        if not self._is_full(size):
            return
        try:
            self.doRollover()
        finally:
            self._reopen()

    def _is_full(self, size: int) -> bool:
        if self.stream is None or not self.maxBytes or not self.backupCount or self.lines.pending:
            return False
        status = os.fstat(self.stream.fileno())
        return stat.S_ISREG(status.st_mode) and status.st_size > 0 and status.st_size + size > self.maxBytes

    def _reopen(self) -> None:
        if self.stream is None:
            self.stream = self._open()
        self.lines.redirect(self.stream)


class QueuedHTTPHandler(SinkHandler, logging.handlers.HTTPHandler):
    """Sends each line as the body of a request, from a thread of its own that starts with the first line.

    With method GET the line is the query parameter ``line``. A status of 400 or more is a failure; a line is sent once.
    """

    def __init__(self, endpoint: str, *, method: str) -> None:
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
        self.prepare(Tally())
        self._queue: queue.Queue[str | None] = queue.Queue(MAX_QUEUED_LINES)
        self._worker: threading.Thread | None = None
        self._owner = 0

    def put(self, line: str) -> Exception | None:
        """Hand *line* to the thread, or count it as dropped."""
        self._ensure_worker()
        try:
            self._queue.put_nowait(line)
        except queue.Full:
            self.tally.dropped += 1
        return None

    def finish(self, timeout: float) -> None:
        """Wait for the thread to send what is queued, and end it."""
        self.acquire()
        try:
            worker, self._worker = self._worker, None
            if worker is None or not worker.is_alive():
                return
            try:
                self._queue.put_nowait(None)
            except queue.Full:
                return
        finally:
            self.release()
        worker.join(timeout)

    def getConnection(self, host: str, secure: bool) -> http.client.HTTPConnection:  # noqa: FBT001, N802 - the published signature
        """Return a connection that waits a bounded time."""
        connection: http.client.HTTPConnection = super().getConnection(host, secure)
        connection.timeout = HTTP_TIMEOUT
        return connection

    def _ensure_worker(self) -> None:
        if self._worker is not None and self._worker.is_alive() and self._owner == os.getpid():
            return
        self._owner = os.getpid()
        self._queue = queue.Queue(MAX_QUEUED_LINES)  # a forked child's copy may have been locked by the parent's thread
        self._worker = threading.Thread(target=self._run, args=(self._queue,), name="log-sender", daemon=True)
        self._worker.start()

    def _run(self, lines: queue.Queue[str | None]) -> None:
        while (line := lines.get()) is not None:
            try:
                self._send(line)
            except Exception as error:  # noqa: BLE001 - isolation is the job
                self.tally.dropped += 1
                self.tally.failure(error)
                self.tell(error)

    def _send(self, line: str) -> None:
        get = self.method == "GET"
        url = f"{self.url}{'&' if '?' in self.url else '?'}{urlencode({'line': line})}" if get else self.url
        headers = {"Content-Type": "application/json"}
        if self.credentials:
            headers["Authorization"] = _basic(*self.credentials)
        connection = self.getConnection(self.host, self.secure)
        try:
            connection.request(self.method, url, body=None if get else line.encode(), headers=headers)
            if (status := connection.getresponse().status) >= _HTTP_ERRORS:
                raise OSError(f"the log receiver answered with status {status}")
        finally:
            connection.close()


def _basic(user: str, password: str) -> str:
    import base64  # noqa: PLC0415 - only a sink with credentials needs it

    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
