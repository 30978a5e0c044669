"""The demonstration as a program: how it starts, what it prints, how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from processes import Demo, Pushgateway, eventually, free_port, get
from typer.testing import CliRunner

from oneiric.cli.app import app

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.slow  # each starts processes


def run(directory: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the demonstration to its end."""
    return subprocess.run(
        [sys.executable, "-m", "oneiric", "demo", *options],
        cwd=directory,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@dataclass(frozen=True)
class Run:
    """A run to its end: how it ended, the directory it ran in, and what it left elsewhere."""

    done: subprocess.CompletedProcess[str]
    directory: Path
    textfile: str
    pushed: str


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that was given everything by options."""
    directory, elsewhere = tmp_path_factory.mktemp("run"), tmp_path_factory.mktemp("elsewhere") / "demo.prom"
    gateway = Pushgateway.start()
    try:
        options = ("--push-gateway", gateway.url, "--textfile", str(elsewhere), "--log-file", str(directory / "log"))
        done = run(directory, "--seconds", "1", "--port", "0", *options)
        pushed = gateway.metrics()
    finally:
        gateway.stop()
    return Run(done, directory, elsewhere.read_text(encoding="utf-8"), pushed)


@pytest.fixture(scope="module")
def configured(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that was given everything by the environment, with its log lines on standard error."""
    directory = tmp_path_factory.mktemp("configured")
    environment = {"ONEIRIC_METRICS_ADDRESS": "127.0.0.2:0", "ONEIRIC_TEXTFILE": str(directory / "demo.prom")}
    done = run(directory, "--seconds", "1", "--logs", **environment)
    return Run(done, directory, (directory / "demo.prom").read_text(encoding="utf-8"), pushed="")


def test_it_ends_by_itself(ended: Run) -> None:
    """After its time it ends with 0, says so and what to do next, and leaves nothing but the log behind."""
    assert (ended.done.returncode, ended.done.stderr) == (0, "")
    end, following = ended.done.stdout.splitlines()[-2:]
    assert end == "stopped cleanly"
    assert following.startswith("next: oneiric monitoring drill swap-failures ")
    assert [path.name for path in ended.directory.iterdir()] == ["log"]


def test_an_interrupt_ends_it_cleanly(tmp_path: Path) -> None:
    """Ctrl-C ends it with 0 after it stopped everything, without a traceback."""
    demo = Demo.start(tmp_path, "--seconds", "0")
    code, output = demo.stop()
    assert code == 0
    assert "stopped cleanly" in output.splitlines()


def test_log_lines_can_go_to_standard_error(configured: Run) -> None:
    """With --logs standard error has the JSON lines and standard output has none."""
    assert "metrics-server-started" in [json.loads(line)["event"] for line in configured.done.stderr.splitlines()]
    assert "{" not in configured.done.stdout


def test_a_taken_port_ends_it(tmp_path: Path) -> None:
    """Where another process listens on the port it ends with 2, and says which, why and what to do; it logs it, too."""
    log = tmp_path / "log"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run(tmp_path, "--port", port, "--log-file", str(log))
    what = f"127.0.0.1:{port} cannot be listened on: [Errno 98] Address already in use"
    hint = "take another port with --port, or any free one with --port 0"
    assert (done.returncode, done.stderr) == (2, f"oneiric: {what}; {hint}\n")
    assert done.stdout == f"log lines  {log}\n"
    lines = map(json.loads, log.read_text(encoding="utf-8").splitlines())
    failed = [line for line in lines if line["event"] == "metrics-server-failed"]
    assert [(line["address"], line["port"]) for line in failed] == [("127.0.0.1", int(port))]


def test_its_faults_are_said_to_be_deliberate(ended: Run) -> None:
    """It says that what fails is meant to, and which option lets nothing fail."""
    assert "deliberate" in ended.done.stdout
    assert "--no-faults" in ended.done.stdout


def test_without_faults_nothing_fails(tmp_path: Path) -> None:
    """With --no-faults no line is a warning or worse, no failure is counted, and nothing is said of faults."""
    log, textfile = tmp_path / "log", tmp_path / "demo.prom"
    options = ("--seconds", "1.5", "--rate", "100", "--port", "0", "--log-file", str(log), "--textfile", str(textfile))
    done = run(tmp_path, "--no-faults", *options)
    assert (done.returncode, "deliberate" in done.stdout) == (0, False)
    levels = {json.loads(line)["level"] for line in log.read_text(encoding="utf-8").splitlines()}
    assert levels == {"info"}
    samples = [line for line in textfile.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    failures = [line for line in samples if 'outcome="failed"' in line or re.match(r"\w+_fail\w*_total", line)]
    assert [line for line in failures if not line.endswith(" 0.0")] == []
    assert any(line.startswith("oneiric_resolution_total") for line in samples)


def test_the_address_can_come_from_the_environment(configured: Run) -> None:
    """ONEIRIC_METRICS_ADDRESS moves the metrics."""
    assert "http://127.0.0.2:" in configured.done.stdout


def test_a_wrong_option_is_explained() -> None:
    """A value out of range ends it with 2 and says what is right."""
    done = CliRunner().invoke(app, ["demo", "--port", "70000"])
    assert done.exit_code == 2
    assert "--port" in done.stderr
    assert "65535" in done.stderr


def test_a_wrong_setting_is_explained(tmp_path: Path) -> None:
    """A malformed address in the environment is one clear error, not a traceback."""
    done = run(tmp_path, ONEIRIC_METRICS_ADDRESS="nowhere")
    assert done.returncode == 2
    assert "ONEIRIC_METRICS_ADDRESS" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_log_file_that_cannot_be_written_is_explained(tmp_path: Path) -> None:
    """A log file in a directory that is a file is one clear error, and nothing is left behind."""
    (tmp_path / "file").touch()
    done = run(tmp_path, "--log-file", str(tmp_path / "file" / "log"))
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"oneiric: --log-file {tmp_path}/file/log: cannot be written: ")


def test_two_places_for_the_log_lines_are_refused(tmp_path: Path) -> None:
    """Standard error and a file at once is an error that says so."""
    done = CliRunner().invoke(app, ["demo", "--logs", "--log-file", str(tmp_path / "log")])
    assert done.exit_code == 2
    assert "not to both" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_it_leaves_its_metrics_behind(ended: Run) -> None:
    """Asked to, it leaves on the Pushgateway and in a file what it counted, and says nothing else than without."""
    assert (ended.done.returncode, ended.done.stderr) == (0, "")
    assert 'oneiric_resolution_total{domain="adapter",instance="",job="oneiric"' in ended.pushed
    assert 'oneiric_resolution_total{domain="adapter"' in ended.textfile


def test_a_file_for_its_metrics_can_be_set_in_the_environment(configured: Run) -> None:
    """The environment variable does what the option does."""
    assert configured.done.returncode == 0
    assert "oneiric_resolution_total" in configured.textfile


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """A run whose options are at odds with the environment and with the file system."""
    directory = tmp_path_factory.mktemp("failed")
    options = ("--port", "0", "--textfile", str(directory / "missing" / "demo.prom"))
    return run(directory, "--seconds", "0.5", "--logs", *options, ONEIRIC_METRICS_ADDRESS="127.0.0.2:0")


def test_a_port_wins_over_the_environment(failed: subprocess.CompletedProcess[str]) -> None:
    """With --port the metrics are where they are without ONEIRIC_METRICS_ADDRESS."""
    assert "http://127.0.0.1:" in failed.stdout


def test_metrics_that_could_not_be_left_are_a_failure(failed: subprocess.CompletedProcess[str]) -> None:
    """Who asked for the metrics of a short run and did not get them learns it from the exit code and the last line."""
    assert (failed.returncode, "stopped cleanly" in failed.stdout) == (1, False)
    assert "could not be pushed or written" in failed.stdout


def test_a_wrong_pushgateway_is_refused(tmp_path: Path) -> None:
    """A URL that is none ends it with 2 and a line that shows no credential."""
    done = run(tmp_path, "--seconds", "1", "--push-gateway", "user:hunter2@c")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "--push-gateway: must be http://host:port" in done.stderr
    assert "hunter2" not in done.stderr


def full_pipe() -> int:
    """Return an end of a pipe that holds as much as it can, and that nobody reads; it is never closed."""
    _, end = os.pipe()
    os.set_blocking(end, False)
    try:
        while True:
            os.write(end, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(end, True)
        return end


def closed_pipe() -> int:
    """Return an end of a pipe that can no longer be read."""
    reader, end = os.pipe()
    os.close(reader)
    return end


@pytest.mark.slow
@pytest.mark.parametrize(
    "stream",
    [full_pipe, closed_pipe, lambda: os.open("/dev/full", os.O_WRONLY)],
    ids=["blocked", "closed", "full"],
)
def test_streams_that_cannot_be_written_stop_nothing(tmp_path: Path, stream: Callable[[], int]) -> None:
    """Whatever becomes of standard output and standard error, metrics are served, and SIGTERM ends it."""
    port, target = free_port(), stream()
    command = [sys.executable, "-m", "oneiric", "demo", "--seconds", "0", "--port", str(port), "--logs"]
    with subprocess.Popen(command, stdout=target, stderr=target, cwd=tmp_path) as process:
        try:
            eventually(lambda: answers(f"http://127.0.0.1:{port}/livez"), what="the demonstration serves")
            assert "oneiric_build_info" in get(f"http://127.0.0.1:{port}/metrics")
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=120) == 0
        finally:
            process.kill()
    os.close(target)


@pytest.mark.parametrize("command", [("--version",), ("monitoring", "--help"), ("monitoring", "drill", "--list")])
def test_an_answer_that_cannot_be_written_is_told_of(command: tuple[str, ...]) -> None:
    """On a full disk a command ends with 2 and one clear line on standard error."""
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = subprocess.run(
            [sys.executable, "-m", "oneiric", *command], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    message = "oneiric: the answer cannot be written: No space left on device\n"
    assert (done.returncode, done.stderr) == (2, message)


def answers(url: str) -> bool:
    """Whether somebody answers at *url*."""
    try:
        return bool(get(url))
    except OSError:
        return False
