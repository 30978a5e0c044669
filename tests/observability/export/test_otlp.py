"""Export with OTLP, to real receivers: what arrives, as what, and what becomes of refusals."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from certificates import write_certificate
from collectors import grpc_collector, http_collector
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.proto.metrics.v1.metrics_pb2 import AGGREGATION_TEMPORALITY_CUMULATIVE
from opentelemetry.proto.trace.v1.trace_pb2 import Status
from opentelemetry.sdk.trace import TracerProvider
from processes import eventually
from prometheus_client.core import GaugeMetricFamily

from oneiric.core import events
from oneiric.core.resolution import Candidate, Resolver
from oneiric.observability import OtlpOptions, attach
from oneiric.observability.export.deadline import Deadline
from oneiric.observability.export.otlp import OtlpExporter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from collectors import Answer, Received

    from oneiric.core.observers import Observers
    from oneiric.observability import Telemetry

SWAP = events.Swap(domain="adapter", key="cache", provider="redis")


@pytest.fixture
def resolver() -> Resolver:
    """A resolver with one candidate."""
    resolver = Resolver()
    resolver.register(Candidate(domain="adapter", key="cache", provider="redis", factory=dict))
    return resolver


@pytest.fixture(params=["http/protobuf", "grpc"])
def protocol(request: pytest.FixtureRequest) -> str:
    """Each of the two protocols."""
    return str(request.param)


@contextmanager
def collector(protocol: str) -> Iterator[Received]:
    """Run a receiver that speaks *protocol*."""
    with grpc_collector() if protocol == "grpc" else http_collector() as received:
        yield received


def options(received: Received, **more: Any) -> OtlpOptions:
    """Return options that export to *received*, by themselves never."""
    never = {"traces_interval": 1000.0, "metrics_interval": 1000.0}
    return OtlpOptions(**{"endpoint": received.url, **never, **more})


def swap(resolver: Resolver) -> None:
    """Swap, and resolve meanwhile."""
    with resolver.observers.operation(SWAP):
        resolver.resolve("adapter", "cache")


def lost(telemetry: Telemetry) -> dict[str, float]:
    """Return how many spans were lost, by reason, where any were."""
    samples = telemetry.samples()["oneiric_observability_spans_lost_total"]
    return {labels["reason"]: value for labels, value in samples if value}


def errors(telemetry: Telemetry) -> float:
    """Return how many failures of the exporter were counted."""
    samples = telemetry.samples()["oneiric_observability_hook_errors_total"]
    return next(value for labels, value in samples if labels["sink"] == "otlp")


def attributes(pairs: Any) -> dict[str, str]:
    """Return text attributes as a mapping."""
    return {pair.key: pair.value.string_value for pair in pairs}


def test_spans_arrive(protocol: str, resolver: Resolver) -> None:
    """A swap arrives as a span with its attributes, its status and the resolution as an event, from a named service."""
    with collector(protocol) as received:
        chosen = options(received, protocol=protocol, service_name="shop")
        with attach(resolver, otlp=chosen) as telemetry, resolver.observers.operation(SWAP) as running:
            resolver.resolve("adapter", "cache")
            running.fail("other", ValueError("broken"))
    (span,) = received.spans
    assert (span.name, span.status.code, span.status.message) == (
        "oneiric.lifecycle.swap",
        Status.STATUS_CODE_ERROR,
        "broken",
    )
    assert attributes(span.attributes)["oneiric.provider"] == "redis"
    assert [event.name for event in span.events] == ["oneiric.resolver.decision", "exception"]
    assert received.resource()["service.name"] == "shop"
    assert len(received.resource()["service.instance.id"]) == 36
    assert lost(telemetry) == {}


def test_metrics_arrive(protocol: str, resolver: Resolver) -> None:
    """Counters, histograms and gauges arrive with OpenTelemetry's names and units, and the values that are scraped."""
    with collector(protocol) as received:
        with attach(resolver, otlp=options(received, protocol=protocol)) as telemetry:
            swap(resolver)
            resolver.resolve("adapter", "cache")
            assert telemetry.flush()
        counter, histogram = received.metric("oneiric.resolution"), received.metric("oneiric.lifecycle.swap.duration")
        gauge = received.metric("oneiric.resolver.candidates")
    assert counter is not None
    assert (counter.sum.is_monotonic, counter.sum.aggregation_temporality, counter.unit) == (
        True,
        AGGREGATION_TEMPORALITY_CUMULATIVE,
        "",
    )
    (point,) = counter.sum.data_points
    assert (point.as_double, attributes(point.attributes)) == (
        2.0,
        {"domain": "adapter", "key": "cache", "provider": "redis"},
    )
    assert 0 < point.start_time_unix_nano < point.time_unix_nano
    assert histogram is not None
    (bars,) = histogram.histogram.data_points
    assert (histogram.unit, bars.count, sum(bars.bucket_counts), len(bars.bucket_counts)) == ("ms", 1, 1, 18)
    assert list(bars.explicit_bounds)[:3] == [5.0, 10.0, 25.0]
    assert gauge is not None
    points = [(attributes(each.attributes), each.as_double) for each in gauge.gauge.data_points]
    assert ({"domain": "adapter", "state": "active"}, 1.0) in points


def test_it_exports_by_itself(resolver: Resolver) -> None:
    """Without being asked it exports spans and metrics after their intervals."""
    with http_collector() as received:
        chosen = options(received, traces_interval=0.05, metrics_interval=0.05)
        with attach(resolver, otlp=chosen):
            swap(resolver)
            received.wait_for_spans(1)
            swap(resolver)
            received.wait_for_spans(2)
            received.wait_for_metric("oneiric.resolution", 2.0)


def test_a_full_batch_does_not_wait_for_the_interval(resolver: Resolver) -> None:
    """As many spans as fit into a request are exported at once."""
    with http_collector() as received:
        chosen = options(received, max_batch_spans=10)
        with attach(resolver, otlp=chosen) as telemetry:
            assert telemetry.flush()  # from now on the thread waits
            for _ in range(10):
                swap(resolver)
            assert len(received.wait_for_spans(10)) == 10


def test_spans_of_the_application_are_exported_with_ours(resolver: Resolver) -> None:
    """The application can use the tracer provider; its span is then the parent of ours in one export."""
    with http_collector() as received:
        with attach(resolver, otlp=options(received)) as telemetry:
            assert telemetry.tracer_provider is not None
            with telemetry.tracer_provider.get_tracer("app").start_as_current_span("request"):
                swap(resolver)
            assert telemetry.tracer_provider.force_flush()
        ours, request = received.spans
    assert (ours.parent_span_id, request.name) == (request.span_id, "request")


def test_a_provider_of_the_application_keeps_the_spans(resolver: Resolver) -> None:
    """With a tracer provider given, spans go there, and metrics alone are exported."""
    with http_collector() as received:
        chosen = options(received)
        with attach(resolver, otlp=chosen, tracer_provider=TracerProvider(shutdown_on_exit=False)) as telemetry:
            swap(resolver)
            assert telemetry.tracer_provider is None
        assert (received.spans, len(received.metrics)) == ([], 1)


def test_headers_come_from_a_file_and_are_read_anew(protocol: str, resolver: Resolver, tmp_path: Path) -> None:
    """Headers are those of the file at the time of the request."""
    secret = tmp_path / "headers"
    secret.write_text("# ours\nAuthorization: Bearer one\n", encoding="utf-8")
    with collector(protocol) as received:
        chosen = options(received, protocol=protocol, traces=False, headers_file=secret)
        with attach(resolver, otlp=chosen):
            secret.write_text("Authorization: Bearer two\n", encoding="utf-8")
    assert [headers["authorization"] for headers in received.headers] == ["Bearer two"]


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_compressed_export_is_understood(protocol: str, resolver: Resolver) -> None:
    """With gzip the collector receives the same."""
    with collector(protocol) as received:
        chosen = options(received, protocol=protocol, compression="gzip")
        with attach(resolver, otlp=chosen):
            swap(resolver)
    assert [span.name for span in received.spans] == ["oneiric.lifecycle.swap"]


def test_a_refused_batch_is_lost_and_counted(resolver: Resolver) -> None:
    """Spans that the collector refuses are counted as refused, and the next ones arrive."""
    with http_collector((400, {}, b"no")) as received:
        with attach(resolver, otlp=options(received, metrics=False)) as telemetry:
            swap(resolver)
            swap(resolver)
            assert not telemetry.flush()
            assert (lost(telemetry), errors(telemetry)) == ({"refused": 2.0}, 1.0)
            swap(resolver)
        assert len(received.spans) == 1


def test_a_partial_success_is_counted(resolver: Resolver) -> None:
    """Spans that the collector says it rejected are counted."""
    reply = ExportTraceServiceResponse()
    reply.partial_success.rejected_spans = 1
    answer: Answer = (200, {}, reply.SerializeToString())
    with http_collector(answer) as received, attach(resolver, otlp=options(received, metrics=False)) as telemetry:
        swap(resolver)
        swap(resolver)
        assert telemetry.flush()
        assert lost(telemetry) == {"refused": 1.0}


def test_what_could_not_be_exported_is_exported_later(resolver: Resolver) -> None:
    """Spans that met an overloaded collector wait for it, and nothing is lost."""
    with http_collector((503, {"Retry-After": "1"}, b"")) as received:
        with attach(resolver, otlp=options(received, metrics=False)) as telemetry:
            swap(resolver)
            assert not telemetry.flush()
            swap(resolver)
            assert telemetry.flush()
            assert (lost(telemetry), errors(telemetry)) == ({}, 1.0)
        assert len(received.spans) == 2


def test_what_hangs_is_lost_once(resolver: Resolver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Spans under way in a request that nothing can end are counted as lost once, however often it is stopped."""
    asked, answer = threading.Event(), threading.Event()

    def look_up(*_: object, **__: object) -> list[object]:
        asked.set()
        answer.wait(30.0)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    chosen = OtlpOptions(endpoint="http://collector.invalid", metrics=False, traces_interval=0.01)
    with attach(resolver, otlp=chosen) as telemetry:
        swap(resolver)
        assert asked.wait(120)
        telemetry.stop_exporting(0.1)
        telemetry.stop_exporting(0.1)
        assert lost(telemetry) == {"stopped": 1.0}
        answer.set()
        eventually(lambda: errors(telemetry) == 1.0, what="the request has ended")
    assert lost(telemetry) == {"stopped": 1.0}


def run(program: str, endpoint: str, directory: Path) -> str:
    """Run *program* in an interpreter of its own, and return what it wrote to standard error."""
    command = [sys.executable, "-W", "error", "-c", program, endpoint]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=120, check=True)
    return done.stderr


JUST_ENDS = """
import sys
from oneiric.core import events
from oneiric.core.observers import Observers
from oneiric.observability import OtlpOptions, PushOptions, attach
observers = Observers()
attach(observers, otlp=OtlpOptions(endpoint=sys.argv[1], traces_interval=1000.0))
with observers.operation(events.Swap(domain="adapter", key="cache")):
    pass
"""


def test_an_application_that_just_ends_loses_nothing(tmp_path: Path) -> None:
    """Without a detach, spans and metrics are exported at the interpreter's exit."""
    with http_collector() as received:
        written = run(JUST_ENDS, received.url, tmp_path)
        assert (written, len(received.spans), len(received.metrics)) == ("", 1, 1)


def test_an_application_that_just_ends_counts_what_it_lost(tmp_path: Path) -> None:
    """Without a detach, spans that no collector took are counted before the last push."""
    program = JUST_ENDS.replace("otlp=", "push=PushOptions(textfile='metrics.prom'), otlp=")
    run(program, "http://127.0.0.1:1", tmp_path)
    text = (tmp_path / "metrics.prom").read_text(encoding="utf-8")
    assert 'oneiric_observability_spans_lost_total{reason="stopped"} 1.0\n' in text


def test_a_forked_child_exports_what_it_did_itself(tmp_path: Path) -> None:
    """A child forked while spans wait exports its own only, as another instance, and the parent its own."""
    program = """
import os, sys
from oneiric.core import events
from oneiric.core.observers import Observers
from oneiric.observability import OtlpOptions, attach
observers = Observers()
telemetry = attach(observers, otlp=OtlpOptions(endpoint=sys.argv[1], traces_interval=1000.0, metrics_interval=1000.0))
def swap(key):
    with observers.operation(events.Swap(domain="adapter", key=key)):
        pass
swap("parent")
child = os.fork()
swap("child" if child == 0 else "parent")
telemetry.detach()
if child == 0:
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
"""
    with http_collector() as received:
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", program, received.url], cwd=tmp_path, timeout=120, check=True
        )
        keys = sorted(attributes(span.attributes)["oneiric.key"] for span in received.spans)
        instances = {
            attributes(resource.resource.attributes)["service.instance.id"]
            for request in received.metrics
            for resource in request.resource_metrics
        }
    assert keys == ["child", "parent", "parent"]
    assert len(instances) == 2


@contextmanager
def secure_collector(protocol: str, certificate: Path) -> Iterator[Received]:
    """Run a receiver that speaks *protocol* over TLS."""
    if protocol == "grpc":
        pem = certificate.read_bytes()
        with grpc_collector(credentials=grpc.ssl_server_credentials([(pem, pem)])) as received:
            yield received
    else:
        with http_collector(certificate=certificate) as received:
            yield received


def test_it_speaks_tls_to_whom_it_trusts_only(protocol: str, resolver: Resolver, tmp_path: Path) -> None:
    """Over TLS it exports to a collector whose certificate it was given, and to no other."""
    certificate = write_certificate(tmp_path / "certificate.pem")
    with secure_collector(protocol, certificate) as received:
        chosen = options(received, protocol=protocol, traces=False)
        with attach(resolver, otlp=chosen) as telemetry:
            assert not telemetry.flush(2.0)
        assert received.metrics == []
        chosen = options(received, protocol=protocol, traces=False, certificate_file=certificate)
        with attach(resolver, otlp=chosen) as telemetry:
            assert telemetry.flush()
        assert received.metrics != []


def failing(exporter: OtlpExporter, *, times: int = 1) -> float:
    """Let *exporter* fail so often in this thread, and return in how many seconds it wants to try again."""
    for _ in range(times):
        assert not exporter.do(everything=True, deadline=Deadline(5.0))
    return exporter.due_in()


def test_it_leaves_a_collector_alone_as_long_as_that_asks(observers: Observers) -> None:
    """Retry-After decides when it is tried again, if that is within reason."""
    hour: Answer = (429, {"Retry-After": "3600"}, b"")
    minute: Answer = (503, {"Retry-After": "60"}, b"")
    with http_collector(minute, hour) as received:
        exporter = OtlpExporter(options(received, traces=False), lambda: [GaugeMetricFamily("a", "", 1)], observers)
        assert 55.0 < failing(exporter) <= 60.0
        assert 295.0 < failing(exporter) <= 300.0
        exporter.join()


def test_it_tries_less_and_less_often(observers: Observers) -> None:
    """The time to the next attempt doubles, by chance up to half of it shorter, and is half a minute at most."""
    exporter = OtlpExporter(
        OtlpOptions(endpoint="http://127.0.0.1:1", traces=False), lambda: [GaugeMetricFamily("a", "", 1)], observers
    )
    assert 0.4 < failing(exporter) <= 1.0
    assert 1.9 < failing(exporter, times=2) <= 4.0
    assert 14.9 < failing(exporter, times=20) <= 30.0
    exporter.join()
