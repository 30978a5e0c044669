"""How the metrics server starts, stops, survives forks and ends with its process."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from processes import PROGRAMS
from prometheus_client import CollectorRegistry, Metric

from oneiric.core.observers import Observers
from oneiric.observability import Exposition, MetricsServer, attach
from oneiric.observability.server.descriptors import count_descriptors

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

LOOPBACK = "127.0.0.1:0"
PATIENCE = 60.0  # seconds after which a test that waits has failed


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run *program* to its end, without the warning of forking with threads."""
    options = ["-W", "error", "-W", "ignore:This process:DeprecationWarning"]
    return subprocess.run(
        [sys.executable, *options, str(PROGRAMS / program), *arguments],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
        env={"PYTHONDEVMODE": "1"},
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scenario", "printed"),
    [
        pytest.param("end", "", id="a client hangs"),
        pytest.param("fork_often", "served\n", id="children are forked"),
        pytest.param("exit_in_a_child", "200\n", id="a child exits"),
        pytest.param("end_while_scraped", "", id="a scrape is under way"),
    ],
)
def test_a_process_ends_and_prints_nothing(scenario: str, printed: str) -> None:
    """Whoever is connected, and however often it was forked, it ends without a traceback or a warning.

    A forked child has none of the parent's sockets, may start a server of its own, and leaves the parent's alone.
    """
    done = run("serving.py", scenario)
    assert (done.returncode, done.stdout, done.stderr) == (0, printed, "")


def test_sigterm_ends_it_whoever_is_connected() -> None:
    """A process without a handler of its own is ended by SIGTERM, with hundreds of clients hanging."""
    command = [sys.executable, str(PROGRAMS / "serving.py"), "wait_for_a_signal"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        hanging = [socket.create_connection(("127.0.0.1", port)) for _ in range(200)]
        process.terminate()
        process.wait(PATIENCE)
    for connection in hanging:
        connection.close()


def test_a_start_can_be_interrupted_by_a_stop() -> None:
    """A signal handler stops a server that looks up its address: nothing listens, and it can be started again."""
    done = run("stopped_while_starting.py")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "False 0 [-1]\nTrue True\n-1\n"


@pytest.mark.slow
def test_a_hundred_starts_and_stops_leave_nothing() -> None:
    """Attached, served, scraped, stopped and detached a hundred times: threads and descriptors are as before."""
    observers = Observers()
    before = (set(threading.enumerate()), count_descriptors())
    for _ in range(100):
        with (
            attach(observers) as telemetry,
            MetricsServer(telemetry.exposition(), address=LOOPBACK) as server,
            socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as client,
        ):
            client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            assert client.recv(15) == b"HTTP/1.1 200 OK"
    assert observers.attached == ()
    for thread in set(threading.enumerate()) - before[0]:
        thread.join(PATIENCE)
    assert (set(threading.enumerate()), count_descriptors()) == before


def test_to_stop_does_not_wait_for_a_rendering_that_hangs() -> None:
    """A scrape under way is cut off, whatever keeps it from being answered."""
    gate, entered = threading.Event(), threading.Event()

    class Hanging(CollectorRegistry):
        def collect(self) -> Iterable[Metric]:
            entered.set()
            gate.wait(PATIENCE)
            return []

    with (
        MetricsServer(Exposition(Hanging()), address=LOOPBACK) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as client,
    ):
        client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        assert entered.wait(PATIENCE)
        server.stop()
        gone = client.recv(1) == b""
    gate.set()
    assert gone


def test_every_descriptor_is_counted(tmp_path: Path) -> None:
    """What is opened is counted, and no more once it is closed."""
    before = count_descriptors()
    with (tmp_path / "file").open("w"), socket.socket():
        during = count_descriptors()
    assert before is not None
    assert (during, count_descriptors()) == (before + 2, before)
