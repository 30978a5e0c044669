"""Replacing a file atomically."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from oneiric.core.files import make_private_directory, write_atomic

if TYPE_CHECKING:
    from pathlib import Path


def test_writes_a_file_and_its_directory(tmp_path: Path) -> None:
    """A missing directory is made; only the owner can read the file; nothing else is left."""
    path = tmp_path / "new" / "file"
    write_atomic(path, b"content")
    assert path.read_bytes() == b"content"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_replaces_what_was_there(tmp_path: Path) -> None:
    """The old content is gone."""
    write_atomic(tmp_path / "file", b"old and long")
    write_atomic(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"


def test_a_failure_keeps_the_old_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the data cannot be made durable, the old content stays and no temporary file remains."""

    def full(_descriptor: int) -> None:
        raise OSError("no space left")

    write_atomic(tmp_path / "file", b"old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space left"):
        write_atomic(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_makes_directories_for_their_owner_only(tmp_path: Path) -> None:
    """Each directory that was missing is private; one that was there keeps its mode."""
    tmp_path.chmod(0o755)
    make_private_directory(tmp_path / "a" / "b")
    make_private_directory(tmp_path / "a" / "b")
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path, tmp_path / "a", tmp_path / "a" / "b")]
    assert modes == [0o755, 0o700, 0o700]
