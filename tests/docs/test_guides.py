"""The guides for setting up monitoring, followed command by command with real servers on free ports."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from documents import FOLLOWED, ROOT, fences
from processes import executable, free_port

PORTS = ("9090", "9093", "9095", "9464")
INSTALLED = "apt-get install prometheus prometheus-alertmanager\n"
PROGRAMS = {"prometheus": "prometheus", "promtool": "prometheus", "amtool": "prometheus-alertmanager"}
SECONDS = 120


def script(guide: str, directory: Path) -> str:
    """Return the commands of *guide*, with free ports for its ports and a directory in *directory* for /etc."""
    text = "".join(fence for document, fence in fences("sh") if document == guide)
    assert INSTALLED in text
    text = text.replace(INSTALLED, "").replace("/etc/", f"{directory}/etc/")
    for port in PORTS:
        text = re.sub(rf"(?<=[\s:]){port}\b|(?<=\"localhost\", ){port}\b", str(free_port()), text)
    return text


@pytest.mark.slow
@pytest.mark.prometheus
@pytest.mark.parametrize("guide", FOLLOWED)
def test_who_follows_a_guide_gets_to_its_end(guide: str, tmp_path: Path) -> None:
    """Every command of the guide succeeds, in its order, in an empty directory."""
    for program, package in PROGRAMS.items():
        executable(program, package=package)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    commands = "set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null && wait' EXIT\n" + script(guide, tmp_path)
    work = tmp_path / "work"
    work.mkdir()
    status, output = run(commands, work, os.environ | {"PATH": path})
    logs = "".join(f"\n{log.name}:\n{log.read_text(encoding='utf-8')[-2000:]}" for log in work.glob("*.log"))
    assert status == 0, output + logs


def run(commands: str, directory: Path, environment: dict[str, str]) -> tuple[int | None, str]:
    """Run *commands* in *directory* and return the exit code, None if they hang, and the output; none runs on."""
    process = subprocess.Popen(
        ["bash", "-x", "-c", commands],
        cwd=directory,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return None, process.communicate()[0]
    return process.returncode, output


def test_the_installation_is_what_ci_does() -> None:
    """The packages that the guides install are those that CI installs."""
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert INSTALLED.split()[2:] == re.findall(r"prometheus\S*", re.findall(r"--no-install-recommends (.*)", ci)[0])[:2]
