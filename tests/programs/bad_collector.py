"""A program that exports to a bad collector while it works; it prints what it lost as JSON.

Its arguments are the protocol and the URL. A request may take longer than the program may live, so that neither its
work nor its end can wait for an answer.
"""

from __future__ import annotations

import gc
import json
import signal
import sys
from pathlib import Path

from oneiric.core import events
from oneiric.core.resolution import Candidate, Resolver
from oneiric.observability import OtlpOptions, attach

DEADLINE = 240
SWAPS = 1_600
WARM_UP = 100


def peak(field: str) -> int:
    """Return a figure of this process' memory, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def swap(resolver: Resolver) -> None:
    """Report a swap, in which something is resolved."""
    with resolver.observers.operation(events.Swap(domain="adapter", key="cache", provider="redis")):
        resolver.resolve("adapter", "cache")


def main(protocol: str, url: str) -> None:
    """Swap, detach, and print."""
    signal.alarm(DEADLINE)
    resolver = Resolver()
    resolver.register(Candidate(domain="adapter", key="cache", provider="redis", factory=dict))
    options = OtlpOptions(
        endpoint=url, protocol=protocol, timeout=10.0 * DEADLINE, traces_interval=0.1, metrics_interval=0.3
    )
    telemetry = attach(resolver, otlp=options)
    for _ in range(WARM_UP):
        swap(resolver)
    gc.collect()
    before = peak("VmRSS")
    for _ in range(SWAPS - WARM_UP):
        swap(resolver)
    grown = peak("VmHWM") - before
    telemetry.detach()
    samples = telemetry.samples()
    errors = samples["oneiric_observability_hook_errors_total"]
    outcome = {
        "ended": SWAPS,
        "grown": grown,
        "lost": sum(value for _, value in samples["oneiric_observability_spans_lost_total"]),
        "errors": sum(value for labels, value in errors if labels["sink"] == "otlp"),
    }
    sys.stdout.write(json.dumps(outcome))


if __name__ == "__main__":
    main(*sys.argv[1:])
