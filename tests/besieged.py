"""A program that serves metrics as a host with few descriptors does: 1,024, and a page of a few thousand series."""

from __future__ import annotations

import resource
import sys
import time

from prometheus_client import CollectorRegistry, Counter

from oneiric.core.observers import Observers
from oneiric.observability import Exposition, MetricsServer, ServerLimits, ServerSecurity

DESCRIPTORS = 1024


def page(series: int) -> CollectorRegistry:
    """Return a registry with so many series."""
    registry = CollectorRegistry()
    swaps = Counter("swaps", "Swaps.", ["key", "provider"], registry=registry)
    for number in range(series):
        swaps.labels(f"key-{number}", f"provider-{number % 7}").inc()
    return registry


class Printing:
    """An observer that prints what goes wrong."""

    name = "printing"

    def receiver(self, event_type: type[object]) -> object:
        """Want every failure."""
        return self._print if "Failed" in event_type.__name__ else None

    def _print(self, event: object) -> None:
        sys.stderr.write(f"{event}\n")


def main(seconds: str, series: str, connections: str, certificate: str = "") -> None:
    """Serve up to *connections* for *seconds*, with TLS where a file holds *certificate* and key; print the port."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
    observers = Observers()
    observers.add(Printing())  # type: ignore[arg-type]
    security = ServerSecurity(tls_cert_file=certificate, tls_key_file=certificate) if certificate else None
    server = MetricsServer(
        Exposition(page(int(series)), observers=observers),
        address="127.0.0.1:0",
        limits=ServerLimits(max_connections=int(connections)),
        security=security,
    )
    assert server.start()
    sys.stdout.write(f"{server.port}\n")
    sys.stdout.flush()
    time.sleep(float(seconds))


if __name__ == "__main__":
    main(*sys.argv[1:])
