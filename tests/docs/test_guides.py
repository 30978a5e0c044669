"""The guides for setting up monitoring, followed command by command with real servers on free ports."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from documents import DOCUMENTS, FOLLOWED, ROOT, fences
from processes import executable, free_port

PORTS = ("9090", "9093", "9095", "9464")
INSTALLED = "apt-get install prometheus prometheus-alertmanager\n"
PROGRAMS = {"prometheus": "prometheus", "promtool": "prometheus", "amtool": "prometheus-alertmanager"}
SECONDS = 900
PATIENCE = "seq 120"
"""How the guides say for how long something is waited for; a busy machine may take longer."""


def script(guide: str, directory: Path) -> str:
    """Return the commands of *guide*, with free ports for its ports and a directory in *directory* for /etc."""
    text = "".join(fence for document, fence in fences("sh") if document == guide)
    assert INSTALLED in text
    assert PATIENCE in text
    text = text.replace(INSTALLED, "").replace("/etc/", f"{directory}/etc/").replace(PATIENCE, "seq 600")
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


@pytest.mark.parametrize("guide", FOLLOWED)
def test_a_guide_gives_up_and_says_why(guide: str, tmp_path: Path) -> None:
    """What never comes ends the wait with an error, which names it and shows the ends of the logs."""
    (waiting,) = [fence for document, fence in fences("sh") if document == guide and PATIENCE in fence]
    (tmp_path / "prometheus.log").write_text("the port is taken\n", encoding="utf-8")
    done = subprocess.run(
        ["bash", "-c", waiting.replace(PATIENCE, "seq 1") + 'wait_for "a scrape" false'],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "without a scrape" in done.stderr
    assert "the port is taken" in done.stderr


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_no_command_waits_for_ever(path: Path) -> None:
    """No document has a loop that ends only with what it waits for."""
    assert not re.search(r"^\s*(until|while) .*; do\b", path.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_nothing_is_copied_over_a_configuration(path: Path) -> None:
    """A command that copies to where a server reads its configuration keeps what was there, or has its own place."""
    commands = re.findall(r"^ *(?:sudo )?cp (.*/etc/.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert [one for one in commands if not re.search(r"--backup=numbered|-r merged/oneiric |-a /etc/", one)] == []


def test_the_installation_is_what_ci_does() -> None:
    """The packages that the guides install are those that CI installs."""
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert INSTALLED.split()[2:] == re.findall(r"prometheus\S*", re.findall(r"--no-install-recommends (.*)", ci)[0])[:2]
