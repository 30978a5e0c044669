"""Bad collectors: whatever they do, the process that exports to them notices nothing but counts."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from collectors import black_hole, grpc_collector, huge, raw_server, slow
from processes import run_program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager


@contextmanager
def refusing() -> Iterator[str]:
    """Yield a URL where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    yield f"http://127.0.0.1:{port}"


@contextmanager
def slow_grpc() -> Iterator[str]:
    """Run a gRPC receiver that answers when nobody waits for it any more."""
    ended = threading.Event()

    def answer(*_: object) -> bytes:
        ended.wait(300)
        return b""

    with grpc_collector(answer) as received:
        try:
            yield received.url
        finally:
            ended.set()


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


@pytest.mark.slow
@pytest.mark.parametrize("kind", BAD)
def test_a_bad_collector_is_not_noticed(kind: str) -> None:
    """No swap waits for it, nor the end; memory grows by under 20 MiB; losses are counted, and only errors logged."""
    protocol, collector = BAD[kind]
    with collector() as url:
        ended = run_program("bad_collector.py", protocol, url, timeout=300)
    assert ended.returncode == 0, ended.stderr
    reported = [json.loads(line) for line in ended.stderr.splitlines()]
    assert {(line["event"], line["sink"]) for line in reported} <= {("observability-hook-error", "otlp")}
    outcome = json.loads(ended.stdout)
    assert outcome["grown"] < 20 * 2**20
    if kind != "huge reply":  # that collector took what it was sent
        assert outcome["lost"] == outcome["ended"]
        assert outcome["errors"] > 0
