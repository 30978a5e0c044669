"""Write bytes of whole lines to a stream: as much as it takes within a bounded time."""

from __future__ import annotations

import errno
import io
import os
import select
import stat
import time
from select import PIPE_BUF
from typing import TYPE_CHECKING

from oneiric.core.logging.failures import Tally

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

    from oneiric.core.logging.buffer import EncodedLine

_PASSING = frozenset({errno.ENOSPC, errno.EDQUOT})  # what could not be written is tried again with the next line
_UNSUPPORTED = frozenset({errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS, errno.ESPIPE})
_NOWAIT: int = getattr(os, "RWF_NOWAIT", 0)
_BATCH = 1 << 16  # bytes
_FILE_BATCH = 1 << 20  # bytes; each write costs the thread its turn, which it may wait for
_FULL = 0.01  # seconds until a non-blocking descriptor is tried again


class StreamWriter:
    """A stream that takes whole lines and makes nobody wait longer than is said.

    Where the stream has a file descriptor, lines are written as far as the descriptor takes them; the rest waits and
    goes out first the next time. Lines of at most ``select.PIPE_BUF`` bytes reach a pipe in one write, so that several
    processes that share it do not tear each other's lines. A stream without a descriptor is written to directly. A full
    disk keeps lines waiting; a stream that is closed, or whose reader is gone, loses them.

    The owner serialises the calls, and bounds what waits: it hands over lines when none do.

    Args:
        stream: Where lines go; not closed here. None, which ``sys.stderr`` can be, fails like a closed stream.
        tally: Where lost lines and failures are counted.

    Attributes:
        waiting: Bytes that wait.
        prompt: Whether sending with a wait of 0 makes nobody wait: pipes, sockets, the null device, streams in memory.
        in_memory: Whether it takes whatever comes at once, or fails at once.
        batch: Bytes that are best handed over at a time.
    """

    def __init__(self, stream: TextIO | None, tally: Tally | None = None) -> None:
        self.tally = tally or Tally()
        self.waiting = 0
        self._pending = bytearray()
        self._torn = False
        self.redirect(stream)

    @property
    def unwritten(self) -> int:
        """Lines that wait, one that is written in part included."""
        return self._pending.count(b"\n")

    def redirect(self, stream: TextIO | None) -> None:
        """Write to *stream* from now on, what waits included."""
        self._stream = stream
        self._descriptor = _descriptor(stream)
        self.batch, self._chunk = _BATCH, PIPE_BUF
        if self._descriptor is None:
            self.prompt = self.in_memory = _is_in_memory(stream)
            self._nowait = False
            return
        self.in_memory = False
        self._poll = select.poll()
        self._poll.register(self._descriptor, select.POLLOUT)
        mode = _mode(self._descriptor)
        # A terminal that somebody stopped seems ready, and takes less than a line; a disk is never waited for by poll.
        self.prompt = not (stat.S_ISREG(mode) or (stat.S_ISCHR(mode) and os.isatty(self._descriptor)))
        self._nowait = self.prompt and _NOWAIT != 0
        if stat.S_ISREG(mode):
            self.batch, self._chunk = _FILE_BATCH, 0

    def hold(self, lines: Sequence[EncodedLine]) -> None:
        """Let *lines* wait too."""
        if lines:
            self._pending += b"\n".join(lines) + b"\n"
        self.waiting = len(self._pending)

    def drop_torn(self) -> None:
        """Lose the rest of a line of which a part is written, as its beginning is elsewhere."""
        if self._torn:
            self._torn = False
            del self._pending[: self._pending.find(b"\n") + 1]
            self.waiting = len(self._pending)
            self.tally.lose(1)

    def send(self, lines: Sequence[EncodedLine], wait: float) -> Exception | None:
        """Write *lines*, for at most about *wait* seconds; return what went wrong, never raise."""
        if self._descriptor is None:
            return self._write_text(lines)
        taken = 0
        if len(lines) == 1 and self._nowait and not self.waiting:
            taken = self._write_at_once(lines[0])
            if taken > len(lines[0]):
                return None
        if lines:
            self._pending += b"\n".join(lines) + b"\n"
            del self._pending[:taken]  # a socket may take a part
        try:
            self._drain(time.monotonic() + wait)
        except Exception as error:  # noqa: BLE001 - isolation is the job
            return self._lose(error)
        finally:
            self.waiting = len(self._pending)
        return None

    def forget(self) -> None:
        """Forget what waits, and what another thread may have been in the middle of."""
        self._pending = bytearray()
        self._torn = False
        self.waiting = 0
        self.redirect(self._stream)  # an object for polling refuses while a thread of the parent polls

    def _write_at_once(self, line: EncodedLine) -> int:
        """Write *line* and its newline as far as they are taken now, in one write; return how many bytes were."""
        try:
            if len(line) >= PIPE_BUF or self._stream.closed:  # type: ignore[union-attr] # it has a descriptor
                return 0
            return os.pwritev(self._descriptor, (line, b"\n"), -1, _NOWAIT)  # type: ignore[arg-type] # likewise
        except (OSError, ValueError):  # tried again, and reported, in the other way
            return 0

    def _drain(self, deadline: float) -> None:
        if self._descriptor is None or self._stream is None or self._stream.closed:
            raise ValueError("the stream is closed")  # its descriptor may be somebody else's by now
        while self._pending:
            wait = max(0.0, deadline - time.monotonic())
            try:
                if not self._nowait and not self._poll.poll(wait * 1000):
                    return
                data = self._next()
                if written := self._write(self._descriptor, data):
                    self._torn = not data.endswith(b"\n", 0, written)
                    del self._pending[:written]
            except BlockingIOError:
                if not self._poll.poll(wait * 1000) or wait == 0.0:
                    return
                time.sleep(min(wait, _FULL))  # ready, but not for as much as one write

    def _write(self, descriptor: int, data: bytes) -> int:
        if not self._nowait:
            return os.write(descriptor, data)
        try:
            return os.pwritev(descriptor, (data,), -1, _NOWAIT)
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                raise
        self._nowait = False
        return 0

    def _next(self) -> bytes:
        """Return what one write takes: whole lines if one fits."""
        limit = self._chunk or len(self._pending)
        end = self._pending.rfind(b"\n", 0, limit) + 1
        return bytes(self._pending[: end or limit])

    def _write_text(self, lines: Sequence[EncodedLine]) -> Exception | None:
        if not lines:
            return None
        try:
            self._stream.write("".join([line.decode() + "\n" for line in lines]))  # type: ignore[union-attr] # None fails like any other broken stream
            self._stream.flush()  # type: ignore[union-attr]
        except Exception as error:  # noqa: BLE001 - isolation is the job
            self.tally.lose(len(lines))
            self.tally.failure(error)
            return error
        return None

    def _lose(self, error: Exception) -> Exception:
        self.tally.failure(error)
        if not (isinstance(error, OSError) and error.errno in _PASSING):
            self.tally.lose(self._pending.count(b"\n"))
            self._pending.clear()
        return error


def _descriptor(stream: TextIO | None) -> int | None:
    try:
        descriptor = stream.fileno()  # type: ignore[union-attr] # None has no descriptor either
    except (AttributeError, OSError, ValueError):
        return None
    return descriptor if descriptor >= 0 else None


def _mode(descriptor: int) -> int:
    try:
        return os.fstat(descriptor).st_mode
    except OSError:
        return 0


def _is_in_memory(stream: object) -> bool:
    """Whether writing to *stream*, which has no descriptor, goes nowhere that could make anybody wait."""
    try:
        if getattr(stream, "closed", False) is True:
            return True
        buffer = stream.buffer if isinstance(stream, io.TextIOWrapper) else stream
    except ValueError:  # somebody took its buffer away: it fails at once
        return True
    return isinstance(buffer, io.StringIO | io.BytesIO | None)
