"""Settings of no use: one line and exit code 2, and nothing is waited for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from oneiric.cli.app import app

if TYPE_CHECKING:
    from collections.abc import Callable

COMMANDS = (
    *("list", "explain x", "swap x", "pause x", "resume x", "drain x", "activity", "activity recover --from witness"),
    *("status", "health", "remote-status", "remote-sync", "orchestrate", "reload", "plugins", "action-invoke x"),
    *("metrics", "logs", "cache status", "cache clean", "settings show"),
)
"""Every command that reads settings but `settings check`, whose answer they are."""
BROKEN = {
    "malformed": ("a: 1\nadapters: [\n", "{file}: YAML expected; line 3, column 1: did not find expected node content"),
    "wrong": (
        "app: {{name: x}}\nlifecycle:\n  health_timeout: soon\n".replace("{{", "{").replace("}}", "}"),
        "{file}, line 3: lifecycle.health_timeout = 'soon': Input should be a valid number",
    ),
    "twice": ("state_dir: a\nstate_dir: b\n", "{file}: YAML expected; line 2: the key 'state_dir' is in line 1, too"),
}
"""What a file has, and how the error begins."""


def sparse(path: Path) -> None:
    """Make a file of 4 GB, without any content, at *path*."""
    path.touch()
    os.truncate(path, 4_000_000_000)


OBJECTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "fifo": (os.mkfifo, "is a FIFO; a regular file with settings expected"),
    "directory": (Path.mkdir, "is a directory; name the settings file in it"),
    "zeros": (lambda path: path.symlink_to("/dev/zero"), "is a device; a regular file with settings expected"),
    "sparse": (sparse, "larger than 4194304 bytes"),
}
"""How what is no settings file is made, and what is said of it."""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current directory and an environment without any settings."""
    for name in list(os.environ):
        if name.upper().startswith("ONEIRIC_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "user"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def invoke(file: Path, command: str) -> Any:
    """Run *command* with the settings *file*, in this process."""
    return CliRunner().invoke(app, ["--config", str(file), *command.split()])


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_wrong_is_said_in_one_line(place: Path, kind: str, command: str) -> None:
    """Every command ends with 2 and names file, line, key and what is expected."""
    text, begins = BROKEN[kind]
    file = place / "own.yaml"
    file.write_text(text, encoding="utf-8")
    done = invoke(file, command)
    (line,) = done.stderr.splitlines()
    assert (done.exit_code, done.stdout) == (2, "")
    assert line.startswith(f"oneiric: {begins.format(file=file)}")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_directory_is_no_settings_file(place: Path, command: str) -> None:
    """Every command says of a directory that it is one, and which file to name."""
    done = invoke(place, command)
    (line,) = done.stderr.splitlines()
    assert (done.exit_code, done.stdout) == (2, "")
    assert line.startswith(
        f"oneiric: {place}: is a directory; name the settings file in it, such as {place}/oneiric.yaml"
    )


@pytest.mark.slow
@pytest.mark.parametrize("command", ["orchestrate", "status"])
@pytest.mark.parametrize("kind", OBJECTS)
def test_nothing_is_waited_for(place: Path, kind: str, command: str) -> None:
    """As a program, too, a service and a command end by themselves, whatever lies where the file belongs."""
    make, said = OBJECTS[kind]
    file = place / "oneiric.yaml"
    make(file)
    done = subprocess.run(
        [sys.executable, "-m", "oneiric", "--config", str(file), command],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    (line,) = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (2, "")
    assert line.startswith(f"oneiric: {file}: {said}")


@pytest.mark.parametrize("command", ["orchestrate", "drain x"])
@pytest.mark.parametrize("kind", BROKEN)
def test_a_wrong_file_is_found_before_the_runtime_is_imported(place: Path, kind: str, command: str) -> None:
    """What is wrong is said without having imported what a runtime is made of, which takes most of the time."""
    file = place / "own.yaml"
    file.write_text(BROKEN[kind][0], encoding="utf-8")
    program = [sys.executable, "-X", "importtime", "-m", "oneiric", "--config", str(file), *command.split()]
    done = subprocess.run(program, capture_output=True, text=True, timeout=60, check=False)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert done.returncode == 2
    assert not imported & {"oneiric.runtime.orchestrator", "oneiric.observability", "oneiric.remote", "httpx"}


@pytest.mark.slow
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
