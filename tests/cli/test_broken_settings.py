"""Settings of no use: one line and exit code 2, and nothing is waited for."""

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


def test_a_service_without_a_usable_state_says_so_in_a_line(tmp_path: Path) -> None:
    """Where what is paused can be neither read nor kept, it does not start, and names the file."""
    database = tmp_path / "state" / "domain_activity.sqlite"
    database.mkdir(parents=True)
    done = subprocess.run(
        [sys.executable, "-m", "oneiric", "orchestrate"],
        cwd=tmp_path,
        env=os.environ | {"ONEIRIC_STATE_DIR": str(database.parent), "ONEIRIC_METRICS_ADDRESS": "127.0.0.1:0"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1].startswith(f"oneiric: {database}: ")
    assert "Traceback" not in done.stderr
