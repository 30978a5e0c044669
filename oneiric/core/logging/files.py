"""The file of a file handler: shared with other processes, rotated when it is full, reopened when it is moved away."""

from __future__ import annotations

import fcntl
import logging.handlers
import math
import os
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from oneiric.core.logging.internals import opened
from oneiric.core.logging.writer import StreamWriter

if TYPE_CHECKING:
    from collections.abc import Sequence
    from io import TextIOWrapper

    from oneiric.core.logging.buffer import EncodedLine

_ATTEMPTS = 3  # at writing to a file that is removed meanwhile, and at finding one with room
_MAX_WAIT = 1.0  # seconds to wait for another process that replaces the file, before lines go on into the present one
_MOMENT = 0.001  # seconds between looks at it

_Identity: TypeAlias = "tuple[int, int]"


def open_log(path: str) -> TextIOWrapper:
    """Return the file at *path*, which is made with its directory, to append to; closing it leaves its descriptor open.

    Whoever closes the descriptor makes sure first that it still belongs to this file.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
    return os.fdopen(descriptor, "a", encoding="utf-8", closefd=False)


class LogFile:
    """Where the lines of a file handler go.

    Several processes, and several handlers, may write to one file; lines are appended whole. Only one of them replaces
    a full file at a time, for which it holds a lock on it (``flock``); the others wait for that for a bounded time.

    Before each write it is made sure that the descriptor still is the one that was opened, whoever closed and reused
    its number, and that the file still is at its path. Otherwise the path is opened again. Lines that went into a file
    which was removed at that moment are written again; while the path cannot be opened, lines wait.

    The owner serialises the calls.

    Args:
        handler: Opens the file, and says when it is full.
    """

    prompt = in_memory = False

    def __init__(self, handler: logging.handlers.RotatingFileHandler) -> None:
        self._handler = handler
        self._lines = StreamWriter(None)
        self.tally = self._lines.tally
        self.waiting = 0
        self._descriptor: int | None = None
        self._identity: _Identity = (0, 0)
        self._blocked: _Identity | None = None  # the file that somebody kept locked for long
        self._use(handler.stream or open_log(handler.baseFilename))
        self.batch = self._lines.batch

    @property
    def unwritten(self) -> int:
        """Lines that wait."""
        return self._lines.unwritten

    def forget(self) -> None:
        """Forget what waits, in a forked child, which shares its parent's lock until it has opened the file itself."""
        self._lines.forget()
        self.waiting = 0
        self._inherited = True

    def send(self, lines: Sequence[EncodedLine], wait: float) -> Exception | None:
        """Write *lines*, to a new file where the present one is full."""
        failed: Exception | None = None
        for part in self._parts(lines):
            failed = self._send(part, wait) or failed
        self.waiting = self._lines.waiting
        return failed

    def rotate(self) -> None:
        """Begin a new file, unless another process did or is about to; OSError if that fails."""
        if self._inherited:
            self._reopen()
        old = self._descriptor
        if old is None or not self._lock(old):
            return
        try:
            if self._is_at_path():  # nobody was faster
                logging.handlers.RotatingFileHandler.doRollover(self._handler)
        finally:
            fcntl.flock(old, fcntl.LOCK_UN)  # a forked child may have the descriptor too
            self._reopen()

    def close(self) -> None:
        """Close the file; a later line opens it again."""
        if self._status() is not None and self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor, self._handler.stream = None, None
        self._lines.redirect(None)

    def _use(self, stream: TextIOWrapper) -> None:
        identity = _identity(os.fstat(stream.fileno()))
        if identity != self._identity:
            self._lines.drop_torn()
        self._handler.stream = stream
        self._descriptor, self._identity = stream.fileno(), identity
        self._inherited = False
        self._lines.redirect(stream)

    def _reopen(self) -> None:
        """Open the path, and only then let go of the present file."""
        stream = self._handler.stream
        if stream is None or stream.fileno() == self._descriptor:
            stream = opened(self._handler)
        self.close()
        self._use(stream)

    def _send(self, part: Sequence[EncodedLine], wait: float) -> Exception | None:
        failed: Exception | None = None
        try:
            self._follow()
            self._make_room(_size(part))
        except OSError as error:
            failed = self._count(error)
        return self._deliver(part, wait) or failed

    def _follow(self) -> None:
        """See to it that the descriptor is ours, and leads to the file at the path."""
        status = self._status()
        if status is None or self._is_removed(status):
            self.close()
        elif self._handler.stream is not None and (not stat.S_ISREG(status.st_mode) or self._is_at_path()):
            return
        self._reopen()

    def _make_room(self, size: int) -> None:
        for _ in range(_ATTEMPTS):  # what another process began may be full again
            room = self._room()
            if size <= room or room == self._handler.maxBytes:  # an empty file is not replaced
                return
            self.rotate()

    def _lock(self, descriptor: int) -> bool:
        """Lock the file, once others have replaced it if they are about to; return False if they are, for long."""
        deadline = time.monotonic() + (0.0 if self._blocked == self._identity else _MAX_WAIT)
        while not _locked(descriptor):
            if time.monotonic() >= deadline:
                self._blocked = self._identity
                return False
            time.sleep(_MOMENT)
        return True

    def _deliver(self, part: Sequence[EncodedLine], wait: float) -> Exception | None:
        """Write *part*; it waits while there is no file."""
        before = self._lines.unwritten
        for _ in range(_ATTEMPTS):
            if self._descriptor is None:
                self._lines.hold(part)
                return None
            failed = self._lines.send(part, wait)
            status = self._status()
            if failed or self._lines.waiting or status is None or not self._is_removed(status):
                return failed
            self.tally.lose(before)
            before = 0
            self.close()
            try:
                self._reopen()
            except OSError as error:
                self._lines.hold(part)
                return self._count(error)
        self.tally.lose(len(part))
        return None

    def _count(self, error: Exception) -> Exception:
        self.tally.failure(error)
        return error

    def _parts(self, lines: Sequence[EncodedLine]) -> Sequence[Sequence[EncodedLine]]:
        """Return *lines* in parts that each go into one file: all of them if they fit."""
        if not lines or self._room() >= _size(lines):
            return [lines]
        return [[line] for line in lines]

    def _room(self) -> float:
        """Return how many bytes the file may grow by."""
        handler, status = self._handler, self._status()
        if status is None or not handler.maxBytes or not handler.backupCount or self._lines.waiting:
            return math.inf
        return handler.maxBytes - status.st_size if stat.S_ISREG(status.st_mode) else math.inf

    def _status(self) -> os.stat_result | None:
        """Return the status of the file that was opened; None if its descriptor is closed or somebody else's."""
        if self._descriptor is None:
            return None
        try:
            status = os.fstat(self._descriptor)
        except OSError:
            return None
        return status if _identity(status) == self._identity else None

    def _is_removed(self, status: os.stat_result) -> bool:
        return stat.S_ISREG(status.st_mode) and not status.st_nlink and not self._is_at_path()

    def _is_at_path(self) -> bool:
        """Whether the file that was opened is at its path; True where nobody lets us look."""
        try:
            return _identity(Path(self._handler.baseFilename).stat()) == self._identity
        except FileNotFoundError:
            return False
        except OSError:
            return True


def _identity(status: os.stat_result) -> _Identity:
    return status.st_dev, status.st_ino


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _size(lines: Sequence[EncodedLine]) -> int:
    return sum(map(len, lines)) + len(lines)
