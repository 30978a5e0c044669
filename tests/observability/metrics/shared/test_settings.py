"""Several workers of one service whose settings are made in code: the environment names what they share."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from processes import PROGRAMS, eventually, free_port, get

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECONDS = 120.0


def environment(directory: Path) -> dict[str, str]:
    """Return an environment that names the shared directory."""
    (directory / "state").mkdir()
    return os.environ | {"ONEIRIC_METRICS_DIR": str(directory / "shared"), "APP_STATE": str(directory / "state")}


def test_each_worker_shows_the_counts_of_all(tmp_path: Path) -> None:
    """4 workers with OneiricSettings(...) and ONEIRIC_METRICS_DIR: each scrape has all 40 resolutions."""
    command = [sys.executable, str(PROGRAMS / "worker_totals.py"), str(tmp_path / "state"), "4", "10"]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=SECONDS, check=True, env=environment(tmp_path)
    )
    assert json.loads(done.stdout) == [40.0] * 4


COMMANDS = {
    "gunicorn": ["gunicorn", "worker_app:wsgi", "--workers=4", "--worker-class=gthread", "--bind=127.0.0.1:{port}"],
    "uvicorn": ["uvicorn", "worker_app:asgi", "--workers=4", "--lifespan=off", "--port={port}"],
}


@contextmanager
def server(name: str, directory: Path) -> Iterator[str]:
    """Run the server *name* with 4 workers and yield its address."""
    port = free_port()
    command = [sys.executable, "-m", *(part.format(port=port) for part in COMMANDS[name])]
    with (directory / "log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(command, cwd=PROGRAMS, env=environment(directory), stdout=log, stderr=log)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(SECONDS)


def answers(url: str) -> bool:
    """Whether *url* answers."""
    try:
        return bool(get(url))
    except OSError:
        return False


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_a_server_with_several_workers_shows_all_hits(tmp_path: Path, name: str) -> None:
    """Real servers with 4 workers: 40 hits are 40 in each of 12 scrapes, whichever worker answers."""
    with server(name, tmp_path) as url:
        eventually(lambda: answers(f"{url}/metrics"), what=f"{name} answers", seconds=SECONDS)
        for _ in range(40):
            get(f"{url}/hit")
        pages = [get(f"{url}/metrics") for _ in range(12)]
    totals = [re.findall(r'^oneiric_resolution_total\{.*key="cache".*\} (.*)$', page, re.MULTILINE) for page in pages]
    assert totals == [["40.0"]] * 12
