"""The guide on logging: what it says of logrotate, tried with logrotate."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

from documents import fences
from processes import executable

from oneiric.core.logging.handlers import RotatingLineHandler

if TYPE_CHECKING:
    from pathlib import Path


def test_no_line_is_lost_with_logrotate(tmp_path: Path) -> None:
    """With the configuration of the guide, lines before, between and after two rotations are each in one file."""
    program = executable("logrotate", package="logrotate")
    ((_, config),) = fences("logrotate")
    path = tmp_path / "shop.log"
    (tmp_path / "conf").write_text("nocompress\n" + config.replace("/var/log/shop/shop.log", str(path)))
    (tmp_path / "conf").chmod(0o600)
    handler = RotatingLineHandler(path, max_bytes=0, backup_count=5)
    for number in range(3):
        handler.send(json.dumps({"n": number}).encode())
        assert handler.queue.flush(30)
        if number < 2:
            state = ["--state", str(tmp_path / "state"), "--force", str(tmp_path / "conf")]
            subprocess.run([program, *state], check=True, capture_output=True, timeout=60)
    handler.close()
    files = {file.name for file in tmp_path.glob("shop.log*")}
    assert (files, path.read_text()) == ({"shop.log", "shop.log.1", "shop.log.2.gz"}, '{"n": 2}\n')
    assert (tmp_path / "shop.log.1").read_text() == '{"n": 1}\n'
