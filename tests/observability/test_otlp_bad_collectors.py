"""Bad collectors: whatever they do, the process that exports to them notices nothing but counts."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from collectors import black_hole, grpc_collector, huge, raw_server, slow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

PROGRAM = """
import gc, json, os, signal, sys, time
from pathlib import Path
import grpc
from opentelemetry.sdk.trace import TracerProvider
from oneiric.core import events
from oneiric.core.resolution import Candidate, Resolver
from oneiric.observability import OtlpOptions, attach
import oneiric.observability._otlp

def resolver():
    resolver = Resolver()
    resolver.register(Candidate(domain="adapter", key="cache", provider="redis", factory=dict))
    return resolver

def swap(resolver):
    started = time.perf_counter()
    with resolver.observers.operation(events.Swap(domain="adapter", key="cache", provider="redis")):
        resolver.resolve("adapter", "cache")
    return time.perf_counter() - started

def memory(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))

def quantile(took, percent):  # of the best third: whoever else uses the machine may spoil the others
    return min(sorted(took[start:start + 500])[5 * percent] for start in range(0, 1500, 500))

def export(url, protocol, measured):
    options = OtlpOptions(endpoint=url, protocol=protocol, timeout=1.0, traces_interval=0.1, metrics_interval=0.3)
    exporting, alone = resolver(), resolver()
    telemetry = attach(exporting, otlp=options)
    attach(alone, tracer_provider=TracerProvider())
    for _ in range(100):
        swap(exporting), swap(alone)
    gc.collect()
    before = memory("VmRSS")
    took, took_alone = [], []
    while len(took) < 1500:
        took.append(swap(exporting))
        took_alone.append(swap(alone))
        if len(took) % 20 == 0:
            time.sleep(0.003)
    more = memory("VmHWM") - before
    os.write(measured, b"!")
    started = time.perf_counter()
    telemetry.detach()
    stopped = time.perf_counter() - started
    lost = telemetry.samples()["oneiric_observability_spans_lost_total"]
    errors = telemetry.samples()["oneiric_observability_hook_errors_total"]
    return {
        "p99": quantile(took, 99),
        "p99_alone": quantile(took_alone, 99),
        "median": quantile(took, 50),
        "median_alone": quantile(took_alone, 50),
        "waited": sum(took) - sum(took_alone),
        "more": more,
        "stopped": stopped,
        "ended": len(took) + 100,
        "lost": sum(value for _, value in lost),
        "errors": sum(value for labels, value in errors if labels["sink"] == "otlp"),
    }

for kind, protocol, url in json.loads(sys.argv[1]):
    reading, writing = os.pipe()
    if os.fork() == 0:
        signal.alarm(60)  # one that hangs is not left behind
        outcome = export(url, protocol, writing)
        print(json.dumps([kind, outcome]))
        sys.exit()
    os.close(writing)
    assert os.read(reading, 1), kind
while True:
    try:
        assert os.wait()[1] == 0
    except ChildProcessError:
        break
"""


@dataclass(frozen=True)
class Outcome:
    """What the program measured, in seconds and bytes, and how long it took to end.

    Attributes:
        p99: Of a swap whose span is exported, in the best third of the time.
        p99_alone: Of a swap whose span is not, made in turns with the others.
        median: Of the former.
        median_alone: Of the latter.
        waited: How much longer the former took, all together.
    """

    p99: float
    p99_alone: float
    median: float
    median_alone: float
    waited: float
    more: int
    stopped: float
    ended: int
    lost: float
    errors: float


@contextmanager
def refusing() -> Iterator[str]:
    """Yield a URL where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    yield f"http://127.0.0.1:{port}"


@contextmanager
def slow_grpc() -> Iterator[str]:
    """Run a gRPC receiver that answers when nobody waits for it any more."""

    def answer(*_: object) -> bytes:
        time.sleep(2.0)
        return b""

    with grpc_collector(answer) as received:
        yield received.url


@contextmanager
def huge_grpc() -> Iterator[str]:
    """Run a gRPC receiver whose answers have 3 MB."""
    with grpc_collector(lambda *_: bytes(3_000_000)) as received:
        yield received.url


BAD: dict[str, tuple[str, Callable[[], AbstractContextManager[str]]]] = {
    "refusing": ("http/protobuf", refusing),
    "black hole": ("http/protobuf", lambda: raw_server(black_hole)),
    "slow": ("http/protobuf", lambda: raw_server(slow)),
    "huge reply": ("http/protobuf", lambda: raw_server(huge)),
    "refusing gRPC": ("grpc", refusing),
    "black hole gRPC": ("grpc", lambda: raw_server(black_hole)),
    "slow gRPC": ("grpc", slow_grpc),
    "huge reply gRPC": ("grpc", huge_grpc),
}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """How the program fared with each bad collector; a child measures while those before it wait for their ends."""
    with ExitStack() as stack:
        bad = [(kind, protocol, stack.enter_context(collector())) for kind, (protocol, collector) in BAD.items()]
        ended = subprocess.run(
            [sys.executable, "-W", "error", "-c", PROGRAM, json.dumps(bad)],
            cwd=tmp_path_factory.mktemp("bad"),
            stdout=subprocess.PIPE,
            text=True,
            timeout=60,
            check=True,
        )
    return {kind: Outcome(**outcome) for kind, outcome in map(json.loads, ended.stdout.splitlines())}


@pytest.mark.slow
@pytest.mark.parametrize("kind", BAD)
def test_a_bad_collector_is_not_noticed(kind: str, outcomes: dict[str, Outcome]) -> None:
    """A swap takes under 1 ms at p99, memory grows by under 20 MiB, every loss is counted, and it stops within 5 s.

    Where the machine is too busy for a swap in 1 ms, it takes about as long as one whose span nobody exports.
    """
    outcome = outcomes[kind]
    if outcome.p99 >= 0.001:  # how long the machine let a swap wait is chance, but for the typical one
        assert outcome.median < 2 * outcome.median_alone
        assert outcome.p99 < 10 * outcome.p99_alone
    assert outcome.waited < 0.75  # one request that nobody answers takes 1 s
    assert outcome.more < 20 * 2**20
    assert outcome.stopped < 5.0
    if kind != "huge reply":  # that collector took what it was sent
        assert outcome.lost == outcome.ended
        assert outcome.errors > 0
