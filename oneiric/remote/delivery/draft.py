"""A file on its way into the cache, and the digest of one that is there."""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from oneiric.core.descriptors import Descriptor, lost_descriptor
from oneiric.core.files import sync_directory
from oneiric.remote.delivery.eviction import PART_PREFIX
from oneiric.remote.delivery.threads import to_its_end

if TYPE_CHECKING:
    from collections.abc import Callable

_READ_BYTES = 1024 * 1024


class Draft:
    """An artifact that is being written: a file in *directory* with a unique name that nobody else looks at.

    Used by one task. What is begun is over when its call ends, be that by a cancellation.

    Args:
        directory: Where the file is.
        claim: Called with the bytes before they are written, and of as many negative ones when they are forgotten; may
            refuse by raising.
    """

    def __init__(self, directory: Path, *, claim: Callable[[int], None] = lambda _size: None) -> None:
        descriptor, name = tempfile.mkstemp(prefix=PART_PREFIX, dir=directory)
        self.path = Path(name)
        self._claim = claim
        self._claimed = 0
        self._descriptor = Descriptor(descriptor)
        self._file = os.fdopen(descriptor, "wb", buffering=0, closefd=False)

    async def write(self, data: bytes) -> None:
        """Append *data*, off the event loop; ValueError once sealed."""
        self._claim(len(data))
        self._claimed += len(data)
        await to_its_end(self._append, data)

    def restart(self) -> None:
        """Forget what was written, to begin again."""
        self._require_ours()
        self._file.seek(0)
        self._file.truncate()
        self._claim(-self._claimed)
        self._claimed = 0

    async def seal(self) -> tuple[str, int]:
        """Make what was written durable and final; return the SHA-256 of the file as it is now, and its size."""
        return await to_its_end(self._seal)

    async def publish(self, target: Path, now: float) -> None:
        """Rename what was sealed to *target*, last used *now*."""
        await to_its_end(self._publish, target, now)

    def close(self) -> None:
        """Remove what was not published; idempotent."""
        self._close()
        self.path.unlink(missing_ok=True)

    def _append(self, data: bytes) -> None:
        self._require_ours()
        if self._file.write(data) != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _require_ours(self) -> None:
        """Refuse to write to whatever other code of the process has opened under our number."""
        if not (self._file.closed or self._descriptor.is_ours()):
            raise lost_descriptor()

    def _close(self) -> None:
        self._file.close()
        self._descriptor.close()

    def _seal(self) -> tuple[str, int]:
        self._require_ours()
        os.fsync(self._file.fileno())
        self._close()
        return hash_file(self.path)

    def _publish(self, target: Path, now: float) -> None:
        os.utime(self.path, (now, now))
        self.path.replace(target)
        sync_directory(target.parent)


def hash_file(path: Path) -> tuple[str, int]:
    """Return the SHA-256 of the file at *path*, 64 lower-case hexadecimal digits, and its size; blocks."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(_READ_BYTES):
            digest.update(chunk)
            size += len(chunk)
    return digest.hexdigest(), size
