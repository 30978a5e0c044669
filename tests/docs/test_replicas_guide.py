"""The guide on replicas, followed command by command with a real PostgreSQL, a real Prometheus and three services."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from documents import REPLICAS, fences
from processes import executable, free_port

if TYPE_CHECKING:
    from postgres import Postgres

PORTS = ("9461", "9462", "9463", "9090")


@pytest.mark.slow
@pytest.mark.prometheus
@pytest.mark.postgres
def test_who_follows_the_guide_gets_to_its_end(postgres: Postgres, tmp_path: Path) -> None:
    """Every command of the guide succeeds, in its order, in an empty directory."""
    programs = [executable(name, package="prometheus") for name in ("prometheus", "promtool")]
    psql = shutil.which("psql")
    assert psql is not None
    commands = "".join(fence for document, fence in fences("sh") if document == REPLICAS)
    commands = commands.replace("946$number", "$(sed -n ${number}p ports)").replace("seq 120", "seq 600")
    ports = [free_port() for _ in PORTS]
    (tmp_path / "ports").write_text("".join(f"{port}\n" for port in ports), encoding="utf-8")
    for written, port in zip(PORTS, ports, strict=True):
        commands = re.sub(rf"(?<=localhost:){written}\b", str(port), commands)
    places = (Path(sys.executable), *map(Path, (*programs, psql)))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ONEIRIC_")} | {
        "PATH": os.pathsep.join([*(str(place.parent) for place in places), os.environ["PATH"]]),
        "PGHOST": str(postgres.directory),
        "PGPORT": str(postgres.port),
        "PGUSER": "postgres",
    }
    work = tmp_path / "work"
    work.mkdir()
    shutil.move(tmp_path / "ports", work / "ports")
    begin = "set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null && wait' EXIT\n"
    done = subprocess.run(
        ["bash", "-x", "-c", begin + commands],
        cwd=work,
        env=environment,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    logs = "".join(f"\n{log.name}:\n{log.read_text(encoding='utf-8')[-2000:]}" for log in work.glob("*.log"))
    assert done.returncode == 0, done.stdout + done.stderr + logs
