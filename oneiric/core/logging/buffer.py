"""The buffer of a queue: encoded lines in memory that wait to be written, bounded and counted."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from oneiric.core.limits import QUEUE_BYTES, QUEUE_LINES
from oneiric.core.logging.failures import trouble

if TYPE_CHECKING:
    from collections.abc import Sequence

EncodedLine: TypeAlias = "bytes | bytearray"
"""One line, without its newline."""


@dataclass(frozen=True)
class QueueLimits:
    """How much waits for a stream, and which lines are dropped when more come.

    Attributes:
        lines: Lines that wait.
        size: Bytes that wait, without the newlines.
        drop: Whether the oldest lines that wait make room, or the newest is not taken.
    """

    lines: int = QUEUE_LINES
    size: int = QUEUE_BYTES
    drop: Literal["oldest", "newest"] = "oldest"


class LineBuffer:
    """Lines in the order in which they came, within limits.

    Lines are appended to ``incoming``, without a lock, and accounted for later, many at a time. Accounting may be
    interrupted, by a signal handler or finaliser that logs, at any point: what interrupts it in its own thread leaves
    the lines alone.

    Attributes:
        incoming: Lines that came and are not accounted for yet.
        lines: The others.
        dropped: Lines lost for want of room.
        added: Lines accounted for so far.
        taken: Those of them that do not wait any more.
    """

    def __init__(self, limits: QueueLimits) -> None:
        self._limits = limits
        self._lock = threading.RLock()
        self._inside = False
        self._size = self.added = self.taken = self.dropped = 0
        self.incoming: deque[EncodedLine] = deque()
        self.lines: deque[EncodedLine] = deque()

    @property
    def entered(self) -> bool:
        """Whether the calling thread was interrupted in the middle of accounting."""
        if not self._lock.acquire(blocking=False):
            return False
        try:
            return self._inside
        finally:
            self._lock.release()

    @property
    def is_half_full(self) -> bool:
        """Whether half of the bytes that may wait do so."""
        return 2 * self._size > self._limits.size

    def account(self) -> None:
        """Account for the lines that came."""
        while self.incoming:
            with self._lock:
                if self._inside:  # what this call interrupts, in its own thread, goes on with it
                    return
                self._inside = True
                try:
                    self._add_all()  # no loop stands here: CPython 3.13 lets an interrupt at its end escape the block
                finally:
                    self._inside = False

    def take(self, room: int, few: int) -> Sequence[EncodedLine]:
        """Take out the oldest lines: *few* that came just now as they are, else what fits into *room* bytes, or one."""
        with self._lock:
            if self._inside:
                return ()
            self._inside = True
            try:
                return self._take(room) if self.lines or len(self.incoming) > few else self._take_incoming()
            finally:
                self._inside = False

    def clear(self) -> None:
        """Hold nothing any more, in a forked child, where a thread that is not there may have the lock."""
        self.incoming.clear()
        self.lines.clear()

    def count_handed_over(self) -> None:
        """Count a line that never was in here, and waits elsewhere."""
        with self._lock:
            self.added += 1
            self.taken += 1

    def _add_all(self) -> None:
        incoming = self.incoming
        for _ in range(len(incoming)):
            self._add(incoming.popleft())

    def _add(self, line: EncodedLine) -> None:
        size, limits, lines = self._size + len(line), self._limits, self.lines
        if size > limits.size or len(lines) >= limits.lines:
            if limits.drop == "newest" or len(line) > limits.size:
                self._drop()
                return
            while lines and (size > limits.size or len(lines) >= limits.lines):
                size -= len(lines.popleft())
                self.taken += 1
                self._drop()
        lines.append(line)
        self._size = size
        self.added += 1

    def _drop(self) -> None:
        self.dropped += 1
        trouble.seen += 1

    def _take_incoming(self) -> Sequence[EncodedLine]:
        take = self.incoming.popleft
        batch = [take() for _ in range(len(self.incoming))]
        self.added += len(batch)
        self.taken += len(batch)
        return batch

    def _take(self, room: int) -> Sequence[EncodedLine]:
        self._add_all()
        lines = self.lines
        batch: list[EncodedLine] = []
        while lines and (not batch or len(lines[0]) <= room):
            line = lines.popleft()
            batch.append(line)
            room -= len(line)
        self.taken += len(batch)
        self._size = self._size - sum(map(len, batch)) if lines else 0
        return batch
