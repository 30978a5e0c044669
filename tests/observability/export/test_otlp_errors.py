"""What the export with OTLP says of a collector that does not take what it is sent."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from collectors import black_hole, http_collector, raw_server

from oneiric.observability.export import OtlpOptions
from oneiric.observability.export.deadline import Deadline
from oneiric.observability.export.otlp_options import GRPC, HTTP, resolve
from oneiric.observability.export.otlp_wire import Refused, Unavailable, sender

NOT_TAKEN = "; if it takes no metrics, set OTEL_METRICS_EXPORTER=none"
REDIRECTED = "; redirects are not followed, set the address that it redirects to"


def send(url: str, protocol: str = HTTP, *, seconds: float = 60.0) -> None:
    """Send an empty request for metrics to *url*, which has a credential and a path that nobody else should see."""
    endpoint = url.replace("://", "://user:hunter2@") + "/secret"
    plan = resolve(OtlpOptions(endpoint=endpoint, protocol=protocol), {})
    assert plan.metrics is not None
    sender(plan.metrics).send(b"", Deadline(seconds))


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

    class Failing(grpc.GenericRpcHandler):  # type: ignore[misc] # it has no annotations
        def service(self, _: object) -> object:
            return grpc.unary_unary_rpc_method_handler(lambda _, context: context.abort(code, "no"))

    server = grpc.server(ThreadPoolExecutor(1), handlers=(Failing(),))
    url = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        with pytest.raises(kind) as error:
            send(url, GRPC)
    finally:
        server.stop(grace=None).wait()
    assert str(error.value) == f"the collector at {url} answered {code.name} to metrics{more}"


def test_metrics_can_be_turned_off() -> None:
    """OTEL_METRICS_EXPORTER=none, which the error names, turns the export of metrics off and leaves that of spans."""
    plan = resolve(OtlpOptions(endpoint="http://localhost"), {"OTEL_METRICS_EXPORTER": "none"})
    assert (plan.metrics is None, plan.traces is None) == (True, False)


@pytest.mark.parametrize("protocol", [HTTP, GRPC])
def test_a_collector_that_is_silent_is_named(protocol: str) -> None:
    """The error of a deadline that passes names the host, and nothing else of the address."""
    with raw_server(black_hole) as url, pytest.raises(TimeoutError) as error:
        send(url, protocol, seconds=0.2)
    assert str(error.value) == f"{url}: the deadline has passed"
