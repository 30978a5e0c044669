"""How the metrics server starts, stops, survives forks and ends with its process."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry, Metric

from oneiric.core.observers import Observers
from oneiric.observability import Exposition, MetricsServer, attach
from oneiric.observability._descriptors import count_descriptors

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

LOOPBACK = "127.0.0.1:0"
PATIENCE = 10.0  # seconds after which a test that waits has failed

SERVING = """
import atexit, http.client, os, socket, sys, threading, time
from contextlib import closing
from prometheus_client import CollectorRegistry
from oneiric.observability import Exposition, MetricsServer

class Registry(CollectorRegistry):
    def collect(self):
        time.sleep(float(os.environ.get("SCRAPE_SECONDS", "0")))
        return super().collect()

def fetch(port, path="/livez"):
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("GET", path)
        return connection.getresponse().status

def sockets():
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{name}"))
        except OSError:
            pass
    return sorted(link for link in found if link.startswith(("socket:", "anon_inode:[eventpoll]")))

before = sockets()
server = MetricsServer(Exposition(Registry()), address="127.0.0.1:0")
assert server.start()
hanging = socket.create_connection(("127.0.0.1", server.port))
atexit.register(hanging.close)
hanging.sendall(b"GET")
"""
FORKED = """
assert fetch(server.port) == 200  # so that the hanging one was accepted
port = server.port
hanging.close()
time.sleep(0.1)
for _ in range(20):
    child = os.fork()
    if child == 0:
        code = 1
        try:
            server.stop()
            assert (sockets(), server.port) == (before, 0), sockets()
            assert server.start() and server.port != port
            assert fetch(server.port) == fetch(server.port, "/metrics") == 200
            server.stop()
            assert sockets() == before, sockets()
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    assert fetch(port) == fetch(port, "/metrics") == 200
print("served")
"""
EXITING_CHILD = """
child = os.fork()
if child == 0:
    sys.exit(0)  # what is to be done at the exit is done in the child too
assert os.waitpid(child, 0)[1] == 0
print(fetch(server.port))
"""
SCRAPED_AT_THE_END = """
def scrape():
    try:
        fetch(server.port, "/metrics")
    except OSError:
        pass
threading.Thread(target=scrape, daemon=True).start()
time.sleep(0.2)  # the scrape, which takes longer, has begun
"""
TERMINATED = """
print(server.port, flush=True)
time.sleep(60)
"""
STOPPED_WHILE_IT_STARTS = """
import faulthandler, os, signal, socket
from prometheus_client import CollectorRegistry
from oneiric.observability import Exposition, MetricsServer

faulthandler.dump_traceback_later(20, exit=True)
server = MetricsServer(Exposition(CollectorRegistry()), address="127.0.0.1:0")
look_up, create, created = socket.getaddrinfo, socket.create_server, []

def interrupted(*args, **options):
    os.kill(os.getpid(), signal.SIGTERM)
    return look_up(*args, **options)

def listen(*args, **options):
    created.append(create(*args, **options))
    return created[-1]

signal.signal(signal.SIGTERM, lambda *_: server.stop())
socket.getaddrinfo, socket.create_server = interrupted, listen
print(server.start(), server.port, [listener.fileno() for listener in created])
socket.getaddrinfo = look_up
print(server.start(), server.port == created[-1].getsockname()[1])
server.stop()
print(created[-1].fileno())
"""


def run(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run *script* to its end, without the warning of forking with threads."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-W", "ignore:This process:DeprecationWarning", "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PYTHONDEVMODE": "1"} | environment,
    )


@pytest.mark.parametrize(
    ("script", "printed"),
    [
        pytest.param(SERVING, "", id="a client hangs"),
        pytest.param(SERVING + FORKED, "served\n", id="children are forked"),
        pytest.param(SERVING + EXITING_CHILD, "200\n", id="a child exits"),
        pytest.param(SERVING + SCRAPED_AT_THE_END, "", id="a scrape is under way"),
    ],
)
def test_a_process_ends_at_once_and_prints_nothing(script: str, printed: str) -> None:
    """Whoever is connected, and however often it was forked, it ends without a traceback or a warning.

    A forked child has none of the parent's sockets, may start a server of its own, and leaves the parent's alone.
    """
    done = run(script, SCRAPE_SECONDS="1" if script.endswith(SCRAPED_AT_THE_END) else "0")
    assert (done.returncode, done.stdout, done.stderr) == (0, printed, "")


def test_sigterm_ends_it_whoever_is_connected() -> None:
    """A process without a handler of its own is ended at once by SIGTERM, with hundreds of clients hanging."""
    with subprocess.Popen([sys.executable, "-c", SERVING + TERMINATED], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        hanging = [socket.create_connection(("127.0.0.1", port)) for _ in range(200)]
        began = time.monotonic()
        process.terminate()
        process.wait(PATIENCE)
    for connection in hanging:
        connection.close()
    assert time.monotonic() - began < 5


def test_a_start_can_be_interrupted_by_a_stop() -> None:
    """A signal handler stops a server that looks up its address: nothing listens, and it can be started again."""
    done = run(STOPPED_WHILE_IT_STARTS)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "False 0 [-1]\nTrue True\n-1\n"


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
