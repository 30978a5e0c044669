"""A program whose metrics server has a client that hangs; its argument names how it goes on."""

from __future__ import annotations

import atexit
import http.client
import os
import signal
import socket
import sys
import threading
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry

from oneiric.observability import Exposition, MetricsServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from prometheus_client import Metric

entered = threading.Event()
scraped_slowly = False


class Registry(CollectorRegistry):
    """A registry that takes a second where that is asked for."""

    def collect(self) -> Iterable[Metric]:
        """Return what there is."""
        entered.set()
        if scraped_slowly:
            threading.Event().wait(1.0)
        return super().collect()


def fetch(port: int, path: str = "/livez") -> int:
    """Return the status of *path*."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request("GET", path)
        return connection.getresponse().status


def sockets() -> list[str]:
    """Return the sockets and the like that this process has."""
    found = []
    for path in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the one with which they are listed
            found.append(str(path.readlink()))
    return sorted(link for link in found if link.startswith(("socket:", "anon_inode:[eventpoll]")))


before = sockets()
server = MetricsServer(Exposition(Registry()), address="127.0.0.1:0")
assert server.start()
serving = sockets()
hanging = socket.create_connection(("127.0.0.1", server.port))
atexit.register(hanging.close)
hanging.sendall(b"GET")


def end() -> None:
    """End at once."""


def fork_often() -> None:
    """Fork children that stop the server, start one of their own and stop it; serve after each."""
    assert fetch(server.port) == 200  # so that the hanging one was accepted
    port = server.port
    hanging.close()
    deadline = time.monotonic() + 60
    while sockets() != serving:  # until the server noticed
        assert time.monotonic() < deadline, sockets()
        time.sleep(0.01)
    for _ in range(20):
        child = os.fork()
        if child == 0:
            _serve_as_a_child(port)
        assert os.waitpid(child, 0)[1] == 0
        assert fetch(port) == fetch(port, "/metrics") == 200
    sys.stdout.write("served\n")


def _serve_as_a_child(port: int) -> None:
    code = 1
    try:
        server.stop()
        assert (sockets(), server.port) == (before, 0), sockets()
        assert server.start()
        assert server.port != port
        assert fetch(server.port) == fetch(server.port, "/metrics") == 200
        server.stop()
        assert sockets() == before, sockets()
        code = 0
    finally:
        os._exit(code)


def exit_in_a_child() -> None:
    """Fork a child that exits, with its exit handlers, and serve after it."""
    child = os.fork()
    if child == 0:
        sys.exit(0)
    assert os.waitpid(child, 0)[1] == 0
    sys.stdout.write(f"{fetch(server.port)}\n")


def end_while_scraped() -> None:
    """End while a scrape is under way."""
    global scraped_slowly  # noqa: PLW0603 - the registry is made before the scenario is known
    scraped_slowly = True

    def scrape() -> None:
        with suppress(OSError):
            fetch(server.port, "/metrics")

    threading.Thread(target=scrape, daemon=True).start()
    assert entered.wait(60)


def wait_for_a_signal() -> None:
    """Print the port, and wait."""
    sys.stdout.write(f"{server.port}\n")
    sys.stdout.flush()
    signal.pause()


SCENARIOS: tuple[Callable[[], None], ...] = (end, fork_often, exit_in_a_child, end_while_scraped, wait_for_a_signal)


def main(name: str) -> None:
    """Go on as the scenario called *name* says."""
    next(scenario for scenario in SCENARIOS if scenario.__name__ == name)()


if __name__ == "__main__":
    main(sys.argv[1])
