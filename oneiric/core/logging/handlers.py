"""The handlers of :mod:`logging`, one kind for each kind of sink: each puts its lines into a queue."""

from __future__ import annotations

import logging
import logging.handlers
import math
import threading
from typing import TYPE_CHECKING, Any

from oneiric.core.limits import FLUSH_TIMEOUT
from oneiric.core.logging.failures import LogFailures, Tally
from oneiric.core.logging.files import LogFile, open_log
from oneiric.core.logging.queue import LineQueue
from oneiric.core.logging.render import printed, render_json
from oneiric.core.logging.writer import StreamWriter

if TYPE_CHECKING:
    from collections.abc import Callable
    from io import TextIOWrapper
    from pathlib import Path
    from typing import TextIO

    from oneiric.core.logging.buffer import EncodedLine, QueueLimits
    from oneiric.core.logging.target import Target


class SinkHandler(logging.Handler):
    """What the handlers of all sinks share: lines go into a queue, from which a thread writes them.

    A handler never raises into, prints for or holds up whoever logs.

    ``on_error`` is called with each failure, without a lock held, in the thread where it happened; lines that it logs
    itself are not given to the handler that failed, so that a failure cannot feed on itself (from Python 3.14 on, to no
    handler). ``on_change`` is called when a filter or another formatter is set.
    """

    on_error: Callable[[Exception], object] | None
    on_change: Callable[[], object]

    def prepare(self, target: Target, tally: Tally, limits: QueueLimits | None, name: str = "log-writer") -> None:
        """Send lines to *target* and count into *tally*; for the constructors of subclasses."""
        self.on_error = None
        self.on_change = _nothing
        self.tally = tally
        self.queue = LineQueue(target, name=name, limits=limits, on_error=self.report)
        self._reporting = threading.local()
        self.special = 0  # 0 saves most lines the look at who is reporting, and at what is written at once
        self._at_once, self._timeout = math.inf, FLUSH_TIMEOUT

    def failures(self) -> LogFailures:
        """Return what was lost so far, which what waits is too once closing has given it up."""
        queue, tally = self.queue, self.tally
        return LogFailures(queue.dropped + queue.abandoned + tally.dropped, tally.failed, tally.last_error)

    def write_at_once(self, level: int, timeout: float) -> None:
        """Let lines of *level* and above be written before :meth:`send` returns, for at most *timeout* seconds."""
        self._at_once, self._timeout = level, timeout
        self.special += 1

    def send(self, line: EncodedLine, level: int = logging.NOTSET) -> None:
        """Put *line*, which has no newline, into the queue; never waits for where it goes, unless it has to."""
        if self.special and getattr(self._reporting, "active", False):
            self.tally.lose(1)
        elif level >= self._at_once:
            self.queue.put_through(line, self._timeout)
        else:
            self.queue.put(line)

    def finish(self, timeout: float) -> bool:
        """Write what waits, for at most *timeout* seconds, and let go of files and threads; later lines reopen them."""
        return self.queue.close(timeout)

    def flush(self) -> None:
        """Write what waits, for a bounded time."""
        self.queue.flush(FLUSH_TIMEOUT)

    def close(self) -> None:
        """Write what waits, for a bounded time, and let go of everything; later lines reopen it."""
        self.finish(FLUSH_TIMEOUT)
        super().close()

    def setFormatter(self, fmt: logging.Formatter | None) -> None:  # noqa: N802 - the published signature
        """Render records with *fmt*."""
        super().setFormatter(fmt)
        self.on_change()

    def addFilter(self, filter: Any) -> None:  # noqa: A002, N802 - the published signature
        """Ask *filter* about each record."""
        super().addFilter(filter)
        self.on_change()

    def handle(self, record: logging.LogRecord) -> bool:
        """Format *record* without a lock, so that a value which logs while it is printed finds the handler free."""
        allowed: object = self.filter(record)
        if not allowed:
            return False
        self.emit(allowed if isinstance(allowed, logging.LogRecord) else record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        """Write *record* as one line."""
        self.send(self._line(record).encode("utf-8", "backslashreplace"), record.levelno)

    def report(self, error: Exception) -> None:
        """Call ``on_error`` with *error*."""
        if self.on_error is None:
            return
        self._reporting.active = True
        self.special += 1
        try:
            self.on_error(error)
        except Exception as broken:  # noqa: BLE001 - isolation is the job
            self.tally.failure(broken)
        finally:
            self._reporting.active = False
            self.special -= 1

    def _line(self, record: logging.LogRecord) -> str:
        try:
            return self.format(record)
        except Exception as error:  # noqa: BLE001 - a record's values and a user's processors are foreign code
            self.tally.failure(error)
            self.report(error)
            return render_json(
                {"event": printed(record.msg), "level": record.levelname.lower(), "logger": record.name, "error": error}
            )


def _nothing() -> None:
    pass


class LineHandler(SinkHandler):
    """Writes to standard error, standard output or any other stream, which it never closes."""

    def __init__(self, stream: TextIO | None, limits: QueueLimits | None = None) -> None:
        super().__init__()
        lines = StreamWriter(stream)
        self.prepare(lines, lines.tally, limits)


class RotatingLineHandler(SinkHandler, logging.handlers.RotatingFileHandler):
    """Writes to a file that is renamed once it would exceed *max_bytes*; its directory is made.

    With *max_bytes* or *backup_count* 0 the file grows. If renaming fails, lines go on into the same file. Several
    processes may write to one file: see :class:`~oneiric.core.logging.files.LogFile`.
    """

    def __init__(self, path: Path, *, max_bytes: int, backup_count: int, limits: QueueLimits | None = None) -> None:
        logging.handlers.RotatingFileHandler.__init__(
            self, path, maxBytes=max_bytes, backupCount=backup_count, encoding="utf-8"
        )
        self._file = LogFile(self)
        self.prepare(self._file, self._file.tally, limits)

    def doRollover(self) -> None:  # noqa: N802 - the published signature
        """Begin a new file now."""
        self.queue.exclusively(self._file.rotate)

    def finish(self, timeout: float) -> bool:
        """Write what waits and close the file."""
        done = self.queue.close(timeout)
        self.queue.exclusively(self._file.close)
        return done

    def _open(self) -> TextIOWrapper:
        return open_log(self.baseFilename)
