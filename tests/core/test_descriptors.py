"""Whatever other code of the process does with our descriptors, its own files are never written to."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from oneiric.core.descriptors import Descriptor, open_files

PROGRAM = Path(__file__).parent.parent / "programs" / "descriptors.py"


def test_a_number_that_is_another_file_is_neither_written_nor_closed(tmp_path: Path) -> None:
    """A descriptor is ours only for as long as its number stands for the file that was opened."""
    (tmp_path / "ours").touch()
    (tmp_path / "theirs").touch()
    ours = Descriptor(os.open(tmp_path / "ours", os.O_RDWR))
    assert ours.write(b"data", 0) == 4
    os.close(ours.number)
    theirs = os.open(tmp_path / "theirs", os.O_RDWR)
    assert (theirs, ours.is_ours()) == (ours.number, False)
    with pytest.raises(OSError, match="other code of this process closed the descriptor"):
        ours.write(b"data", 0)
    ours.close()
    os.close(theirs)
    assert [(tmp_path / name).read_bytes() for name in ("ours", "theirs")] == [b"data", b""]


def test_a_descriptor_is_closed_once(tmp_path: Path) -> None:
    """Closing again does not close the file that has the number since, even if it is the same file."""
    ours = Descriptor(os.open(tmp_path, os.O_RDONLY))
    ours.close()
    again = os.open(tmp_path, os.O_RDONLY)
    ours.close()
    assert (again, open_files()[again]) == (ours.number, (tmp_path.stat().st_dev, tmp_path.stat().st_ino))
    os.close(again)


@pytest.mark.slow
@pytest.mark.parametrize("what", ["shared", "status", "activity", "activity_idle", "draft"])
def test_no_file_of_the_application_is_overwritten(tmp_path: Path, what: str) -> None:
    """After all descriptors were closed and files opened in their place, these stay as they are, and ours are whole."""
    ended = subprocess.run(
        [sys.executable, PROGRAM, what, tmp_path], capture_output=True, text=True, timeout=120, check=False
    )
    assert (ended.returncode, ended.stdout) == (0, "whole\n"), ended.stderr
    damaged = [path.name for path in (tmp_path / "theirs").iterdir() if path.read_bytes() != path.name.encode() * 1000]
    assert damaged == []
