"""Telemetry comes and goes without leaving a thread, a descriptor, a series or an object behind."""

from __future__ import annotations

import asyncio
import gc
import http.client
import json
import socket
import threading
import time
import weakref
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from processes import run_program
from prometheus_client import CollectorRegistry

from oneiric.core.config import OneiricSettings
from oneiric.core.events import CacheState, State
from oneiric.core.resolution import Candidate, Resolver
from oneiric.observability import MetricsServer, Telemetry, attach
from oneiric.observability.metrics import PrometheusSink
from oneiric.runtime.orchestrator import RuntimeOrchestrator

ROUNDS = 10


class Process:
    """How many threads and descriptors this process has, and what it has more than when this was made."""

    def __init__(self) -> None:
        self._threads, self._descriptors = self._counted()

    def assert_nothing_left(self) -> None:
        """Fail if in the end there is a thread or a descriptor that was not there before."""
        deadline = time.monotonic() + 30.0
        while self._more() != ([], []) and time.monotonic() < deadline:
            time.sleep(0.01)  # a connection's other end closes when its thread gets to it
        assert self._more() == ([], [])

    def _more(self) -> tuple[list[str], list[str]]:
        threads, descriptors = self._counted()
        new = [descriptors[number] for number in descriptors.keys() - self._descriptors.keys()]
        return [thread.name for thread in threads - self._threads], new

    @staticmethod
    def _counted() -> tuple[set[threading.Thread], dict[str, str]]:
        found = {}
        for descriptor in Path("/proc/self/fd").iterdir():
            with suppress(OSError):  # the one that lists them
                found[descriptor.name] = str(descriptor.readlink())
        return set(threading.enumerate()), found


@pytest.fixture
def process() -> Process:
    """The process as it is before the test."""
    return Process()


def alive(*kinds: type) -> list[int]:
    """Return how many objects there are of each of *kinds*."""
    gc.collect()
    found = Counter(map(type, gc.get_objects()))
    return [found[kind] for kind in kinds]


def candidate(key: str = "cache", provider: str = "memory") -> Candidate:
    """Return a candidate for an adapter."""
    return Candidate(domain="adapter", key=key, provider=provider, factory=dict)


def settings(directory: Path) -> OneiricSettings:
    """Return settings of a runtime in *directory* that serves its metrics on a free port."""
    observability = {"metrics_address": "127.0.0.1:0", "probe_interval": None}
    return OneiricSettings.model_validate({"cache_dir": str(directory), "observability": observability})


def series(telemetry: Telemetry) -> int:
    """Return how many series the metrics of the catalogue have, but for those that count the series themselves."""
    return sum(len(rows) for name, rows in telemetry.samples().items() if not name.startswith("oneiric_observability"))


def scrape(server: MetricsServer | None) -> str:
    """Return what a server exposes."""
    assert server is not None
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        connection.request("GET", "/metrics")
        return connection.getresponse().read().decode()
    finally:
        connection.close()


@pytest.mark.slow
def test_attaching_twice_and_detaching_leaves_nothing(process: Process) -> None:
    """However often telemetry is attached, attached again and detached, nothing of it is left in the process.

    What was resolved meanwhile, another key in each round, holds nothing of it either.
    """
    resolver, registry = Resolver(), CollectorRegistry()
    kinds = (Telemetry, PrometheusSink)
    before = alive(*kinds)
    for number in range(ROUNDS):
        resolver.register(candidate(f"key-{number}"))
        _attach_twice(resolver, registry, key=f"key-{number}")
    assert resolver.observers.attached == ()
    assert list(registry.collect()) == []
    assert alive(*kinds) == before
    process.assert_nothing_left()


def _attach_twice(resolver: Resolver, registry: CollectorRegistry, *, key: str) -> None:
    telemetry = attach(resolver, registry=registry)
    assert attach(resolver, registry=registry) is telemetry
    for _ in range(3):
        resolver.resolve("adapter", key)
    telemetry.detach()
    telemetry.detach()


def test_a_second_runtime_has_nothing_of_the_first(process: Process) -> None:
    """What was detached from one runtime and attached to another shows the other, and lets the first one go."""
    registry = CollectorRegistry()
    first, second = Resolver(), Resolver()
    first.register(candidate("first"))
    second.register(candidate("second"))
    detached = attach(first, registry=registry)
    detached.detach()
    gone = weakref.ref(first)
    del first
    with attach(second, registry=registry) as telemetry:
        second.resolve("adapter", "second")
        keys = {labels.get("key") for rows in telemetry.samples().values() for labels, _ in rows}
    gc.collect()
    assert (gone(), keys - {None}) == (None, {"second"})
    assert detached.registry is registry  # it is alive itself
    process.assert_nothing_left()


class Part:
    """Something with a gauge of its own."""

    def states(self) -> list[State]:
        """Return that one cache was measured."""
        return [CacheState(limit_bytes=1)]


def test_what_was_removed_from_telemetry_is_let_go() -> None:
    """A part that is no longer read has no series, and is not kept alive by the telemetry that stays."""
    with attach(Resolver()) as telemetry:
        before, part = series(telemetry), Part()
        telemetry.add(part)
        telemetry.add(part)
        assert series(telemetry) == before + 1
        gone = weakref.ref(part)
        telemetry.remove(part)
        telemetry.remove(part)
        del part
        gc.collect()
        assert (gone(), series(telemetry)) == (None, before)


def test_series_go_with_their_components() -> None:
    """Components that come and go, many times as many as there ever are at once, leave the series there were."""
    resolver = Resolver()
    with attach(resolver) as telemetry:
        resolver.register(candidate("stays"))
        resolver.resolve("adapter", "stays")
        before = series(telemetry)
        for number in range(ROUNDS * 50):
            resolver.register(candidate(f"key-{number}"))
            resolver.resolve("adapter", f"key-{number}")
            resolver.unregister("adapter", f"key-{number}", "memory")
        assert series(telemetry) == before


def test_a_server_that_starts_and_stops_leaves_nothing(process: Process) -> None:
    """Servers that are started, scraped, left with an open connection and stopped leave no thread or descriptor."""
    with attach(Resolver()) as telemetry:
        server = MetricsServer(telemetry.exposition(), address="127.0.0.1:0")
        for _ in range(ROUNDS):
            with server, socket.create_connection(("127.0.0.1", server.port)) as silent:
                scrape(server)
                silent.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n")
        process.assert_nothing_left()


def test_two_runtimes_in_one_process_stay_apart(tmp_path: Path, process: Process) -> None:
    """Each shows its own components; when one stops, its port is closed and the other serves on."""
    asyncio.run(_two_runtimes(tmp_path))
    process.assert_nothing_left()


async def _two_runtimes(directory: Path) -> None:
    runtimes = {key: RuntimeOrchestrator(settings(directory / key)) for key in ("one", "two")}
    for key, runtime in runtimes.items():
        await runtime.start()
        runtime.resolver.register(candidate(key))
        await runtime.adapter_bridge.use(key)
    first, second = runtimes.values()
    for key, runtime in runtimes.items():
        text = await asyncio.to_thread(scrape, runtime.metrics_server)
        assert [other for other in runtimes if f'key="{other}"' in text] == [key]
    assert first.metrics_server is not None
    port = first.metrics_server.port
    await first.stop()
    with socket.create_server(("127.0.0.1", port)):
        assert 'key="two"' in await asyncio.to_thread(scrape, second.metrics_server)
    await second.stop()


def test_runtimes_that_come_and_go_leave_nothing(tmp_path: Path, process: Process) -> None:
    """Runtime after runtime in one process, each scraped while it works, adds nothing to what the process holds."""
    kinds = (RuntimeOrchestrator, Telemetry, MetricsServer, Resolver)
    asyncio.run(_one_runtime(tmp_path))
    before = alive(*kinds)
    for _ in range(3):
        asyncio.run(_one_runtime(tmp_path))
    process.assert_nothing_left()
    assert alive(*kinds) == before


async def _one_runtime(directory: Path) -> None:
    async with RuntimeOrchestrator(settings(directory)) as runtime:
        runtime.resolver.register(candidate())
        await runtime.adapter_bridge.use("cache")
        await asyncio.to_thread(scrape, runtime.metrics_server)


HANGS = 3600.0  # seconds


@pytest.mark.parametrize(
    ("wait", "end"),
    [
        pytest.param(0.05, "exit", marks=pytest.mark.slow),
        (0.05, "stop"),
        pytest.param(0.05, "detach", marks=pytest.mark.slow),
        (HANGS, "exit"),
        (HANGS, "stop"),
        (HANGS, "detach"),
    ],
)
def test_the_interpreter_can_shut_down_during_a_scrape(wait: float, end: str) -> None:
    """While a scrape is under way and another thread reports, the process ends, silently, its port free."""
    done = run_program("scraped_at_the_end.py", str(wait), end, timeout=HANGS / 20)
    assert done.returncode == 0, done.stderr
    reported = [json.loads(line)["event"] for line in done.stderr.splitlines()]
    assert reported in ([], ["observability-hook-error"])  # the collector that hangs may be given up before the end
    with socket.create_server(("127.0.0.1", json.loads(done.stdout))):
        pass
