"""A program that ends while it is scraped and reports; it prints the port where it was scraped.

Its arguments are the seconds that a collector takes, and how it ends: ``exit``, ``stop`` or ``detach``.
"""

from __future__ import annotations

import sys
import threading
import urllib.request
from typing import TYPE_CHECKING

from prometheus_client.registry import Collector

from oneiric.core.resolution import Candidate, Resolver
from oneiric.observability import MetricsServer, attach

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client import Metric


class Slow(Collector):
    """A collector that takes its time."""

    def __init__(self, seconds: float) -> None:
        self.entered = threading.Event()
        self._seconds = seconds

    def describe(self) -> Iterable[Metric]:
        """Return no families."""
        return []

    def collect(self) -> Iterable[Metric]:
        """Return no families, late."""
        self.entered.set()
        threading.Event().wait(self._seconds)
        return []


def main(seconds: str, end: str) -> None:
    """Be scraped and report, and end meanwhile."""
    resolver = Resolver()
    for number in range(500):
        resolver.register(Candidate(domain="adapter", key=f"key-{number}", provider="memory", factory=dict))
    telemetry = attach(resolver)
    slow = Slow(float(seconds))
    telemetry.registry.register(slow)
    server = MetricsServer(telemetry.exposition(), address="127.0.0.1:0")
    server.start()

    def scrape() -> None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics") as response:
                response.read()
        except OSError:
            pass

    def resolve() -> None:
        while True:
            resolver.resolve("adapter", "key-1")

    for target in (scrape, resolve):
        threading.Thread(target=target, daemon=True).start()
    assert slow.entered.wait(120)
    sys.stdout.write(f"{server.port}\n")
    if end == "stop":
        server.stop()
        telemetry.detach()
    elif end == "detach":
        telemetry.detach()
        sys.exit()


if __name__ == "__main__":
    main(*sys.argv[1:])
