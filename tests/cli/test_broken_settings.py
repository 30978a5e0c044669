"""Commands with a settings file that is none: one line and exit code 2, and nothing is waited for."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
@pytest.mark.parametrize("command", ["orchestrate", "status"])
def test_a_fifo_is_no_settings_file(tmp_path: Path, command: str) -> None:
    """A service and a command end at once, and say in one line which file it is and what is expected."""
    fifo = tmp_path / "oneiric.yaml"
    os.mkfifo(fifo)
    done = subprocess.run(
        [sys.executable, "-m", "oneiric", "--config", str(fifo), command],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    (line,) = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (2, "")
    assert line.startswith(f"oneiric: {fifo}: is a FIFO; a regular file with settings expected")
