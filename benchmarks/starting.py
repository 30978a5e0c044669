"""What importing the package, asking the command for help and asking a service for its status take, as programs.

Byte code is kept, as it is for whatever is installed, in a directory of the benchmark's.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks._measure import ELAPSED, in_turns, once
from benchmarks._report import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks._measure import Effort, Ratios, Subject

ROWS = (
    Row(name="import", what="import oneiric vs python -c pass", at_least=4, aim=2),
    Row(name="help", what="oneiric --help vs that of an empty Typer app", at_least=1.5, aim=1.2),
    Row(name="help-module", what="python -m oneiric --help vs the empty Typer app"),
    Row(name="status", what="oneiric status of a running service vs the empty Typer app's help", at_least=2, aim=1.5),
)

STARTS_WITHIN = 60
"""Seconds that the service may take to start."""

EMPTY = """
import typer

app = typer.Typer()


@app.command()
def one() -> None:
    pass


@app.command()
def two() -> None:
    pass


if __name__ == "__main__":
    app()
"""


def measure(effort: Effort) -> Ratios:
    """Return the ratios of every row."""
    with tempfile.TemporaryDirectory() as directory:
        empty = Path(directory) / "empty.py"
        empty.write_text(EMPTY, encoding="utf-8")
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment["PYTHONPYCACHEPREFIX"] = directory
        subjects = {
            "pass": _program(environment, sys.executable, "-c", "pass"),
            "import": _program(environment, sys.executable, "-c", "import oneiric"),
            "empty": _program(environment, sys.executable, str(empty), "--help"),
            "command": _program(environment, str(Path(sys.executable).with_name("oneiric")), "--help"),
            "module": _program(environment, sys.executable, "-m", "oneiric", "--help"),
        }
        with _service(Path(directory), environment) as config:
            command = (str(Path(sys.executable).with_name("oneiric")), "--config", str(config), "status")
            subjects["status"] = _program(environment, *command)
            rounds = list(in_turns(subjects, effort.rounds))
    return {
        "import": [r["import"] / r["pass"] for r in rounds],
        "help": [r["command"] / r["empty"] for r in rounds],
        "help-module": [r["module"] / r["empty"] for r in rounds],
        "status": [r["status"] / r["empty"] for r in rounds],
    }


@contextmanager
def _service(directory: Path, environment: dict[str, str]) -> Iterator[Path]:
    """Run a service in *directory*, and yield its settings file."""
    config, socket = directory / "oneiric.json", directory / "control.sock"
    settings = {"cache_dir": str(directory / "cache"), "observability": {"metrics_server": False}}
    config.write_text(json.dumps(settings | {"control": {"socket": str(socket)}}), encoding="utf-8")
    command = [sys.executable, "-m", "oneiric", "--config", str(config), "orchestrate"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(STARTS_WITHIN * 10):
                if socket.exists():
                    break
                time.sleep(0.1)
            yield config
        finally:
            process.terminate()


def _program(environment: dict[str, str], *command: str) -> Subject:
    return once(lambda: subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True), clock=ELAPSED)
