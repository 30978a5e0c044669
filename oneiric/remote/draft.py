"""A file on its way into the cache, and the digest of one that is there."""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
from pathlib import Path

from oneiric.core.files import sync_directory
from oneiric.remote.eviction import PART_PREFIX

_READ_BYTES = 1024 * 1024


class Draft:
    """An artifact that is being written: a file in *directory* with a unique name that nobody else looks at."""

    def __init__(self, directory: Path) -> None:
        descriptor, name = tempfile.mkstemp(prefix=PART_PREFIX, dir=directory)
        self.path = Path(name)
        self.size = 0
        self._hash = hashlib.sha256()
        self._file = os.fdopen(descriptor, "wb")

    async def write(self, data: bytes) -> None:
        """Append *data*, off the event loop."""
        await asyncio.to_thread(self._write, data)

    def restart(self) -> None:
        """Forget what was written, to begin again."""
        self._file.seek(0)
        self._file.truncate()
        self._hash, self.size = hashlib.sha256(), 0

    def digest(self) -> str:
        """Return the SHA-256 of what was written, 64 lower-case hexadecimal digits."""
        return self._hash.hexdigest()

    def publish(self, target: Path, now: float) -> None:
        """Make what was written durable and rename it to *target*, last used *now*; blocks."""
        self._file.flush()
        os.fsync(self._file.fileno())
        os.utime(self.path, (now, now))
        self.path.replace(target)
        sync_directory(target.parent)

    def close(self) -> None:
        """Remove what was not published; idempotent."""
        self._file.close()
        self.path.unlink(missing_ok=True)

    def _write(self, data: bytes) -> None:
        self._hash.update(data)
        self._file.write(data)
        self.size += len(data)


def hash_file(path: Path) -> tuple[str, int]:
    """Return the SHA-256 of the file at *path*, 64 lower-case hexadecimal digits, and its size; blocks."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(_READ_BYTES):
            digest.update(chunk)
            size += len(chunk)
    return digest.hexdigest(), size
