"""The commands where no service answers as it should: none runs, it hangs, is of another version, or is not theirs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from processes import PROGRAMS, eventually
from services import PATIENCE, Service, running, service
from typer.testing import CliRunner

from oneiric.cli import exits
from oneiric.cli.app import app
from oneiric.runtime.control import client

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow  # each starts processes

GOLDEN = Path(__file__).parent / "golden"
STRANGER = 54_321
"""A user id that nobody has."""
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to act as another user")

COMMANDS: dict[str, tuple[str, ...]] = {
    "list": ("list", "--all"),
    "explain": ("explain", "cache"),
    "explain --key": ("explain", "--key", "cache"),
    "pause": ("pause", "cache"),
    "pause --key": ("pause", "--key", "cache", "--domain", "ADAPTER"),
    "resume": ("resume", "cache"),
    "drain": ("drain", "cache", "--clear"),
    "activity": ("activity",),
    "status": ("status",),
    "remote-status": ("remote-status",),
    "plugins": ("plugins",),
    "action-invoke": ("action-invoke", "echo"),
    "cache status": ("cache", "status"),
    "cache clean": ("cache", "clean", "--all"),
}
"""What can be done without a service."""
OTHERS: dict[str, tuple[str, ...]] = {
    "swap": ("swap", "cache"),
    "swap --key": ("swap", "--key", "cache"),
    "health --probe": ("health", "--probe"),
    "reload": ("reload",),
    "metrics": ("metrics",),
}
"""What needs one."""
ALL = COMMANDS | OTHERS


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Yield a service that does not go on: SIGSTOP."""
    with running(tmp_path_factory.mktemp("hung")) as one:
        assert one.process is not None
        one.process.send_signal(signal.SIGSTOP)
        yield one


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Yield a service that kill -9 ended, with its socket still there."""
    with running(tmp_path_factory.mktemp("dead"), runtime={"start": ["adapter/cache"]}) as one:
        one.stop(signal.SIGKILL)
        assert one.socket.exists()
        yield one


@pytest.fixture(scope="module")
def public() -> Iterator[Path]:
    """Yield a directory that other users can reach, as pytest's own are private."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


@pytest.fixture(scope="module")
def foreign(public: Path) -> Iterator[Service]:
    """Yield a service of this user whose socket another one can see."""
    with running(public) as one:
        for place in (one.state, one.socket.parent):
            place.chmod(0o755)
        one.config.chmod(0o644)
        yield one


@pytest.fixture
def short_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the commands wait for a fraction of the usual time."""
    monkeypatch.setattr(client, "SILENCE_SECONDS", 0.2)


def invoke(one: Service, *arguments: str) -> Any:
    """Run a command in this process on *one*."""
    return CliRunner().invoke(app, ["--config", str(one.config), "--import", "components", *arguments])


def error_of(done: Any) -> dict[str, Any]:
    """Return the one error that was said as an object."""
    (error,) = [line["error"] for line in map(json.loads, done.stderr.splitlines()) if "error" in line]
    return dict(error)


@pytest.fixture(autouse=True)
def components(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the commands import the components of the tests."""
    monkeypatch.syspath_prepend(str(PROGRAMS))


@pytest.mark.usefixtures("short_silence")
@pytest.mark.parametrize("name", ALL)
def test_a_service_that_hangs_is_named(stopped: Service, name: str) -> None:
    """Every command ends with 5 and names the process; none does it on the files meanwhile."""
    done = invoke(stopped, *ALL[name], "--json")
    assert stopped.process is not None
    assert (done.exit_code, done.stdout) == (exits.SILENT, "")
    assert f"process {stopped.process.pid} owns" in error_of(done)["message"]


@pytest.mark.parametrize("name", COMMANDS)
def test_without_a_service_the_files_are_used(killed: Service, name: str) -> None:
    """After kill -9 a command that can be done on the files is, and says so on standard error."""
    done, as_json = (invoke(killed, *COMMANDS[name], *more) for more in ((), ("--json",)))
    assert (done.exit_code, as_json.exit_code) == (0, 0)
    assert done.stderr.count("\n") == 1
    assert done.stderr.endswith("this is from the files\n")
    assert json.loads(as_json.stdout)["schema_version"] == 1
    assert json.loads(as_json.stderr)["note"]["message"].endswith("this is from the files")


@pytest.mark.parametrize("name", OTHERS)
def test_without_a_service_some_commands_end(killed: Service, name: str) -> None:
    """What means nothing without a service ends with 3, and says how to start one."""
    done = invoke(killed, *OTHERS[name], "--json")
    assert (done.exit_code, done.stdout, error_of(done)["hint"]) == (3, "", "start one with: oneiric orchestrate")


def test_without_a_service_nothing_is_healthy(killed: Service) -> None:
    """`health` without a service answers no."""
    done = invoke(killed, "health", "--json")
    answer = json.loads(done.stdout)
    assert (done.exit_code, answer["healthy"], answer["reasons"], answer["service"]) == (
        exits.NO,
        False,
        ["no service runs"],
        None,
    )


def test_a_look_at_the_files_leaves_the_health_file(killed: Service) -> None:
    """What the service wrote of itself is still there after commands that look at it."""
    path = killed.state / "runtime_health.json"
    before = path.read_bytes()
    invoke(killed, "status")
    assert path.read_bytes() == before


@as_root
@pytest.mark.parametrize("name", ALL)
def test_another_user_is_denied(foreign: Service, name: str) -> None:
    """Every command of a user who may not connect ends with 4 and names root and the user of the service."""
    invoke(foreign, *ALL[name])  # so that all that it needs is imported
    with acting_as(STRANGER):
        done = invoke(foreign, *ALL[name], "--json")
    assert (done.exit_code, done.stdout) == (exits.DENIED, ""), done.stderr
    assert "permission denied" in error_of(done)["message"]
    assert "the user of the service" in error_of(done)["hint"]


@contextmanager
def acting_as(user: int) -> Iterator[None]:
    """Act as *user* for a while."""
    os.seteuid(user)
    try:
        yield
    finally:
        os.seteuid(0)


@contextmanager
def of_version(one: Service, api: str, answers: Path = GOLDEN) -> Iterator[None]:
    """Have a service that speaks the control API *api*, and knows the commands of *answers*, stand for *one*."""
    one.socket.parent.mkdir(parents=True)
    command = [sys.executable, str(PROGRAMS / "other_version.py"), str(one.socket), api, str(answers)]
    process = subprocess.Popen(command)
    try:
        eventually(one.socket.exists, what="the other service listens", seconds=PATIENCE)
        yield
    finally:
        process.kill()
        process.wait()


def test_a_newer_service_of_the_same_api_is_understood(tmp_path: Path) -> None:
    """What a newer service answers is shown, with the fields that this command does not know, too."""
    with service(tmp_path) as one, of_version(one, "1.7"):
        done = {name: invoke(one, *ALL[name], "--json") for name in ("list", "status", "activity", "swap", "metrics")}
        text = invoke(one, "list")
    assert {name: one.exit_code for name, one in done.items()} == dict.fromkeys(done, 0)
    assert {json.loads(one.stdout)["new_in"] for one in done.values()} == {"1.7"}
    assert "cache/first" in text.stdout


@pytest.mark.parametrize(
    ("api", "commands"), [("1.7", {"remote-sync": ("remote-sync",)}), ("2.0", ALL)], ids=["1.7", "2.0"]
)
def test_a_service_that_does_not_know_a_command_is_of_another_version(
    tmp_path: Path, api: str, commands: dict[str, tuple[str, ...]]
) -> None:
    """A command that the service does not know ends with 2, and says both versions and which to change."""
    with service(tmp_path) as one, of_version(one, api, one.directory):
        ended = [invoke(one, *command, "--json") for command in commands.values()]
    for done in ended:
        assert (done.exit_code, done.stdout) == (exits.USAGE, "")
        assert f"the running service is version 9.0.0 (API {api}), this command" in error_of(done)["hint"]


@pytest.mark.slow
def test_an_upgrade_without_a_restart_is_said(tmp_path: Path) -> None:
    """`status` says on standard error that another version is installed than runs."""
    with running(tmp_path) as one:
        assert invoke(one, "status").stderr == ""
        metadata = one.directory / "oneiric-99.0.dist-info" / "METADATA"  # where the service's process looks first
        metadata.parent.mkdir()
        metadata.write_text("Metadata-Version: 2.1\nName: oneiric\nVersion: 99.0\n", encoding="utf-8")
        done = invoke(one, "status")
    assert "version 99.0 is installed, and process" in done.stderr
    assert done.stderr.endswith("restart the service\n")


@pytest.mark.slow
@as_root
def test_files_of_root_belong_to_the_service(public: Path) -> None:
    """What root changes without a service belongs to the owner of the state, SQLite's files and new ones too."""
    directory = public / "root"
    directory.mkdir(mode=0o755)
    with service(directory) as one:
        for place in (one.state, one.directory / "cache"):
            place.mkdir()
            os.chown(place, STRANGER, STRANGER)
        done = [one.run(*arguments) for arguments in (("pause", "cache"), ("status",), ("cache", "clean"))]
        owners = {path.name: path.stat().st_uid for path in one.state.rglob("*")}
    assert [one.returncode for one in done] == [0, 0, 0], [one.stderr for one in done]
    assert "domain_activity.sqlite" in owners
    assert set(owners.values()) == {STRANGER}
