"""Write whole lines to a stream without raising into, or blocking, whoever logs."""

from __future__ import annotations

import errno
import os
import select
import stat
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from oneiric.core.redaction import describe

if TYPE_CHECKING:
    from typing import TextIO

MAX_PENDING_BYTES = 1 << 20
"""How much waits for a reader that does not read; later lines are dropped."""

_PASSING = frozenset({errno.ENOSPC, errno.EDQUOT})  # what could not be written is tried again with the next line


@dataclass(frozen=True)
class LogFailures:
    """What became of lines that could not be written.

    Attributes:
        dropped: Lines lost.
        failed: Attempts to write that raised.
        last_error: Class name and redacted text of the last failure, or "".
    """

    dropped: int = 0
    failed: int = 0
    last_error: str = ""


@dataclass
class Tally:
    """Counts lost lines and failures, as :class:`LogFailures` shows them."""

    dropped: int = 0
    failed: int = 0
    last_error: str = ""

    def failure(self, error: Exception) -> None:
        """Count *error* and remember its text."""
        self.failed += 1
        self.last_error = ": ".join(describe(error))


class LineStream:
    """A stream that takes whole lines and never makes the caller wait.

    Where the stream has a file descriptor, a line is written as far as the descriptor takes it now; the rest waits and
    goes out first with the next line. Once *pending_limit* bytes wait, new lines are dropped and counted. Lines of at
    most ``select.PIPE_BUF`` bytes reach a pipe in one write, so that processes that share it do not tear each other's
    lines. A stream without a descriptor is written to directly. A full disk keeps lines waiting; a stream that is
    closed, or whose reader is gone, loses them.

    The owner serialises the calls; a signal handler that logs in the middle of one is taken care of. After a fork the
    child forgets what waits, since the parent writes it.

    Args:
        stream: Where lines go; not closed here. None, which ``sys.stderr`` can be, fails like a closed stream.
        pending_limit: Bytes that may wait.

    Attributes:
        tally: Lost lines and failures so far.
    """

    def __init__(self, stream: TextIO | None, *, pending_limit: int = MAX_PENDING_BYTES) -> None:
        self.tally = Tally()
        self._limit = pending_limit
        self._pending = bytearray()
        self._owner = os.getpid()
        self._busy = False
        self.redirect(stream)

    @property
    def dropped(self) -> int:
        """Lines lost so far."""
        return self.tally.dropped

    @property
    def failed(self) -> int:
        """Attempts to write that raised so far."""
        return self.tally.failed

    @property
    def pending(self) -> int:
        """Bytes that wait."""
        return len(self._pending)

    def redirect(self, stream: TextIO | None) -> None:
        """Write to *stream* from now on, what waits included."""
        self._stream = stream
        self._descriptor = _descriptor(stream)
        self._poll = select.poll()
        self._chunk = select.PIPE_BUF
        if self._descriptor is not None:
            self._poll.register(self._descriptor, select.POLLOUT)
            self._chunk = _chunk(self._descriptor, self._limit)

    def write(self, line: str) -> Exception | None:
        """Write *line* and a newline, keep it waiting or count it as dropped; return what went wrong, never raise."""
        if self._descriptor is None:
            return self._write_text(line)
        data = line.encode("utf-8", "backslashreplace") + b"\n"
        error = self.flush()
        if len(self._pending) + len(data) > self._limit:
            self.tally.dropped += 1
            return error
        waiting = bool(self._pending)
        self._owner = os.getpid()
        self._pending += data
        return error if waiting else self.flush()

    def flush(self, timeout: float = 0.0) -> Exception | None:
        """Write what waits, for at most about *timeout* seconds; return what went wrong, never raise."""
        if not self._pending or self._busy:  # busy: a signal handler logs while its thread writes; its line waits
            return None
        self._busy = True
        try:
            self._drain(time.monotonic() + timeout)
        except BlockingIOError:
            return None
        except Exception as error:  # noqa: BLE001 - isolation is the job
            return self._lose(error)
        finally:
            self._busy = False
        return None

    def _drain(self, deadline: float) -> None:
        if os.getpid() != self._owner:
            self._pending.clear()
        if self._descriptor is None or self._stream is None or self._stream.closed:
            raise ValueError("the stream is closed")  # its descriptor may be somebody else's by now
        while self._pending and self._poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            del self._pending[: os.write(self._descriptor, self._next())]

    def _next(self) -> bytes:
        """Return what one write takes: whole lines if one fits."""
        end = self._pending.rfind(b"\n", 0, self._chunk) + 1
        return bytes(self._pending[: end or self._chunk])

    def _write_text(self, line: str) -> Exception | None:
        try:
            self._stream.write(line + "\n")  # type: ignore[union-attr] # None fails like any other broken stream
            self._stream.flush()  # type: ignore[union-attr]
        except Exception as error:  # noqa: BLE001 - isolation is the job
            self.tally.dropped += 1
            self.tally.failure(error)
            return error
        return None

    def _lose(self, error: Exception) -> Exception:
        self.tally.failure(error)
        if not (isinstance(error, OSError) and error.errno in _PASSING):
            self.tally.dropped += self._pending.count(b"\n")
            self._pending.clear()
        return error


def _descriptor(stream: TextIO | None) -> int | None:
    try:
        descriptor = stream.fileno()  # type: ignore[union-attr] # None has no descriptor either
    except (AttributeError, OSError, ValueError):
        return None
    return descriptor if descriptor >= 0 else None


def _chunk(descriptor: int, limit: int) -> int:
    """Return the largest write that does not wait once the descriptor is writable."""
    try:
        regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
    except OSError:
        regular = False
    return limit if regular else select.PIPE_BUF
