"""A file on its way into the cache: what is published is what was verified."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from typing import TYPE_CHECKING

import pytest

from oneiric.remote.delivery import Draft

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE = 60.0


class Gate:
    """A file whose writes of one text wait until they are let go."""

    def __init__(self, draft: Draft, held: bytes) -> None:
        self._file, self._held = draft._file, held
        self.reached, self.release = threading.Event(), threading.Event()
        draft._file = self  # type: ignore[assignment]  # stands in for a slow disk

    def write(self, data: bytes) -> int:
        """Write *data*, which may take long."""
        if data == self._held:
            self.reached.set()
            self.release.wait(PATIENCE)
        return self._file.write(data)

    def __getattr__(self, name: str) -> object:
        """Be the file in everything else."""
        return getattr(self._file, name)


async def test_a_cancelled_write_ends_before_the_draft_begins_again(tmp_path: Path) -> None:
    """However often it is cancelled, a write is over once its caller goes on: nothing gets into the next attempt."""
    draft = Draft(tmp_path)
    gate = Gate(draft, b"old")
    writing = asyncio.create_task(draft.write(b"old"))
    assert await asyncio.to_thread(gate.reached.wait, PATIENCE)
    for _time in range(2):
        writing.cancel()
        await asyncio.sleep(0)
    ended_early = writing.done()
    gate.release.set()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert not ended_early
    draft.restart()
    await draft.write(b"new")
    digest, size = await draft.seal()
    assert (draft.path.read_bytes(), digest, size) == (b"new", hashlib.sha256(b"new").hexdigest(), 3)


async def test_the_digest_is_that_of_the_file(tmp_path: Path) -> None:
    """What is verified is what is on disk, whoever wrote it."""
    draft = Draft(tmp_path)
    await draft.write(b"ours")
    draft._file.write(b" and theirs")
    digest, size = await draft.seal()
    assert (digest, size) == (hashlib.sha256(b"ours and theirs").hexdigest(), 15)


async def test_nothing_is_written_after_sealing(tmp_path: Path) -> None:
    """A draft that was verified takes no more bytes."""
    draft = Draft(tmp_path)
    await draft.seal()
    with pytest.raises(ValueError, match="closed file"):
        await draft.write(b"late")
    draft.close()
    assert not draft.path.exists()
