"""What counting a resolution costs: the compiled sink beside the reference client, and memory for each series.

    python benchmarks/bench_metrics.py

Prints ratios of the best of several interleaved rounds in one process; absolute times say little.
"""

from __future__ import annotations

import timeit
import tracemalloc
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram

from oneiric.core.events import Resolved
from oneiric.core.observers import Observers
from oneiric.core.resolution import Candidate, Resolver
from oneiric.observability import attach
from oneiric.observability._prometheus import PrometheusSink
from oneiric.observability.catalogue import CATALOGUE, RESOLUTION_DURATION

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 7
CALLS = 20_000
SERIES = 1_000


def best(*subjects: Callable[[], object]) -> list[float]:
    """Return the least seconds of a call of each of *subjects*, in interleaved rounds."""
    rounds = [[timeit.timeit(subject, number=CALLS) / CALLS for subject in subjects] for _ in range(ROUNDS)]
    return [min(times) for times in zip(*rounds, strict=True)]


def event(key: str = "cache") -> Resolved:
    """Return a resolution of *key*."""
    return Resolved(domain="adapter", key=key, provider="redis", duration=0.0002, candidates=1, shadowed=0)


def sink() -> Observers:
    """Return a seam with nothing but the compiled sink."""
    observers = Observers()
    observers.add(PrometheusSink(CATALOGUE, observers, version="0", series_budget=2 * SERIES))
    return observers


def reference() -> tuple[Counter, Histogram]:
    """Return the same counter and histogram of the reference client."""
    registry = CollectorRegistry()
    histogram = Histogram("d", "d", ["domain", "key"], buckets=RESOLUTION_DURATION.buckets, registry=registry)
    return Counter("c", "c", ["domain", "key", "provider"], registry=registry), histogram


def counting() -> None:
    """Compare counting one resolution and putting its duration into a histogram."""
    observers, told = sink(), event()
    counter, histogram = reference()
    counter_child = counter.labels("adapter", "cache", "redis")
    histogram_child = histogram.labels("adapter", "cache")

    def labelled() -> None:
        counter.labels("adapter", "cache", "redis").inc()
        histogram.labels("adapter", "cache").observe(0.0002)

    def kept() -> None:
        counter_child.inc()
        histogram_child.observe(0.0002)

    ours, theirs, theirs_kept = best(lambda: observers.notify(told), labelled, kept)
    print(f"count and observe: {ours * 1e6:.2f} us; reference client {theirs / ours:.2f} times that,")
    print(f"  with children kept by hand (no label look-up) {theirs_kept / ours:.2f} times")


def resolving() -> None:
    """Compare resolving with nothing attached and with all of the telemetry."""
    bare, watched = Resolver(), Resolver()
    for resolver in (bare, watched):
        resolver.register(Candidate(domain="adapter", key="cache", provider="redis", factory=dict))
    with attach(watched):
        alone, observed = best(lambda: bare.resolve("adapter", "cache"), lambda: watched.resolve("adapter", "cache"))
    print(f"resolve: {alone * 1e6:.2f} us with nothing attached, {observed / alone:.2f} times that with everything")


def memory() -> None:
    """Compare the memory of one counter series and one histogram series together."""
    keys = [f"key-{number}" for number in range(SERIES)]

    def ours() -> object:
        observers = sink()
        for key in keys:
            observers.notify(event(key))
        return observers

    def theirs() -> object:
        counter, histogram = reference()
        for key in keys:
            counter.labels("adapter", key, "redis").inc()
            histogram.labels("adapter", key).observe(0.0002)
        return counter, histogram

    used = []
    for fill in (ours, theirs):
        tracemalloc.start()
        kept = fill()
        used.append(tracemalloc.get_traced_memory()[0] / SERIES)
        tracemalloc.stop()
        del kept
    print(f"memory: {used[0]:.0f} bytes a series pair, reference client {used[1] / used[0]:.2f} times that")


if __name__ == "__main__":
    counting()
    resolving()
    memory()
