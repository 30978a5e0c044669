"""How much a scrape makes another thread wait: a call that is due each millisecond, timed from when it is due.

The page has 10,000 series and is made again and again by a thread of its own. The caller counts one resolution of one
of its keys; the lateness of the timer is part of what it takes, with a scrape as without.
"""

from __future__ import annotations

import contextlib
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from typing import TYPE_CHECKING

from benchmarks._measure import in_turns
from benchmarks._prometheus import Twin
from benchmarks._report import Row
from benchmarks._watched import DOMAIN, page, resolved, resolver_of
from oneiric.core.observers import Observers
from oneiric.observability import attach

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks._measure import Effort, Ratios, Subject

WHAT = "a call each ms while scraped vs not scraped"
ROWS = (
    Row(name="paced", what=WHAT, at_least=2, aim=1.2),
    Row(name="paced-changing", what=WHAT + ", all changing"),
    Row(name="paced-prometheus", what=WHAT + ", prometheus_client"),
)

CALLS = 60
KEYS = 500
PERIOD = 0.001


def measure(effort: Effort) -> Ratios:
    """Return the ratios of every row."""
    calls = max(effort.of(CALLS), 5)
    keys = [f"key-{number}" for number in range(effort.of(KEYS))]
    observers, twin, turn = Observers(), Twin(), cycle(keys)
    resolver = resolver_of(keys, observers=observers)

    def resolve() -> None:
        resolver.resolve(DOMAIN, next(turn))

    def count() -> None:
        started = time.perf_counter()
        twin.resolved(next(turn))
        del started

    def change_and_page() -> None:
        for key in keys:
            observers.notify(resolved(key))
        page(telemetry)

    with attach(observers, series_budget=2 * KEYS) as telemetry:
        for key in keys:
            resolver.resolve(DOMAIN, key)
            twin.resolved(key)
        subjects = {
            "ours": lambda: _median(resolve, calls),
            "ours scraped": _scraped(resolve, calls, lambda: page(telemetry)),
            "ours changing": _scraped(resolve, calls, change_and_page),
            "theirs": lambda: _median(count, calls),
            "theirs scraped": _scraped(count, calls, twin.page),
        }
        rounds = list(in_turns(subjects, effort.rounds))
    return {
        "paced": [r["ours scraped"] / r["ours"] for r in rounds],
        "paced-changing": [r["ours changing"] / r["ours"] for r in rounds],
        "paced-prometheus": [r["theirs scraped"] / r["theirs"] for r in rounds],
    }


def _scraped(call: Callable[[], object], calls: int, scrape: Callable[[], object]) -> Subject:
    def median() -> float:
        with _again_and_again(scrape):
            return _median(call, calls)

    return median


def _median(call: Callable[[], object], calls: int) -> float:
    """Return the median of the seconds from when a call is due until it is done."""
    taken = []
    due = time.perf_counter() + PERIOD
    for _ in range(calls):
        while (left := due - time.perf_counter()) > 0:
            time.sleep(left)
        call()
        done = time.perf_counter()
        taken.append(done - due)
        due = max(due, done) + PERIOD
    return statistics.median(taken)


@contextlib.contextmanager
def _again_and_again(work: Callable[[], object]) -> Iterator[None]:
    """Do *work* in a thread, from before the block until its end; raise what it raises."""
    begun, over = threading.Event(), threading.Event()

    def run() -> None:
        try:
            while not over.is_set():
                work()
                begun.set()
        finally:
            begun.set()

    with ThreadPoolExecutor(1) as thread:
        working = thread.submit(run)
        begun.wait()
        try:
            yield
        finally:
            over.set()
        working.result()
