"""Descriptors with the identity of the file they were opened for.

Other code of the process may close all descriptors (a library that makes a daemon of it, for instance) and open files
of its own, which get the same numbers. What is written or closed by number must be looked at before.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress


class Descriptor:
    """A file that was opened under *number*; -1 stands for none.

    Attributes:
        identity: Device and inode of the file; None: it is closed.
    """

    __slots__ = ("identity", "number")

    def __init__(self, number: int) -> None:
        self.number = number
        self.identity = identity_of(number)

    def is_ours(self) -> bool:
        """Whether the number still stands for the file."""
        return identity_of(self.number) == self.identity is not None

    def write(self, data: bytes | memoryview, place: int) -> int:
        """Write *data* at *place* and return how many bytes were written; OSError where that is not our file."""
        if not self.is_ours():
            raise lost_descriptor()
        return os.pwrite(self.number, data, place)

    def close(self) -> None:
        """Close the file, unless the number is another file's by now; idempotent."""
        if self.is_ours():
            self.identity = None
            with suppress(OSError):
                os.close(self.number)


def identity_of(number: int) -> tuple[int, int] | None:
    """Return device and inode of the file that is open under *number*, None where there is none."""
    try:
        found = os.fstat(number)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def open_files() -> dict[int, tuple[int, int]]:
    """Return the identity of every file that is open in this process, by its number; nothing where nobody says so."""
    numbers: list[str] = []
    with suppress(OSError):
        numbers = os.listdir("/dev/fd")  # noqa: PTH208 - numbers, no paths
    found = {int(number): identity_of(int(number)) for number in numbers if number.isdecimal()}
    return {number: identity for number, identity in found.items() if identity is not None}


def lost_descriptor() -> OSError:
    """Return the error of a number that is no longer, or not, the file that was opened."""
    return OSError(errno.EBADF, "other code of this process closed the descriptor of this file")
