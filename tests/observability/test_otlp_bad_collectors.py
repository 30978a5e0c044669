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
import gc, json, sys, time
from pathlib import Path
import grpc
from oneiric.core import events
from oneiric.core.resolution import Candidate, Resolver
from oneiric.observability import OtlpOptions, attach

resolver = Resolver()
resolver.register(Candidate(domain="adapter", key="cache", provider="redis", factory=dict))
options = OtlpOptions(
    endpoint=sys.argv[1], protocol=sys.argv[2], timeout=1.0, traces_interval=0.1, metrics_interval=0.3
)
telemetry = attach(resolver, otlp=options)

def swap():
    started = time.perf_counter()
    with resolver.observers.operation(events.Swap(domain="adapter", key="cache", provider="redis")):
        resolver.resolve("adapter", "cache")
    return time.perf_counter() - started

def memory(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))

for _ in range(100):
    swap()
gc.collect()
before = memory("VmRSS")
took = []
while len(took) < 3000:
    took.append(swap())
    if len(took) % 20 == 0:
        time.sleep(0.003)
more = memory("VmHWM") - before
took.sort()
print("measured", flush=True)
started = time.perf_counter()
telemetry.detach()
stopped = time.perf_counter() - started
lost = telemetry.samples()["oneiric_observability_spans_lost_total"]
errors = telemetry.samples()["oneiric_observability_hook_errors_total"]
print(json.dumps({
    "p99": took[len(took) * 99 // 100],
    "more": more,
    "stopped": stopped,
    "ended": len(took) + 100,
    "lost": sum(value for _, value in lost),
    "errors": sum(value for labels, value in errors if labels["sink"] == "otlp"),
}))
"""


@dataclass(frozen=True)
class Outcome:
    """What the program measured, in seconds and bytes, and how long it took to end."""

    p99: float
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
    """How the program fared with each bad collector; one measures while the one before it waits for its end."""
    running = {}
    with ExitStack() as stack:
        for kind, (protocol, collector) in BAD.items():
            command = [sys.executable, "-W", "error", "-c", PROGRAM, stack.enter_context(collector()), protocol]
            process = subprocess.Popen(command, cwd=tmp_path_factory.mktemp("bad"), stdout=subprocess.PIPE, text=True)
            stack.enter_context(process)
            stack.callback(process.kill)
            assert process.stdout is not None
            assert process.stdout.readline() == "measured\n"
            running[kind] = process
        return {kind: Outcome(**json.loads(process.communicate(timeout=30)[0])) for kind, process in running.items()}


@pytest.mark.slow
@pytest.mark.parametrize("kind", BAD)
def test_a_bad_collector_is_not_noticed(kind: str, outcomes: dict[str, Outcome]) -> None:
    """A swap takes under 1 ms at p99, memory grows by under 20 MiB, every loss is counted, and it stops within 5 s."""
    outcome = outcomes[kind]
    assert outcome.p99 < 0.001
    assert outcome.more < 20 * 2**20
    assert outcome.stopped < 5.0
    if not kind.startswith("huge"):  # such a one has taken what it was sent, or says that it refused it
        assert outcome.lost == outcome.ended
    assert outcome.lost > 0
    assert outcome.errors > 0 or kind == "huge reply"
