"""How long a scrape over HTTP takes while 16 threads do nothing but record, beside prometheus_client doing the same.

Both serve the same series with their own server to a client in another process. Every page must be whole, and what it
shows in the end must be what was recorded, or the run ends with an error.
"""

from __future__ import annotations

import contextlib
import re
import threading
from http import HTTPStatus
from typing import TYPE_CHECKING

import prometheus_client

from benchmarks._client import Client
from benchmarks._measure import in_turns
from benchmarks._prometheus import Twin
from benchmarks._report import Row
from benchmarks._watched import DOMAIN, resolved, resolver_of
from oneiric.observability import MetricsServer, attach
from oneiric.observability.catalogue import RESOLUTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks._measure import Effort, Ratios, Subject

WHAT = "a scrape while 16 threads {} vs prometheus_client, "
EVENTS, CALLS = WHAT.format("report events"), WHAT.format("resolve()")
ROWS = (
    Row(name="scrape-events", what=f"{EVENTS}the median"),
    Row(name="scrape-events-worst", what=f"{EVENTS}the worst"),
    Row(name="scrape-resolve", what=f"{CALLS}the median"),
    Row(name="scrape-resolve-worst", what=f"{CALLS}the worst"),
)

THREADS = 16
KEYS = 10
SCRAPES = 3
"""In each round, after one another."""


class Recording:
    """Threads that record until they are stopped, and how often they did."""

    def __init__(self, record: Callable[[str], object]) -> None:
        self.total = 0
        self._record = record
        self._counts = [0] * THREADS

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Record in the block, from when every thread has begun."""
        over, begun = threading.Event(), threading.Barrier(THREADS + 1)

        def work(place: int) -> None:
            count, record, keys = 0, self._record, [f"key-{number}" for number in range(KEYS)]
            begun.wait()
            while not over.is_set():
                for key in keys:
                    record(key)
                count += KEYS
            self._counts[place] = count

        threads = [threading.Thread(target=work, args=(place,)) for place in range(THREADS)]
        for thread in threads:
            thread.start()
        begun.wait()
        try:
            yield
        finally:
            over.set()
            for thread in threads:
                thread.join()
            self.total += sum(self._counts)


class Scraped:
    """Something that is recorded and scraped at the same time."""

    def __init__(self, client: Client, url: str, record: Callable[[str], object]) -> None:
        self._client = client
        self._url = url
        self._recording = Recording(record)
        self.worst: list[float] = []
        for number in range(KEYS):
            record(f"key-{number}")

    def subject(self) -> Subject:
        """Return what takes the sum of some scrapes, the slowest of which is added to ``worst``."""

        def seconds() -> float:
            with self._recording.running():
                taken = [self._seconds() for _ in range(SCRAPES)]
            self.worst.append(max(taken))
            return sorted(taken)[SCRAPES // 2]

        return seconds

    def require_exact(self) -> None:
        """Raise AssertionError unless the page shows what was recorded."""
        shown, recorded = self._shown(self._client.scrape(self._url).text), self._recording.total + KEYS
        if shown != recorded:
            raise AssertionError(f"{self._url} shows {shown:g} of {recorded}")

    def _seconds(self) -> float:
        page = self._client.scrape(self._url)
        if page.status != HTTPStatus.OK or not self._shown(page.text):
            raise AssertionError(f"no whole page at {self._url}: {page.status} {page.text[:80]!r}")
        return page.seconds

    def _shown(self, text: str) -> float:
        return sum(map(float, re.findall(rf"^{RESOLUTIONS.name}\{{.*\}} (\S+)$", text, re.MULTILINE)))


def measure(effort: Effort) -> Ratios:
    """Return the ratios of every row."""
    resolver = resolver_of([f"key-{number}" for number in range(KEYS)])
    events = resolver_of([])
    with contextlib.ExitStack() as stack:
        client, twin = stack.enter_context(Client()), Twin()
        server, _ = prometheus_client.start_http_server(0, "127.0.0.1", registry=twin.registry)
        stack.callback(server.shutdown)
        urls = []
        for target in (resolver, events):
            telemetry = stack.enter_context(attach(target))
            served = stack.enter_context(MetricsServer(telemetry.exposition(), address="127.0.0.1:0"))
            urls.append(f"http://127.0.0.1:{served.port}/metrics")
        scraped = {
            "resolve": Scraped(client, urls[0], lambda key: resolver.resolve(DOMAIN, key)),
            "events": Scraped(client, urls[1], lambda key: events.observers.notify(resolved(key))),
            "theirs": Scraped(client, f"http://127.0.0.1:{server.server_port}/metrics", twin.resolved),
        }
        rounds = list(in_turns({name: each.subject() for name, each in scraped.items()}, effort.rounds))
        for each in scraped.values():
            each.require_exact()
    worst = {name: each.worst[1:] for name, each in scraped.items()}
    return {
        f"scrape-{name}{end}": ratios
        for name in ("events", "resolve")
        for end, ratios in (
            ("", [r[name] / r["theirs"] for r in rounds]),
            ("-worst", [ours / theirs for ours, theirs in zip(worst[name], worst["theirs"], strict=True)]),
        )
    }
