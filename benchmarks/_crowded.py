"""A program that serves 2,000 series until its standard input ends; its argument says whose server: ours or theirs."""

from __future__ import annotations

import sys

from prometheus_client import CollectorRegistry, Counter, start_http_server

from oneiric.observability import Exposition, MetricsServer

SERIES = 2000


def main(kind: str) -> None:
    """Serve, and print the port."""
    registry = CollectorRegistry()
    swaps = Counter("swaps", "Swaps.", ["key", "provider"], registry=registry)
    for number in range(SERIES):
        swaps.labels(f"key-{number}", f"provider-{number % 7}").inc()
    if kind == "theirs":
        server, _ = start_http_server(0, "127.0.0.1", registry)
        port = server.server_port
    else:
        ours = MetricsServer(Exposition(registry), address="127.0.0.1:0")
        ours.start()
        port = ours.port
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
