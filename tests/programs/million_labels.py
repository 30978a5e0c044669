"""A program that reports a million label sets, and prints the bytes that they took and the totals."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from oneiric.core import events
from oneiric.core.observers import Observers
from oneiric.observability import Telemetry, attach


def resident() -> int:
    """Return the bytes that this process has in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def resolved(key: str) -> events.Resolved:
    """Return a resolution of *key*."""
    return events.Resolved(domain="adapter", key=key, provider="p", duration=0.001, candidates=1, shadowed=0)


def total(telemetry: Telemetry, name: str) -> float:
    """Return the sum over the samples called *name*."""
    return sum(value for _, value in telemetry.samples()[name])


def main() -> None:
    """Report and print."""
    observers = Observers()
    telemetry = attach(observers)
    observers.notify(resolved("first"))
    telemetry.samples()
    before = resident()
    for number in range(999_999):
        observers.notify(resolved(f"key-{number}"))
    list(telemetry.collector.collect())
    grown = resident() - before
    names = (
        "oneiric_resolution_total",
        "oneiric_resolution_duration_seconds_count",
        "oneiric_observability_series_dropped_total",
    )
    sys.stdout.write(" ".join(str(figure) for figure in (grown, *(total(telemetry, name) for name in names))))


if __name__ == "__main__":
    main()
