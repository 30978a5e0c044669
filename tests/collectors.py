"""Collectors of OpenTelemetry's protocol for tests: real ones that remember, and bad ones."""

from __future__ import annotations

import gzip
import socket
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, TypeAlias

import grpc
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from processes import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
    from opentelemetry.proto.trace.v1.trace_pb2 import Span

GRPC_METHODS = {
    "/opentelemetry.proto.collector.trace.v1.TraceService/Export": "traces",
    "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export": "metrics",
}
Answer: TypeAlias = "tuple[int, dict[str, str], bytes]"


@dataclass
class Received:
    """What a collector was sent."""

    url: str = ""
    traces: list[ExportTraceServiceRequest] = field(default_factory=list)
    metrics: list[ExportMetricsServiceRequest] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def take(self, signal: str, body: bytes, headers: dict[str, str]) -> bytes:
        """Remember a request and return the body of the answer."""
        self.headers.append(headers)
        if signal == "traces":
            self.traces.append(ExportTraceServiceRequest.FromString(body))
            return bytes(ExportTraceServiceResponse().SerializeToString())
        self.metrics.append(ExportMetricsServiceRequest.FromString(body))
        return bytes(ExportMetricsServiceResponse().SerializeToString())

    @property
    def spans(self) -> list[Span]:
        """Every span, in the order received."""
        return [
            span
            for request in self.traces
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def metric(self, name: str) -> Metric | None:
        """Return the metric *name* as it was received last."""
        found = [metric for request in self.metrics for metric in _metrics_of(request) if metric.name == name]
        return found[-1] if found else None

    def resource(self) -> dict[str, str]:
        """Return the text attributes of the resource of the first request."""
        spans = [found.resource for request in self.traces for found in request.resource_spans]
        metrics = [found.resource for request in self.metrics for found in request.resource_metrics]
        return {pair.key: pair.value.string_value for pair in (*spans, *metrics)[0].attributes}

    def wait_for_spans(self, count: int) -> list[Span]:
        """Return the spans once there are *count*."""
        return eventually(lambda: self.spans if len(self.spans) >= count else None, what=f"{count} spans arrive")

    def wait_for_metric(self, name: str, value: float) -> None:
        """Return once the first point of the counter *name* was received with *value*."""

        def arrived() -> bool:
            metric = self.metric(name)
            return metric is not None and metric.sum.data_points[0].as_double == value

        eventually(arrived, what=f"{name} is {value}")


def _metrics_of(request: ExportMetricsServiceRequest) -> Iterator[Metric]:
    for resource in request.resource_metrics:
        for scope in resource.scope_metrics:
            yield from scope.metrics


@contextmanager
def http_collector(*answers: Answer, certificate: Path | None = None) -> Iterator[Received]:
    """Run an OTLP/HTTP receiver, with a *certificate* over TLS, that gives *answers* first, then takes everything."""
    received = Received()
    waiting = list(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers["Content-Encoding"] == "gzip":
                body = gzip.decompress(body)
            headers = {name.lower(): value for name, value in self.headers.items()}
            if waiting:
                status, more, reply = waiting.pop(0)
                received.headers.append(headers)
            else:
                status, more = 200, {}
                reply = received.take(self.path.removeprefix("/v1/"), body, headers)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(reply)), **more}.items():
                self.send_header(name, value)
            self.end_headers()
            with suppress(OSError):  # who wants no more of it hangs up
                self.wfile.write(reply)

        do_PUT = do_POST  # noqa: N815 - the name that the base class looks for

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign] # a client that hangs up is no error
    if certificate is not None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    received.url = f"{'http' if certificate is None else 'https'}://127.0.0.1:{server.server_address[1]}"
    try:
        yield received
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def grpc_collector(
    answer: Callable[[Received, str, bytes, dict[str, str]], bytes] = Received.take,
    credentials: grpc.ServerCredentials | None = None,
) -> Iterator[Received]:
    """Run an OTLP/gRPC receiver whose answers are made by *answer*."""
    received = Received()

    class Handler(grpc.GenericRpcHandler):  # type: ignore[misc] # it has no annotations
        def service(self, call: Any) -> Any:
            signal = GRPC_METHODS[call.method]

            def export(body: bytes, context: Any) -> bytes:
                return answer(received, signal, body, dict(context.invocation_metadata()))

            return grpc.unary_unary_rpc_method_handler(export)

    server = grpc.server(ThreadPoolExecutor(4), handlers=(Handler(),), options=(("grpc.so_reuseport", 0),))
    if credentials is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    received.url = f"{'http' if credentials is None else 'https'}://127.0.0.1:{port}"
    try:
        yield received
    finally:
        server.stop(grace=None).wait()


@contextmanager
def raw_server(serve: Callable[[socket.socket, threading.Event], None]) -> Iterator[str]:
    """Listen, let *serve* have each connection in a thread until it returns or the event is set, and yield the URL."""
    ended = threading.Event()
    threads: list[threading.Thread] = []

    def handle(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            serve(connection, ended)

    def accept(server: socket.socket) -> None:
        while not ended.is_set():
            with suppress(TimeoutError):
                thread = threading.Thread(target=handle, args=(server.accept()[0],))
                thread.start()
                threads.append(thread)

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        acceptor = threading.Thread(target=accept, args=(server,))
        acceptor.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            ended.set()
            for thread in (acceptor, *threads):
                thread.join()


def black_hole(connection: socket.socket, ended: threading.Event) -> None:
    """Say nothing for ever."""
    del connection
    ended.wait()


def slow(connection: socket.socket, ended: threading.Event) -> None:
    """Answer a byte at a time, too slowly for any deadline, but never so that a wait for one byte is long."""
    for byte in b"HTTP/1.1 200 OK\r\nX-Padding: " + b"x" * 100_000:
        if ended.wait(0.05):
            return
        connection.sendall(bytes([byte]))


def huge(connection: socket.socket, ended: threading.Event) -> None:
    """Read the request and answer without end."""
    connection.settimeout(0.2)
    with suppress(TimeoutError):
        while connection.recv(65536):
            pass
    connection.settimeout(5.0)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n")
    while not ended.is_set():
        connection.sendall(b"\0" * 1_000_000)
