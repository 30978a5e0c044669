"""The drill as a program: what it shows, what it waits for, and how it ends."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from documents import ROOT
from incidents import Desk, exported, pace
from processes import Prometheus, free_port
from typer.testing import CliRunner

from oneiric.cli.app import app
from oneiric.monitoring.bundle import write
from oneiric.monitoring.bundle.alerts import alerts
from oneiric.monitoring.config import BundleConfig, configured
from oneiric.rehearsal.drills import SCENARIOS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

pytestmark = pytest.mark.slow  # each starts a process, some several
ALERTS = {alert.name: alert for alert in alerts(BundleConfig())}
DRILL = [sys.executable, "-m", "oneiric", "monitoring", "drill"]
Done = subprocess.CompletedProcess[str]
PACE = pace(1)


def drill(*arguments: str) -> Done:
    """Run a drill to its end."""
    return subprocess.run([*DRILL, *arguments], capture_output=True, text=True, timeout=120, check=False)


DOCUMENT = ROOT / "docs" / "monitoring" / "DRILLS.md"


def said(done: Done, kind: str) -> str:
    """Return what a drill said of one *kind*, its lines joined."""
    assert done.stderr == ""
    found = re.findall(rf"^ *[\d.]+ s  {kind} +(.*)$", done.stdout, re.MULTILINE)
    return "\n".join(found)


def test_every_incident_is_listed() -> None:
    """--list shows each incident with its sentence and the alerts that it sets off."""
    done = CliRunner().invoke(app, ["monitoring", "drill", "--list"])
    assert (done.exit_code, done.stderr) == (0, "")
    for scenario in SCENARIOS.values():
        shown = rf"^{scenario.name} +{re.escape(scenario.title)}\n +{', '.join(scenario.alerts)}$"
        assert re.search(shown, done.stdout, re.MULTILINE), scenario.name


def test_every_incident_is_documented() -> None:
    """The guide's table has each incident with its sentence and a link to the runbook of each alert, and no other."""
    rows = re.findall(r"^\| `([a-z-]+)` \| (.+?) \| (.+?) \|$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    told = [
        (
            scenario.name,
            scenario.title,
            ", ".join(f"[{alert}](../runbooks/ALERTS.md#{alert.lower()})" for alert in scenario.alerts),
        )
        for scenario in SCENARIOS.values()
    ]
    assert rows == told


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((), "the name of a drill is missing; see oneiric monitoring drill --list"),
        (("swap-failure",), "swap-failure: there is no such drill; did you mean swap-failures?"),
        (("zzz",), "zzz: there is no such drill; see oneiric monitoring drill --list"),
        (("swap-failures", "--set", "jop=x"), "--set jop: there is no such setting; did you mean job?"),
        (("swap-failures", "--prometheus", "nowhere"), "--prometheus nowhere: must be http://HOST or https://HOST"),
    ],
)
def test_what_was_asked_wrongly_is_explained(arguments: tuple[str, ...], text: str) -> None:
    """A wrong name, setting or URL ends it with 2 and one clear line, before anything is run."""
    done = CliRunner().invoke(app, ["monitoring", "drill", *arguments])
    assert done.exit_code == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"oneiric: {text}")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("swap-failures", "--port", "0", "--prometheus", "http://127.0.0.1:1"), "127.0.0.1:1 cannot be reached: "),
        (("memory-exhaustion", "--set", "memory_bytes=1e14"), "lower the threshold, as in --set memory_bytes=3"),
    ],
    ids=["unreachable", "memory"],
)
def test_what_cannot_be_done_here_is_explained(arguments: tuple[str, ...], text: str) -> None:
    """A Prometheus that is not there, or too little memory, ends it with 2 and one clear line."""
    done = drill(*arguments)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("oneiric: ")
    assert text in line


@pytest.mark.parametrize("option", ["--seconds", "--timeout"])
@pytest.mark.parametrize("value", ["inf", "86401", "0"])
def test_a_time_beyond_its_bounds_is_refused(option: str, value: str) -> None:
    """A drill that would never end, or could not begin, is not run."""
    done = CliRunner().invoke(app, ["monitoring", "drill", "swap-failures", option, value])
    assert done.exit_code == 2
    assert f"Invalid value for '{option}'" in done.stderr


def test_who_is_no_prometheus_is_told_so() -> None:
    """A web server that is something else ends it with 2 and one clear line."""
    desk = Desk()
    try:
        done = drill("swap-failures", "--port", "0", "--prometheus", desk.url)
    finally:
        desk.close()
    assert (done.returncode, done.stderr) == (2, f"oneiric: {desk.url} answers with status 404\n")


def test_an_incident_is_rehearsed_in_a_service() -> None:
    """With --service the fault is put into a service of its own, whose metrics move and whose lines are shown."""
    done = drill("swap-failures", "--service", "--seconds", "5")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "swap-failures, in a service with its metrics at" in said(done, "drill")
    assert '"command":"action-invoke"' in said(done, "log")
    assert re.search(r" 0 -> [1-9]", said(done, "metric"))


def test_an_incident_that_stops_its_runtime_needs_no_service() -> None:
    """A fault that ends the runtime is refused with --service, in one line."""
    done = drill("target-down", "--service")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "oneiric: target-down stops its runtime and starts another: it is rehearsed without --service\n"
    )


def test_a_taken_port_is_explained() -> None:
    """A port that another process listens on ends it with 2 and says what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = drill("swap-failures", "--port", str(port))
    what = f"127.0.0.1:{port} cannot be listened on: [Errno 98] Address already in use"
    hint = "take another port with --port, or any free one with --port 0"
    assert (done.returncode, done.stderr) == (2, f"oneiric: {what}; {hint}\n")


def test_a_full_disk_is_explained(tmp_path: Path) -> None:
    """A sandbox that finds no room ends it with 2 and one clear line, and leaves nothing behind."""
    room = 1_000  # bytes a file may have: its manifest does not fit in
    command = ["prlimit", f"--fsize={room}", *DRILL, "swap-failures"]
    environment = os.environ | {"TMPDIR": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}  # it would be cut off
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"oneiric: the sandbox cannot be written: {tmp_path}/oneiric-drill-")
    assert line.endswith("; TMPDIR sets another place for it")
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_ends_it_cleanly() -> None:
    """Ctrl-C takes the sandbox away, says so and ends it with 130, without a traceback."""
    command = [*DRILL, "swap-failures", "--seconds", "600"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while "is put in" not in process.stdout.readline():
            pass
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=300)
    assert (process.returncode, errors) == (130, "")
    assert output.splitlines()[-1].endswith("interrupted; the sandbox is gone")


SHOWN = {
    "resolution-failures": ("oneiric_resolution_failures_total", "resolver-decision"),
    "swap-failures": ("oneiric_lifecycle_swap_failures_total", "swap-failed"),
    "remote-sync-failures": ("oneiric_remote_sync_consecutive_failures", "remote-sync-error"),
    "cache-corruption": ("oneiric_remote_digest_mismatches_total", "artifact-digest-mismatch"),
    "memory-exhaustion": ("process_resident_memory_bytes", "swap-complete"),
}
"""A metric that moves and a log event that is written while the fault of a drill lasts."""


@pytest.fixture(scope="module")
def drills(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Done]:
    """Drills, run to their ends all at once: some alone, some with a Prometheus of two other thresholds."""
    directory, ports = tmp_path_factory.mktemp("prometheus"), [free_port() for _ in range(3)]
    targets = ",".join(f"127.0.0.1:{port}" for port in ports)
    settings = (f"targets={targets}", f"alertmanager_url=http://127.0.0.1:{free_port()}")
    unlike = ("resolution_p99_seconds=0.9", "memory_bytes=1000")
    write(exported(configured((*PACE, *settings, *unlike))), directory)
    server = Prometheus.configured(directory, directory / "prometheus" / "prometheus.yml")
    waiting = ("--prometheus", server.url, "--set", PACE[0])
    commands = {name: (name, "--seconds", "4") for name in SHOWN} | {
        "late": ("slow-swap", "--seconds", "1", "--set", "swap_slow_seconds=60"),
        "fires": ("swap-failures", "--port", str(ports[0]), *waiting),
        "silent": ("slow-resolutions", "--port", str(ports[1]), "--timeout", "9", *waiting),
        "early": ("memory-exhaustion", "--port", str(ports[2]), *waiting),
        "target": ("swap-failures", "--port", "0", "--timeout", "5", *waiting),
    }
    try:
        with ThreadPoolExecutor(len(commands)) as pool:
            return dict(zip(commands, pool.map(lambda command: drill(*command), commands.values()), strict=True))
    finally:
        server.stop()


@pytest.mark.prometheus
@pytest.mark.parametrize("name", SHOWN)
def test_a_drill_shows_what_the_fault_does(name: str, drills: Mapping[str, Done]) -> None:
    """Metric, log line, the alert's condition and the runbook are shown, and that nobody evaluates the alert here."""
    done, (metric, event) = drills[name], SHOWN[name]
    assert done.returncode == 0
    assert re.search(rf"^{metric}\S* \S+ -> \S+$", said(done, "metric"), re.MULTILINE)
    assert f'"event":"{event}"' in said(done, "log")
    for alert in SCENARIOS[name].alerts:
        assert f"{alert} ({ALERTS[alert].severity}, team {ALERTS[alert].team}) fires when" in said(done, "alert")
        assert f"{alert} in docs/runbooks/ALERTS.md" in said(done, "runbook")
        assert ALERTS[alert].runbook.resolution[0].text in said(done, "runbook")
    assert "nobody evaluates that here" in said(done, "alert")
    assert said(done, "fault").splitlines()[-1] == "is taken out"
    assert done.stdout.splitlines()[-1].endswith(f"{name}: rehearsed")


@pytest.mark.prometheus
def test_a_drill_waits_for_its_alert(drills: Mapping[str, Done]) -> None:
    """With a Prometheus it tells that the alert fires and, once the fault is gone, that it is resolved."""
    done = drills["fires"]
    assert done.returncode == 0, done.stdout
    assert re.search("scrapes it as instance 127.0.0.1:", said(done, "prometheus"))
    told = said(done, "alert").splitlines()
    assert told[-2:] == ["OneiricSwapFailures is firing", "OneiricSwapFailures is resolved"]
    assert done.stdout.splitlines()[-1].endswith("swap-failures: rehearsed")


@pytest.mark.prometheus
@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("late", "not rehearsed: no metric moved within 1 s; give it more with --seconds"),
        ("silent", "not rehearsed: OneiricResolutionLatencyHigh did not fire within 9 s"),
        ("early", "OneiricMemoryHigh fires already, or is about to, without the fault"),
        ("target", "make it a target of the job oneiric"),
    ],
)
def test_what_does_not_come_is_a_failure(name: str, problem: str, drills: Mapping[str, Done]) -> None:
    """Where no metric moves, the alert does not fire or always does, or nobody scrapes, it ends with 1 and says so."""
    done = drills[name]
    assert done.returncode == 1, done.stdout
    assert said(done, "drill").splitlines()[-1].endswith(problem)


@pytest.mark.prometheus
def test_rules_that_are_not_there_are_named(tmp_path: Path) -> None:
    """A Prometheus without the bundle's rules ends it with 1, and the rule that is missing is named."""
    server = Prometheus.start(tmp_path, "127.0.0.1:1")
    try:
        done = drill("swap-failures", "--port", "0", "--prometheus", server.url)
    finally:
        server.stop()
    assert done.returncode == 1
    assert "has no rule called OneiricSwapFailures: load the bundle's rules there" in said(done, "drill")
