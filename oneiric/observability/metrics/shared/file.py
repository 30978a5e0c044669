"""The file in which one process keeps its counts, where every process of its service can read them.

Written with one system call a series, not through a memory map: a full disk or a file that somebody cut short is an
error then, and no signal that ends the process. The series of one event cannot be one write: the slots of each stand in
a record of its own. The file is locked for as long as its process lives.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import time
from typing import TYPE_CHECKING, Any, Final

from oneiric.core.descriptors import Descriptor, lost_descriptor
from oneiric.core.files import make_private_directory
from oneiric.observability.metrics.shared.format import (
    HEADER_BYTES,
    header_bytes,
    record_bytes,
    slot_bytes,
    slots_offset,
    used_slot,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from oneiric.observability.metrics.shared.cells import SharedCell

SUFFIX: Final = ".oneiric"
COUNTS: Final = "counts-"
"""How the names of these files begin; in the order of their names they are in the order of their making."""

MAX_OWN_BYTES: Final = 32 * 1024 * 1024
"""Size of a file from which on no label set is given a series of its own."""

RETRY_SECONDS: Final = 1.0
"""How long a process that cannot write its file counts for itself only, before it tries again."""

_MIN_WASTE = 65_536


class SharedFile:
    """The counts of this process in *directory*. Not thread-safe: to be used under the lock of whoever counts.

    The file is made with the first change, by whatever process makes it, so that a forked child never writes its
    parent's. While it cannot be made or written, counts are kept in memory, and are in the file as soon as it can.

    Args:
        directory: Where it lies.
        opened: Called when the file of this process was made.
        full: Called when it has become so large that there should be no further label sets.
        report: Called with errors, at most one for each RETRY_SECONDS.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        directory: Path,
        *,
        opened: Callable[[], None],
        full: Callable[[], None],
        report: Callable[[OSError], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.cells: dict[bytes, SharedCell] = {}
        self.name = ""
        self._directory = directory
        self._opened = opened
        self._full = full
        self._emit = report
        self._clock = clock
        self._descriptor = Descriptor(-1)
        self._is_checked = False
        self._used = HEADER_BYTES
        self._times_used = 2
        self._waste = 0
        self._quiet_until = float("-inf")
        self._closed = False

    @property
    def descriptor(self) -> int:
        """The number under which the file is open; -1: there is none."""
        return self._descriptor.number

    def add(self, cell: SharedCell) -> None:
        """Let *cell* be in the file."""
        self.cells[cell.key] = cell
        if self.descriptor < 0:
            return
        start = self._used
        try:
            self._append(record_bytes(cell.record, cell.number))
        except OSError as error:
            self.failed(error)
        else:
            self._place(cell, start)

    def drop(self, cell: SharedCell) -> None:
        """Let *cell* be no more in the file."""
        if self.cells.get(cell.key) is cell:
            del self.cells[cell.key]
        cell.end()
        if self.descriptor >= 0:
            self._waste += slots_offset(cell.key) + 2 * slot_bytes(len(cell.record.numbers))
            if self._waste > max(_MIN_WASTE, self._used // 2):
                self._make()

    def write(self, data: bytes | bytearray, place: int) -> int:
        """Write *data* at *place*; OSError where that fails, or the descriptor is another file's by now.

        Somebody who closes all descriptors and opens a file of his own would find our counts in it.
        """
        if not self._is_checked and not self._descriptor.is_ours():
            raise lost_descriptor()
        return os.pwrite(self._descriptor.number, data, place)

    def check_once(self, count: Callable[[Any], None], record: Any) -> None:
        """Call *count* with *record*, and check the descriptor once for all that it writes."""
        self._is_checked = self._descriptor.is_ours()  # no call before the block: a handler that raises resets it too
        try:
            count(record)
        finally:
            self._is_checked = False

    def is_in_place(self) -> bool:
        """Whether the file is where readers look for it, if there is one."""
        if self.descriptor < 0:
            return True
        try:
            found = (self._directory / self.name).stat()
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == self._descriptor.identity

    def mend(self) -> None:
        """Write the file anew, where there is one."""
        if self.descriptor >= 0:
            self._make()

    def renew(self) -> None:
        """Start without a file: in a child of a fork."""
        self._close()
        self.name = ""
        self._quiet_until = float("-inf")

    def close(self) -> None:
        """Write no more; what was counted stays in the file."""
        self._closed = True
        self._close()

    def _close(self) -> None:
        self._descriptor.close()
        self._descriptor, self._is_checked = Descriptor(-1), False

    def failed(self, error: OSError) -> None:
        """Make the file, or make it anew, because something could not be written; at times only. Never raises."""
        if self._closed or self._clock() < self._quiet_until:
            return
        if self.descriptor >= 0:
            self._report(error)
        self._make()

    def _make(self) -> None:
        """Make the file from all cells, in the place of an older one; readers find one or the other."""
        name = self.name or f"{COUNTS}{time.time_ns():020d}-{os.getpid()}-{secrets.token_hex(4)}{SUFFIX}"
        temporary = self._directory / f".{name}.tmp"
        try:
            make_private_directory(self._directory)  # somebody may have removed it
            descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            self._report(error)
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            used = self._fill(descriptor)
            temporary.rename(self._directory / name)
        except OSError as error:
            os.close(descriptor)
            temporary.unlink(missing_ok=True)
            self._report(error)
            return
        first = not self.name
        self._close()
        self.name, self._descriptor = name, Descriptor(descriptor)
        self._waste, self._times_used = 0, 2
        place = HEADER_BYTES
        for cell in self.cells.values():
            place = self._place(cell, place)
        self._used = used
        if first:
            self._opened()

    def _fill(self, descriptor: int) -> int:
        content = b"".join([record_bytes(cell.record, cell.number) for cell in self.cells.values()])
        used = HEADER_BYTES + len(content)
        content = header_bytes(used) + content
        while content:
            content = content[os.write(descriptor, content) :]
        return used

    def _place(self, cell: SharedCell, start: int) -> int:
        first = start + slots_offset(cell.key)
        size = slot_bytes(len(cell.record.numbers))
        cell.places = (first, first + size)
        return first + 2 * size

    def _append(self, data: bytes) -> None:
        used = self._used + len(data)
        if self.write(data, self._used) != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._times_used += 1
        place, said = used_slot(used, self._times_used)
        self.write(said, place)
        self._used = used
        if used > MAX_OWN_BYTES:
            self._full()

    def _report(self, error: OSError) -> None:
        self._quiet_until = self._clock() + RETRY_SECONDS
        self._emit(error)
