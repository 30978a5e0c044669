"""What a series keeps in memory, beside prometheus_client, with all that a page leaves behind.

The label values exist before, on both sides. A histogram has 16 buckets and +Inf, and many observations in each.
"""

from __future__ import annotations

import gc
import math
import tracemalloc
from typing import TYPE_CHECKING

from benchmarks._prometheus import Twin
from benchmarks._report import Row
from benchmarks._watched import DOMAIN, page, resolved, resolver_of
from oneiric.core.observers import Observers
from oneiric.observability import attach
from oneiric.observability.catalogue import RESOLUTION_DURATION

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks._measure import Effort, Ratios

ROWS = (
    Row(name="memory-counter", what="memory of a counter vs prometheus_client", at_least=2 / 3, aim=1 / 3),
    Row(name="memory-histogram", what="memory of a 16-bucket histogram vs the same", at_least=2 / 3, aim=1 / 3),
    Row(name="memory-resolve", what="memory of both, and what resolve() keeps, vs the same"),
)

COUNTERS = 5_000
HISTOGRAMS = 50
PAIRS = 500
ROUNDS = 3
SPREAD = [bound for bound in (*RESOLUTION_DURATION.buckets, math.inf) for _ in range(257)]
"""Durations that fill each bucket with more than the integers of which the interpreter has one for everybody."""


def measure(effort: Effort) -> Ratios:
    """Return the ratios of every row."""
    many = [f"name-{number}" for number in range(effort.of(COUNTERS))]
    some = many[: effort.of(PAIRS)]
    few = many[: effort.of(HISTOGRAMS)]
    ratios: Ratios = {row.name: [] for row in ROWS}
    for _ in range(min(effort.rounds, ROUNDS)):
        counter, their_counter = _counters(many), _their_counters(many)
        ratios["memory-counter"].append(counter / their_counter)
        ratios["memory-histogram"].append((_pairs(few) - counter) / _their_histograms(few))
        ratios["memory-resolve"].append(_resolved(some) / _their_pairs(some))
    return ratios


def _counters(names: list[str]) -> float:
    """Count resolutions of one key by many providers: a counter each."""
    observers = Observers()
    with attach(observers, series_budget=2 * COUNTERS) as telemetry:
        return _kept(names, lambda name: observers.notify(resolved("cache", name)), lambda: page(telemetry))


def _pairs(names: list[str]) -> float:
    """Count resolutions of many keys: a counter and a full histogram each."""
    observers = Observers()

    def fill(name: str) -> None:
        for duration in SPREAD:
            observers.notify(resolved(name, duration=duration))

    with attach(observers, series_budget=2 * COUNTERS) as telemetry:
        return _kept(names, fill, lambda: page(telemetry))


def _resolved(names: list[str]) -> float:
    """Resolve many keys once."""
    observers = Observers()
    resolver = resolver_of(names, observers=observers)
    with attach(observers, series_budget=2 * COUNTERS) as telemetry:
        return _kept(names, lambda name: resolver.resolve(DOMAIN, name), lambda: page(telemetry))


def _their_counters(names: list[str]) -> float:
    twin = Twin()
    return _kept(names, lambda name: twin.resolutions.labels(DOMAIN, "cache", name).inc(), twin.page)


def _their_histograms(names: list[str]) -> float:
    twin = Twin()

    def fill(name: str) -> None:
        for duration in SPREAD:
            twin.durations.labels(DOMAIN, name).observe(duration)

    return _kept(names, fill, twin.page)


def _their_pairs(names: list[str]) -> float:
    twin = Twin()
    return _kept(names, twin.resolved, twin.page)


def _kept(names: list[str], fill: Callable[[str], object], render: Callable[[], object]) -> float:
    """Return the bytes that *fill* leaves for each name, and *render* after that; a first page was made before."""
    render()
    gc.collect()
    tracemalloc.start()
    for name in names:
        fill(name)
    for _ in range(2):
        render()
    gc.collect()
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return kept / len(names)
