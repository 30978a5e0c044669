"""What full metrics add to a resolution, and what a resolution itself takes.

All telemetry is attached with its defaults, OpenTelemetry is imported, no span records and the debug log is off. What
is added is the difference to the same calls with nothing attached; it includes making a page of all that was counted,
less what the same page takes when nothing new was counted. The counts of the page must be the calls that were made.
"""

from __future__ import annotations

from itertools import cycle
from time import perf_counter
from typing import TYPE_CHECKING

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.metrics.view import ExplicitBucketHistogramAggregation, View
from prometheus_client import CollectorRegistry, Counter, Histogram

from benchmarks._measure import in_turns, loop, once
from benchmarks._report import Row
from benchmarks._watched import DOMAIN, page, require_counted, resolver_of
from oneiric.core.observers import Observers
from oneiric.observability import attach
from oneiric.observability.catalogue import RESOLUTION_DURATION, RESOLUTIONS

if TYPE_CHECKING:
    from benchmarks._measure import Effort, Ratios, Subject
    from oneiric.core.events import Event
    from oneiric.core.observers import Receiver
    from oneiric.core.resolution import Resolver
    from oneiric.observability import Telemetry

ADDED = "added by metrics to a resolve() "
ROWS = (
    Row(name="added-prometheus", what=ADDED + "vs prometheus_client", at_least=1 / 6, aim=1 / 10),
    Row(name="added-opentelemetry", what=ADDED + "vs OpenTelemetry's SDK", at_least=1 / 25, aim=1 / 40),
    Row(name="added-pair", what=ADDED + "vs a perf_counter pair", at_least=6, aim=3),
    Row(name="added-pair-keys", what=ADDED + "of 100 vs a perf_counter pair"),
    Row(name="added-prometheus-kept", what=ADDED + "vs prometheus_client, children kept"),
    Row(name="resolve-50", what="resolve() of 50 candidates vs 1", at_least=1.1, aim=1.0),
    Row(name="resolve-10000", what="resolve() of 10,000 candidates vs 1"),
    Row(name="resolve-provider", what="resolve() of 10,000 by provider vs of 1"),
    Row(name="resolve-observer", what="resolve() with an idle observer vs none"),
)

CALLS = 50_000
KEYS = [f"key-{number}" for number in range(100)]
PAIR = "started = clock(); elapsed = clock() - started"
RESOLVE = "resolve('adapter', 'cache')"


class Idle:
    """An observer that takes every event and does nothing with it."""

    def receiver(self, event_type: type[Event]) -> Receiver:
        """Want everything."""
        del event_type
        return lambda _: None


def measure(effort: Effort) -> Ratios:
    """Return the ratios of every row."""
    return {**_added(effort), **_resolved(effort)}


def _added(effort: Effort) -> Ratios:
    calls = effort.of(CALLS)
    bare, watched = resolver_of(["cache"]), resolver_of(["cache"])
    bare_many, watched_many = resolver_of(KEYS), resolver_of(KEYS)
    with attach(watched) as telemetry, attach(watched_many) as telemetry_many:
        subjects = {
            "nothing": loop("pass", calls),
            "pair": loop(PAIR, calls, clock=perf_counter),
            "bare": loop(RESOLVE, calls, resolve=bare.resolve),
            "bare many": _many(bare_many, calls),
            "watched": loop(RESOLVE, calls, resolve=watched.resolve),
            "watched many": _many(watched_many, calls),
            "prometheus": _prometheus(calls),
            "prometheus kept": _prometheus_kept(calls),
            "opentelemetry": _opentelemetry(calls),
        }
        subjects["watched"] = _with_page(subjects["watched"], telemetry)
        subjects["watched many"] = _with_page(subjects["watched many"], telemetry_many)
        rounds = list(in_turns(subjects, effort.rounds))
        for each in (telemetry, telemetry_many):
            require_counted(each, RESOLUTIONS, calls * (effort.rounds + 1))
    return {
        "added-prometheus": [(r["watched"] - r["bare"]) / (r["prometheus"] - r["nothing"]) for r in rounds],
        "added-opentelemetry": [(r["watched"] - r["bare"]) / (r["opentelemetry"] - r["nothing"]) for r in rounds],
        "added-pair": [(r["watched"] - r["bare"]) / (r["pair"] - r["nothing"]) for r in rounds],
        "added-pair-keys": [(r["watched many"] - r["bare many"]) / (r["pair"] - r["nothing"]) for r in rounds],
        "added-prometheus-kept": [(r["watched"] - r["bare"]) / (r["prometheus kept"] - r["nothing"]) for r in rounds],
    }


def _many(resolver: Resolver, calls: int) -> Subject:
    return loop("resolve('adapter', next(keys))", calls, resolve=resolver.resolve, keys=cycle(KEYS))


def _with_page(calls: Subject, telemetry: Telemetry) -> Subject:
    """Return *calls* with what a page takes to take them in, less what it takes anyway."""
    render = once(lambda: page(telemetry))

    def seconds() -> float:
        return calls() + render() - min(render(), render())

    return seconds


def _prometheus(calls: int) -> Subject:
    counter, histogram = _instruments()
    statement = f"counter.labels('adapter', 'cache', 'redis').inc(); {PAIR}; histogram.labels('adapter', 'cache')"
    return loop(statement + ".observe(elapsed)", calls, counter=counter, histogram=histogram, clock=perf_counter)


def _prometheus_kept(calls: int) -> Subject:
    counter, histogram = _instruments()
    return loop(
        f"inc(); {PAIR}; observe(elapsed)",
        calls,
        inc=counter.labels(DOMAIN, "cache", "redis").inc,
        observe=histogram.labels(DOMAIN, "cache").observe,
        clock=perf_counter,
    )


def _instruments() -> tuple[Counter, Histogram]:
    registry = CollectorRegistry()
    buckets = RESOLUTION_DURATION.buckets
    return (
        Counter("resolutions", "Resolutions", ["domain", "key", "provider"], registry=registry),
        Histogram("duration_seconds", "Their duration", ["domain", "key"], buckets=buckets, registry=registry),
    )


def _opentelemetry(calls: int) -> Subject:
    buckets = ExplicitBucketHistogramAggregation(RESOLUTION_DURATION.buckets)
    view = View(instrument_name="duration", aggregation=buckets)
    meter = MeterProvider([InMemoryMetricReader()], views=[view], shutdown_on_exit=False).get_meter("benchmarks")
    return loop(
        f"add(1, {{'domain': 'adapter', 'key': 'cache', 'provider': 'redis'}}); {PAIR};"
        "record(elapsed, {'domain': 'adapter', 'key': 'cache'})",
        calls,
        add=meter.create_counter("resolutions").add,
        record=meter.create_histogram("duration", unit="s").record,
        clock=perf_counter,
    )


def _resolved(effort: Effort) -> Ratios:
    calls = effort.of(CALLS)
    crowd = resolver_of(["cache"], [f"p{number}" for number in range(effort.of(10_000))])
    idle = Observers()
    idle.add(Idle())
    subjects = {
        "1": loop(RESOLVE, calls, resolve=resolver_of(["cache"]).resolve),
        "50": loop(RESOLVE, calls, resolve=resolver_of(["cache"], [f"p{number}" for number in range(50)]).resolve),
        "10,000": loop(RESOLVE, calls, resolve=crowd.resolve),
        "provider": loop("resolve('adapter', 'cache', provider='p5')", calls, resolve=crowd.resolve),
        "observer": loop(RESOLVE, calls, resolve=resolver_of(["cache"], observers=idle).resolve),
    }
    rounds = list(in_turns(subjects, effort.rounds))
    return {
        "resolve-50": [r["50"] / r["1"] for r in rounds],
        "resolve-10000": [r["10,000"] / r["1"] for r in rounds],
        "resolve-provider": [r["provider"] / r["1"] for r in rounds],
        "resolve-observer": [r["observer"] / r["1"] for r in rounds],
    }
