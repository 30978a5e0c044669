"""What the export with OTLP says of a collector that does not take what it is sent."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import grpc
import pytest
from collectors import black_hole, http_collector, raw_server

from oneiric.observability.export import OtlpOptions
from oneiric.observability.export.deadline import Deadline
from oneiric.observability.export.otlp_options import GRPC, HTTP, resolve
from oneiric.observability.export.otlp_wire import Refused, Unavailable, sender

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NOT_TAKEN = "; if it takes no metrics, set OTEL_METRICS_EXPORTER=none"
REDIRECTED = "; redirects are not followed, set the address that it redirects to"


def send(url: str, protocol: str = HTTP, *, deadline: Deadline | None = None) -> None:
    """Send an empty request for metrics to *url*, which has a credential and a path that nobody else should see."""
    endpoint = url.replace("://", "://user:hunter2@") + "/secret"
    plan = resolve(OtlpOptions(endpoint=endpoint, protocol=protocol), {})
    assert plan.metrics is not None
    sender(plan.metrics).send(b"", deadline or Deadline(60.0))


@contextmanager
def failing(code: grpc.StatusCode, before: Callable[[], object] = bool) -> Iterator[str]:
    """Serve a gRPC collector that calls *before* and answers *code* to whatever it is sent; its URL."""

    def answer(_: bytes, context: grpc.ServicerContext) -> bytes:
        before()
        context.abort(code, "no")
        return b""

    class Failing(grpc.GenericRpcHandler):  # type: ignore[misc] # it has no annotations
        def service(self, _: object) -> object:
            return grpc.unary_unary_rpc_method_handler(answer)

    server = grpc.server(ThreadPoolExecutor(1), handlers=(Failing(),))
    url = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield url
    finally:
        server.stop(grace=None).wait()


@pytest.mark.parametrize(
    ("status", "kind", "more"),
    [(404, Refused, NOT_TAKEN), (307, Refused, REDIRECTED), (400, Refused, ""), (503, Unavailable, "")],
)
def test_an_http_status_is_reported_with_its_host(status: int, kind: type[Exception], more: str) -> None:
    """The error says who answered what to which signal, and what to do where that can be said."""
    with http_collector((status, {}, b"")) as received, pytest.raises(kind) as error:
        send(received.url)
    assert str(error.value) == f"the collector at {received.url} answered {status} to metrics{more}"


@pytest.mark.parametrize(
    ("code", "kind", "more"),
    [
        (grpc.StatusCode.UNIMPLEMENTED, Refused, NOT_TAKEN),
        (grpc.StatusCode.UNAUTHENTICATED, Refused, ""),
        (grpc.StatusCode.UNAVAILABLE, Unavailable, ""),
    ],
)
def test_a_grpc_status_is_reported_with_its_host(code: grpc.StatusCode, kind: type[Exception], more: str) -> None:
    """The same holds for gRPC."""
    with failing(code) as url, pytest.raises(kind) as error:
        send(url, GRPC)
    assert str(error.value) == f"the collector at {url} answered {code.name} to metrics{more}"


@pytest.mark.parametrize(
    ("at_answer", "kind", "text"),
    [
        (0.0, Unavailable, "the collector at {} answered DEADLINE_EXCEEDED to metrics"),
        (9.0, TimeoutError, "{}: the deadline has passed"),
    ],
)
def test_a_deadline_of_the_collector_is_not_ours(at_answer: float, kind: type[Exception], text: str) -> None:
    """DEADLINE_EXCEEDED is the collector's answer before the deadline, and the deadline itself once it has passed."""
    now = [0.0]
    deadline = Deadline(8.0, clock=lambda: now[0])
    jump = failing(grpc.StatusCode.DEADLINE_EXCEEDED, lambda: now.append(now.pop() + at_answer))
    with jump as url, pytest.raises(kind) as error:
        send(url, GRPC, deadline=deadline)
    assert str(error.value) == text.format(url)


def test_metrics_can_be_turned_off() -> None:
    """OTEL_METRICS_EXPORTER=none, which the error names, turns the export of metrics off and leaves that of spans."""
    plan = resolve(OtlpOptions(endpoint="http://localhost"), {"OTEL_METRICS_EXPORTER": "none"})
    assert (plan.metrics is None, plan.traces is None) == (True, False)


@pytest.mark.parametrize("protocol", [HTTP, GRPC])
def test_a_collector_that_is_silent_is_named(protocol: str) -> None:
    """The error of a deadline that passes names the host, and nothing else of the address."""
    with raw_server(black_hole) as url, pytest.raises(TimeoutError) as error:
        send(url, protocol, deadline=Deadline(0.2))
    assert str(error.value) == f"{url}: the deadline has passed"
