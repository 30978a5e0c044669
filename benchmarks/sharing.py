"""What it takes to count, and to show, where several processes share their counts, beside the reference client.

The reference client decides when it is imported whether it shares, so that this is measured in a process of its own;
there, ours and theirs have their turns as everywhere else. Each directory holds the counts of one process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from time import perf_counter
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from benchmarks._measure import Effort, in_turns, loop, once
from benchmarks._report import Row
from benchmarks._watched import DOMAIN, page, require_counted, resolved, resolver_of
from oneiric.observability import attach
from oneiric.observability.catalogue import RESOLUTION_DURATION, RESOLUTIONS

if TYPE_CHECKING:
    from benchmarks._measure import Ratios

SHARED = "prometheus_client's in multiprocess mode"
ROWS = (
    Row(name="shared-added", what=f"added by shared metrics to a resolve() vs {SHARED}"),
    Row(name="shared-page", what=f"a page of 2,000 shared series vs {SHARED}"),
)

CALLS = 5_000
SERIES = 1_000
DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"


def measure(effort: Effort) -> Ratios:
    """Return the ratios of every row."""
    with tempfile.TemporaryDirectory() as directory:
        command = [sys.executable, "-m", "benchmarks.sharing", str(effort.rounds), str(effort.scale)]
        environment = {**os.environ, DIRECTORY: directory}
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    ratios: Ratios = json.loads(done.stdout)
    return ratios


def _measured_here(effort: Effort) -> Ratios:
    with tempfile.TemporaryDirectory() as directory:
        return {**_added(effort, directory), **_shown(effort, directory)}


def _added(effort: Effort, directory: str) -> Ratios:
    calls = effort.of(CALLS)
    bare, watched = resolver_of(["cache"]), resolver_of(["cache"])
    counter, histogram = _instruments(CollectorRegistry())
    with attach(watched, shared_dir=directory) as telemetry:
        subjects = {
            "nothing": loop("pass", calls),
            "bare": loop("resolve('adapter', 'cache')", calls, resolve=bare.resolve),
            "ours": loop("resolve('adapter', 'cache')", calls, resolve=watched.resolve),
            "theirs": loop(
                "counter.labels('adapter', 'cache', 'redis').inc(); started = clock(); elapsed = clock() - started;"
                "histogram.labels('adapter', 'cache').observe(elapsed)",
                calls,
                counter=counter,
                histogram=histogram,
                clock=perf_counter,
            ),
        }
        rounds = list(in_turns(subjects, effort.rounds))
        require_counted(telemetry, RESOLUTIONS, calls * (effort.rounds + 1))
    return {"shared-added": [(r["ours"] - r["bare"]) / (r["theirs"] - r["nothing"]) for r in rounds]}


def _shown(effort: Effort, directory: str) -> Ratios:
    keys = [f"key-{number}" for number in range(effort.of(SERIES))]
    counter, histogram = _instruments(CollectorRegistry())
    watched, scraped = resolver_of([]), resolver_of([])
    registry = CollectorRegistry()
    MultiProcessCollector(registry)
    with attach(watched, shared_dir=directory), attach(scraped, shared_dir=directory) as telemetry:
        for key in keys:
            watched.observers.notify(resolved(key))
            counter.labels(DOMAIN, key, "redis").inc()
            histogram.labels(DOMAIN, key).observe(1.0)
        subjects = {"ours": once(lambda: page(telemetry)), "theirs": once(lambda: generate_latest(registry))}
        rounds = list(in_turns(subjects, effort.rounds))
    return {"shared-page": [r["ours"] / r["theirs"] for r in rounds]}


def _instruments(registry: CollectorRegistry) -> tuple[Counter, Histogram]:
    buckets = RESOLUTION_DURATION.buckets
    return (
        Counter("resolutions", "Resolutions", ["domain", "key", "provider"], registry=registry),
        Histogram("duration_seconds", "Their duration", ["domain", "key"], buckets=buckets, registry=registry),
    )


if __name__ == "__main__":
    rounds, scale = sys.argv[1:]
    print(json.dumps(_measured_here(Effort(rounds=int(rounds), scale=float(scale)))))
