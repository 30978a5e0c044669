"""A program that stops its metrics server from a signal handler while that starts, and starts it again."""

from __future__ import annotations

import faulthandler
import os
import signal
import socket
import sys
from typing import Any

from prometheus_client import CollectorRegistry

from oneiric.observability import Exposition, MetricsServer

DEADLINE = 120


def main() -> None:
    """Start, be interrupted, start again and stop; print what became of each."""
    faulthandler.dump_traceback_later(DEADLINE, exit=True)
    server = MetricsServer(Exposition(CollectorRegistry()), address="127.0.0.1:0")
    look_up, create = socket.getaddrinfo, socket.create_server
    created: list[socket.socket] = []

    def interrupted(*args: Any, **options: Any) -> Any:
        os.kill(os.getpid(), signal.SIGTERM)
        return look_up(*args, **options)

    def listen(*args: Any, **options: Any) -> socket.socket:
        created.append(create(*args, **options))
        return created[-1]

    signal.signal(signal.SIGTERM, lambda *_: server.stop())
    socket.getaddrinfo, socket.create_server = interrupted, listen
    show(server.start(), server.port, [listener.fileno() for listener in created])
    socket.getaddrinfo = look_up
    show(server.start(), server.port == created[-1].getsockname()[1])
    server.stop()
    show(created[-1].fileno())


def show(*found: object) -> None:
    """Print what was found."""
    sys.stdout.write(" ".join(map(str, found)) + "\n")


if __name__ == "__main__":
    main()
