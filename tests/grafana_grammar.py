"""Grafana's own grammar of LogQL, which a user may or may not have installed, for tests."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from processes import REQUIRED, executable

if TYPE_CHECKING:
    from collections.abc import Sequence

NODE = Path(__file__).parent / "node"
INSTALL = "npm install --prefix tests/node --no-package-lock --no-audit --no-fund"


def first_errors(queries: Sequence[str]) -> list[int | None]:
    """Return for each of *queries* where Grafana's grammar finds its first error, or None; skips where it is absent."""
    node = executable("node", package="nodejs")
    if not (NODE / "node_modules" / "@grafana" / "lezer-logql").is_dir():
        reason = f"needs Grafana's grammar of LogQL ({INSTALL})"
        if os.environ.get(REQUIRED):
            pytest.fail(reason)
        pytest.skip(reason)
    done = subprocess.run(
        [node, NODE / "logql.js"], input=json.dumps(queries), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found: list[int | None] = json.loads(done.stdout)
    return found
