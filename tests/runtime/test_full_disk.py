"""A service whose state directory has no room, or whose state somebody else has locked."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest
from services import service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow


@contextmanager
def full_disk(directory: Path) -> Iterator[Path]:
    """Mount a file system without room at *directory*, and yield the file that fills it."""
    directory.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", directory], check=False).returncode:
        pytest.skip("this machine does not let root mount a file system")
    filler = directory / "filler"
    try:
        with suppress(OSError), filler.open("wb", buffering=0) as file:
            while file.write(b"x" * 4096):
                continue
        yield filler
    finally:
        subprocess.run(["umount", "--lazy", directory], check=True)


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("mount") is None, reason="needs root, to mount a small disk")
def test_a_service_starts_on_a_full_disk(tmp_path: Path) -> None:
    """It serves, says that the disk is full, refuses to pause, and does so once there is room."""
    with full_disk(tmp_path / "state") as filler, service(tmp_path) as one:
        one.start()
        refused = one.run("pause", "cache")
        degraded = one.metrics()
        filler.unlink()
        done = one.run("pause", "cache")
        healed = one.metrics()
        errors = [line["error"] for line in one.events("observability-hook-error")]
        one.stop()
    assert (refused.returncode, done.returncode) == (1, 0)
    assert "the disk is full" in refused.stderr
    assert any("the disk is full" in error for error in errors)
    assert 'oneiric_activity_store_degraded{problem="unwritable"} 1.0' in degraded
    assert 'oneiric_activity_store_degraded{problem="unwritable"} 0.0' in healed


def test_a_service_starts_under_a_lock_and_keeps_what_is_paused(tmp_path: Path) -> None:
    """A lock on its state stops neither its start nor its answers, and what was paused gets no work."""
    with service(tmp_path, runtime={"start": ["adapter/cache"]}) as one:
        assert one.run("pause", "cache").returncode == 0
        lock = sqlite3.connect(one.state / "domain_activity.sqlite", isolation_level=None)
        lock.execute("BEGIN EXCLUSIVE")
        one.start()
        shown = one.run("activity", "--json").stdout
        locked = one.run("resume", "cache")
        lock.execute("ROLLBACK")
        lock.close()
        resumed = one.run("resume", "cache")
        one.stop()
    assert '"paused": true' in shown
    assert (locked.returncode, resumed.returncode) == (1, 0)
    assert "locked by another process" in locked.stderr
