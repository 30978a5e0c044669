"""The metrics server, through real sockets."""

from __future__ import annotations

import errno
import gzip
import http.client
import re
import socket
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import urljoin

import pytest
from attackers import MALFORMED
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from oneiric.core.events import HookFailed
from oneiric.observability import MetricsServer, ServerLimits
from oneiric.observability.events import MetricsServerFailed, MetricsServerStarted
from oneiric.observability.exposition import OPENMETRICS_CONTENT_TYPE, TEXT_CONTENT_TYPE, Exposition
from oneiric.observability.server.http import BadRequestError, parse_head
from oneiric.observability.server.server import DEFAULT_ADDRESS, parse_address

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support import Recorder

    from oneiric.core.observers import Observers

    Serve = Callable[..., MetricsServer]

LOOPBACK = "127.0.0.1:0"
PATIENCE = 60.0  # seconds after which a test that waits has failed
PIECES = [
    *(b"GET ", b"/metrics", b"?name[]=", b" HTTP/1.1", b" HTTP/1.0", b"\r\n", b"Host: x", b"\xff", b"\0", b" ", b":"),
    *(
        b"Content-Length: 1",
        b"Content-Length: x",
        b"Transfer-Encoding: chunked",
        b"http://x",
        b"*",
        b"\n",
        b"\t",
        b"Accept: ",
    ),
]
LINES = [b"Host: x", b"Content-Length: 1", b"Content-Length: x", b"Transfer-Encoding: chunked", b"A: \xff", b" b"]
PROMETHEUS_2_42 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)


@pytest.fixture
def exposition(observers: Observers) -> Exposition:
    """An exposition of a counter and of enough text to be compressed."""
    registry = CollectorRegistry()
    Counter("swaps", "Swaps, " + "x" * 2000, ["key"], registry=registry).labels("cache").inc(3)
    return Exposition(registry, observers=observers)


@pytest.fixture
def serve(exposition: Exposition) -> Iterator[Serve]:
    """Start a server on a free port of the loopback, to be stopped when the test is over."""
    with ExitStack() as stack:

        def start(shown: Exposition = exposition, *, address: str = LOOPBACK, **options: float) -> MetricsServer:
            server = MetricsServer(shown, address=address, limits=ServerLimits(**options))  # type: ignore[arg-type]
            stack.callback(server.stop)
            assert server.start()
            return server

        yield start


def fetch(
    server: MetricsServer, path: str = "/metrics", *, method: str = "GET", headers: dict[str, str] | None = None
) -> tuple[http.client.HTTPResponse, bytes]:
    """Return the response to one request, and its body."""
    with closing(http.client.HTTPConnection(server.address, server.port, timeout=PATIENCE)) as connection:
        connection.request(method, path, headers=headers or {})
        response = connection.getresponse()
        return response, response.read()


def connect(server: MetricsServer) -> socket.socket:
    """Return a connection on which nothing was sent."""
    return socket.create_connection((server.address, server.port), timeout=PATIENCE)


def exchange(server: MetricsServer, request: bytes) -> bytes:
    """Return all that comes back when exactly *request* is sent."""
    with connect(server) as connection:
        connection.sendall(request)
        return read_all(connection)


def read_all(connection: socket.socket) -> bytes:
    """Return all that comes until the server closes."""
    return b"".join(iter(lambda: connection.recv(65_536), b""))


def status_of(answer: bytes) -> int:
    """Return the status in a raw answer."""
    return int(answer.split(b" ", 2)[1])


def eventually(condition: Callable[[], bool]) -> bool:
    """Whether *condition*, which takes its time, comes true while a test has patience."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if condition():
            return True
    return False


def test_metrics_are_served(serve: Serve) -> None:
    """A scrape gets the text exposition and learns neither the server's software nor its version."""
    response, body = fetch(serve())
    samples = {(s.name, s.value) for family in parse_text(body.decode()) for s in family.samples}
    assert (response.status, response.headers["Content-Type"], response.headers["Connection"]) == (
        200,
        TEXT_CONTENT_TYPE,
        "close",
    )
    assert "Server" not in response.headers
    assert ("swaps_total", 3.0) in samples


def test_a_scrape_of_prometheus_gets_compressed_openmetrics(serve: Serve) -> None:
    """The headers that Prometheus sends are answered with OpenMetrics, compressed."""
    response, body = fetch(serve(), headers={"Accept": PROMETHEUS_2_42, "Accept-Encoding": "gzip"})
    families = parse_openmetrics(gzip.decompress(body).decode())
    assert (response.headers["Content-Type"], response.headers["Content-Encoding"]) == (
        OPENMETRICS_CONTENT_TYPE,
        "gzip",
    )
    assert ("swaps_total", 3.0) in {(s.name, s.value) for family in families for s in family.samples}


@pytest.mark.parametrize(
    ("method", "path", "status", "body"),
    [
        ("GET", "/livez", 200, b"ok\n"),
        ("GET", "/readyz", 503, b"not ready\n"),
        ("GET", "/livez?verbose=1", 200, b"ok\n"),
        ("HEAD", "/livez", 200, b""),
        ("HEAD", "/", 200, b""),
        ("POST", "/", 405, b"method not allowed\n"),
        ("GET", "//", 404, b"not found\n"),
        ("GET", "//metrics", 404, b"not found\n"),
        ("DELETE", "/metrics", 405, b"method not allowed\n"),
    ],
)
def test_every_request_has_its_answer(serve: Serve, method: str, path: str, status: int, body: bytes) -> None:
    """The known paths answer, with whatever query, and nothing else does."""
    response, received = fetch(serve(Exposition(CollectorRegistry(), ready=lambda: False)), path, method=method)
    assert (response.status, received) == (status, body)


@pytest.mark.parametrize("path", ["/metrics", "/metrics/", "/metrics/?name[]=swaps_total"])
def test_a_slash_after_metrics_makes_no_difference(serve: Serve, path: str) -> None:
    """The metrics are answered at their path with a slash at its end, too."""
    response, body = fetch(serve(), path)
    assert (response.status, b'swaps_total{key="cache"} 3.0' in body) == (200, True)


def test_the_root_links_every_other_path(serve: Serve) -> None:
    """Who opens the server's address in a browser finds a short page, and each of its links answers."""
    server = serve()
    response, body = fetch(server, "/")
    links = re.findall(r'href="([^"]*)"', body.decode())
    assert (response.status, response.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert links == ["metrics", "livez", "readyz"]
    assert [fetch(server, urljoin("/", link))[0].status for link in links] == [200, 200, 200]


def test_head_states_the_length_of_get(serve: Serve) -> None:
    """HEAD of the metrics sends no body, but the length that GET would have."""
    server = serve()
    head, body = fetch(server, method="HEAD")
    assert (head.headers["Content-Length"], body) == (str(len(fetch(server)[1])), b"")


def test_a_refused_request_with_a_body_reads_its_answer(serve: Serve) -> None:
    """A body that nobody reads does not reset the connection before the client has its answer."""
    request = b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000
    assert status_of(exchange(serve(), request)) == 405


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n", 200),
        (b"GET /livez HTTP/1.0\r\n\r\n", 200),
        (b"GET http://localhost:9464/livez HTTP/1.1\r\nHost: localhost:9464\r\n\r\n", 200),
        (b"GET http://localhost:9464 HTTP/1.1\r\nHost: localhost:9464\r\n\r\n", 200),
        (b"GET http://localhost:9464?x HTTP/1.1\r\nHost: localhost:9464\r\n\r\n", 200),
        (b"GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab", 200),
        (b"GET /livez HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200),
        (b"GET /livez HTTP/1.1\r\nHost: x\r\nX: \xff\t\r\n\r\n", 200),
        (b"GET /livez?\xe9 HTTP/1.1\r\nHost: x\r\n\r\n", 200),
        (b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        (b"GET /livez\r\n\r\n", 400),
        (b"\r\n\r\n", 400),
        (b"GET  /livez HTTP/1.1\r\n\r\n", 400),
        (b"GET /livez HTTP/1.1 \r\n\r\n", 400),
        (b"GET /livez HTTP/one\r\n\r\n", 400),
        (b"G(T /livez HTTP/1.1\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", 400),
        (b"GET /livez HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET /livez HTTP/1.1\r\nHost : x\r\n\r\n", 400),
        (b"GET /livez HTTP/1.1\r\nA: b\r\n folded\r\n\r\n", 400),
        (b"GET /livez HTTP/1.1\r\n: x\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\n", 400),
        *((request, 400) for request in MALFORMED),
    ],
)
def test_a_malformed_request_is_refused(
    serve: Serve, recorder: Recorder, capfd: pytest.CaptureFixture[str], request_bytes: bytes, status: int
) -> None:
    """What is not HTTP/1 is answered as such; it is no failure of the server's, and nothing is printed."""
    server = serve()
    answer = exchange(server, request_bytes)
    server.stop()
    assert status_of(answer) == status
    assert recorder.told == [MetricsServerStarted(address="127.0.0.1", port=recorder.of(MetricsServerStarted)[0].port)]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("size", "status"), [(32 * 1024, 200), (32 * 1024 + 1, 431)])
def test_a_request_may_be_as_long_as_its_bound(serve: Serve, size: int, status: int) -> None:
    """One byte more than the bound is refused."""
    start, end = b"GET /livez HTTP/1.0\r\nX: ", b"\r\n\r\n"
    assert status_of(exchange(serve(), start + b"x" * (size - len(start) - len(end)) + end)) == status


def test_an_endless_request_is_refused_at_the_bound(serve: Serve) -> None:
    """A request line that does not end is not read to its end."""
    assert status_of(exchange(serve(max_header_bytes=100), b"GET /" + b"x" * 95)) == 431


def test_a_silent_client_is_timed_out(serve: Serve) -> None:
    """A client that does not finish its request is answered 408."""
    assert status_of(exchange(serve(header_timeout=0.05), b"GET /livez HT")) == 408


def test_a_dripping_client_is_timed_out(serve: Serve) -> None:
    """A byte now and then buys no further time."""
    with connect(serve(header_timeout=0.2)) as connection:
        connection.settimeout(0.02)
        answer = b""

        def answered() -> bool:
            nonlocal answer
            try:
                connection.sendall(b"x")
                answer = connection.recv(65_536)
            except TimeoutError:
                return False
            return True

        assert eventually(answered)
    assert status_of(answer) == 408


def test_a_client_that_does_not_read_is_timed_out(observers: Observers, serve: Serve) -> None:
    """Who does not take the response in time is cut off, without the rest of it."""
    registry = CollectorRegistry()
    Gauge("large", "x" * 30_000_000, registry=registry)
    server = serve(Exposition(registry, observers=observers), write_timeout=0.2)
    with connect(server) as connection:
        connection.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        assert eventually(lambda: is_reset(connection))


def test_clients_that_do_not_read_hold_few_pages(observers: Observers, serve: Serve) -> None:
    """Of those that hold different large pages the newest is let be, and the others are cut off before their time."""
    registry = CollectorRegistry()
    Gauge("large", "x" * 5_000_000, registry=registry)
    server = serve(Exposition(registry, observers=observers), write_timeout=1000.0)
    with ExitStack() as stack:
        clients = []
        for _ in range(4):
            clients.append(stack.enter_context(connect(server)))
            clients[-1].sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            assert clients[-1].recv(1) == b"H"
        reset: set[int] = set()

        def look() -> bool:
            reset.update(number for number, client in enumerate(clients) if is_reset(client))
            return reset == {0, 1, 2}

        assert eventually(look)


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /marker HTTP/1.1\r\nHost: marker\r\n\r\n",
        b"marker /metrics?marker HTTP/1.1\r\nHost: marker\r\nAccept: marker\r\n\r\n",
        b"GET /metrics?name[]=marker HTTP/1.1\r\nHost: marker\r\nmarker: marker\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: marker\r\nmarker : marker\r\n\r\n",
        b"GET http://marker/ HTTP/1.1\r\nHost: marker\r\nContent-Length: marker\r\n\r\n",
        b"marker" * 10_000,
    ],
)
def test_nothing_of_a_request_is_reflected(serve: Serve, request_bytes: bytes) -> None:
    """Whatever is answered, neither headers nor body repeat anything."""
    answer = exchange(serve(), request_bytes)
    assert answer.startswith(b"HTTP/1.1 ")
    assert b"marker" not in answer


HOSTS = [
    *("localhost", "metrics-1.internal_net", "shop.example.", "127.0.0.1", "x--y", "caf%C3%A9.example", "a~b"),
    *("[::1]", "[::]", "[::ffff:192.0.2.1]", "[fe80::1%eth0]", "[fe80::1%25eth0]"),
]
NO_AUTHORITIES = [
    *("", ":9464", "a@b", "a:b@c", "a#b", "a\\b", "a\xe9", "a%zz", "a%2", "a<b", 'a"b', "a|b", "a^b", "a`b", "a{b}"),
    *("[::1", "::1]", "::1", "[]", "[a]", "[1.2.3.4]", "[::1]x", "[:::1]", "[::1%]", "[[::1]]", "[1::2::3]", "[v1.x]"),
    *("a:b", "a:-1", "a:+1", "a:1:2", "a:65536", "a:99999", "a:100000", "a:\xb2"),
]
NO_HOSTS = [*NO_AUTHORITIES, " ", "a b", "a\tb", "a/b", "a?b", "http://a", "a, b", "a\x01b", "a\x7fb"]


@pytest.mark.parametrize("host", [*HOSTS, *(f"{host}:9464" for host in HOSTS), "a:", "a:0", "a:65535"])
@pytest.mark.parametrize("head", ["GET /livez HTTP/1.1\r\nHost: {}", "GET http://{}/livez HTTP/1.1\r\nHost: x"])
def test_a_host_is_a_name_or_an_address_and_may_have_a_port(head: str, host: str) -> None:
    """What RFC 3986 takes for a host is accepted, in the Host header and in a target that has one."""
    assert parse_head(head.format(host).encode()).path == "/livez"


@pytest.mark.parametrize(
    ("head", "hosts"),
    [
        ("GET /livez HTTP/1.1\r\nHost: {}", NO_HOSTS),
        ("GET /livez HTTP/1.0\r\nHost: {}", NO_HOSTS),
        ("GET http://x/livez HTTP/1.1\r\nHost: {}", NO_HOSTS),
        ("GET http://{}/livez HTTP/1.1\r\nHost: x", NO_AUTHORITIES),
        ("GET http://{}/livez HTTP/1.0", NO_AUTHORITIES),
    ],
)
def test_what_is_no_host_is_refused(head: str, hosts: list[str]) -> None:
    """A host with characters that no host has, half an address or an impossible port makes the request a bad one."""
    for host in hosts:
        with pytest.raises(BadRequestError) as refused:
            parse_head(head.format(host).encode("latin-1"))
        assert refused.value.status == 400, host


@pytest.mark.parametrize(
    "host", ["a b", "a/b", "[::1", "a@b", "a?b", "a#b", "a\\b", "", "a\x01b", "a:65536", "a\r\nHost: a"]
)
def test_a_bad_host_is_answered_400(serve: Serve, host: str) -> None:
    """A client with a Host header that is none, or with two, learns that its request is bad."""
    assert status_of(exchange(serve(), f"GET /livez HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())) == 400


@settings(deadline=None, max_examples=300)
@given(
    head=st.one_of(
        st.binary(),
        st.lists(st.sampled_from(PIECES)).map(b"".join),
        st.sets(st.sampled_from(LINES)).map(lambda lines: b"\r\n".join([b"GET / HTTP/1.1", *lines])),
    )
)
def test_any_head_is_understood_or_refused(head: bytes) -> None:
    """No bytes make the parser raise anything but a refusal, which is a client's error."""
    status, path = 0, ""
    try:
        path = parse_head(head).path
    except BadRequestError as error:
        status = error.status
    assert status in {0, 400, 431}
    assert status or path.startswith("/") or path == "*"


def is_reset(connection: socket.socket) -> bool:
    """Whether the other side has thrown *connection* away since this was last asked."""
    return connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNRESET


@pytest.mark.parametrize("limit", [1, 8])
def test_one_connection_too_many_takes_the_place_of_the_one_that_waited_longest(serve: Serve, limit: int) -> None:
    """As many clients as allowed may dawdle; when the next comes the first is cut off, and the others are not."""
    server = serve(max_connections=limit, header_timeout=PATIENCE)
    with ExitStack() as stack:
        dawdling = [stack.enter_context(connect(server)) for _ in range(limit)]
        assert fetch(server)[0].status == 200
        assert dawdling[0].recv(1) == b""
        for connection in dawdling[1:]:
            connection.sendall(b"GET /livez HTTP/1.0\r\n\r\n")
            assert status_of(read_all(connection)) == 200


def test_who_takes_his_page_does_not_give_way_to_those_who_do_not(serve: Serve) -> None:
    """Of two who were sent a page the one who reads none of it is cut off for the next one, even if he came later."""
    registry = CollectorRegistry()
    Gauge("large", "x" * 3_500_000, registry=registry)
    server = serve(Exposition(registry), max_connections=2, write_timeout=PATIENCE)
    with socket.socket() as reading, socket.socket() as idle:
        for connection, size in ((reading, 50_000), (idle, 2048)):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)  # fixed, else the kernel takes megabytes
            connection.settimeout(PATIENCE)
            connection.connect((server.address, server.port))
        reading.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        page = reading.recv(1_000_000, socket.MSG_WAITALL)
        idle.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        assert idle.recv(1)
        while len(page) < 2_500_000:  # so much that the kernel lets the server send more of it
            page += reading.recv(100_000)
        assert fetch(server, "/livez")[0].status == 200
        assert eventually(lambda: is_reset(idle))
        page += read_all(reading)
    assert len(page) > 3_500_000


def test_a_hundred_scrapes_at_once_are_all_answered(serve: Serve) -> None:
    """Each of a hundred concurrent scrapes gets the whole page."""
    server = serve()
    with ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(lambda _: fetch(server), range(100)))
    assert {response.status for response, _ in answers} == {200}
    assert len({body for _, body in answers}) == 1


def test_a_client_that_goes_away_is_no_failure(serve: Serve, recorder: Recorder) -> None:
    """A connection reset in the middle of a request is the client's affair."""
    server = serve()
    with connect(server) as connection:
        connection.sendall(b"GET /met")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert fetch(server, "/livez")[0].status == 200
    server.stop()
    assert recorder.of(HookFailed) == []


def test_an_error_in_a_request_is_reported_and_not_printed(
    serve: Serve, observers: Observers, recorder: Recorder, capfd: pytest.CaptureFixture[str]
) -> None:
    """Whatever breaks while answering costs that answer, is told as a failed hook, and reaches no stream."""

    class Broken(Exposition):
        def submit(self, **_request: str) -> NoReturn:
            raise SystemExit("secret=x")

    server = serve(Broken(CollectorRegistry(), observers=observers))
    assert exchange(server, b"GET /metrics HTTP/1.0\r\n\r\n") == b""
    assert eventually(lambda: bool(recorder.of(HookFailed)))
    server.stop()
    assert recorder.of(HookFailed) == [HookFailed(sink="metrics_server", error_type="SystemExit", error="secret=***")]
    assert capfd.readouterr() == ("", "")


def test_a_start_is_told_once(serve: Serve, recorder: Recorder) -> None:
    """A server that listens says where, with its actual port; to start it again changes nothing."""
    server = serve()
    assert server.start()
    assert recorder.told == [MetricsServerStarted(address="127.0.0.1", port=server.port)]
    assert server.port > 0


def test_a_taken_port_is_told_and_survived(serve: Serve, exposition: Exposition, recorder: Recorder) -> None:
    """The second server on a port does not start, says so, and may be started when the port is free."""
    first = serve()
    second = MetricsServer(exposition, address=f"127.0.0.1:{first.port}")
    started = second.start()
    failure = recorder.of(MetricsServerFailed)[0]
    first.stop()
    with second:
        assert fetch(second)[0].status == 200
    assert (started, failure.address, failure.port, failure.error_type) == (False, "127.0.0.1", second.port, "OSError")
    assert "in use" in failure.error


def test_an_address_of_another_machine_is_told_and_survived(exposition: Exposition, recorder: Recorder) -> None:
    """An address that is not here does not raise, even through the context manager."""
    with MetricsServer(exposition, address="192.0.2.1:0"):
        pass
    assert [(event.address, event.error_type) for event in recorder.of(MetricsServerFailed)] == [
        ("192.0.2.1", "OSError")
    ]


def test_a_server_can_be_restarted_on_its_port(serve: Serve) -> None:
    """A port that was served on a moment ago can be listened on again."""
    first = serve()
    assert fetch(first)[0].status == 200
    port = first.port
    first.stop()
    assert fetch(serve(address=f"127.0.0.1:{port}"))[0].status == 200


def test_to_stop_is_idempotent(serve: Serve) -> None:
    """A stopped server may be stopped again, listens no more, and says the port that it was asked for."""
    server = serve()
    port = server.port
    server.stop()
    server.stop()
    assert server.port == 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)


def test_a_server_that_never_ran_can_be_stopped(exposition: Exposition) -> None:
    """To stop what was not started does nothing."""
    MetricsServer(exposition, address=LOOPBACK).stop()


def test_to_stop_cuts_off_a_client_that_hangs(serve: Serve) -> None:
    """A client that would keep its connection is cut off, and every thread of the server ends."""
    before = set(threading.enumerate())
    server = serve(header_timeout=PATIENCE)
    with connect(server) as connection:
        connection.sendall(b"GET /met")
        assert eventually(lambda: len(set(threading.enumerate()) - before) == 1)
        server.stop()
        assert connection.recv(1) == b""
    assert set(threading.enumerate()) - before == set()


def test_ipv6_is_served(serve: Serve) -> None:
    """An IPv6 address is written in brackets and told without."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 loopback here")
    server = serve(address="[::1]:0")
    assert (server.address, fetch(server, "/livez")[1]) == ("::1", b"ok\n")


def test_the_server_is_on_the_loopback_by_default(exposition: Exposition) -> None:
    """Without a word of the user's, nobody outside the machine is served."""
    server = MetricsServer(exposition)
    assert (server.address, server.port, DEFAULT_ADDRESS) == ("127.0.0.1", 9464, "127.0.0.1:9464")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:9464", ("127.0.0.1", 9464)),
        ("0.0.0.0:65535", ("0.0.0.0", 65535)),
        ("localhost:0", ("localhost", 0)),
        ("metrics-1.internal_net:80", ("metrics-1.internal_net", 80)),
        ("[::1]:9464", ("::1", 9464)),
        ("[::]:1", ("::", 1)),
        ("[fe80::1%eth0]:1", ("fe80::1%eth0", 1)),
    ],
)
def test_an_address_is_host_and_port(text: str, expected: tuple[str, int]) -> None:
    """An IPv6 host is taken out of its brackets."""
    assert parse_address(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected host:port"),
        ("9464", "expected host:port"),
        (":9464", "expected host:port"),
        ("localhost", "expected host:port"),
        ("localhost:", "expected host:port"),
        ("localhost:http", "expected host:port"),
        ("localhost:-1", "expected host:port"),
        ("localhost:٣", "expected host:port"),
        ("localhost:9464\n", "expected host:port"),
        ("http://localhost:9464", "expected host:port"),
        ("::1:9464", "expected host:port, with an IPv6 host in brackets"),
        ("localhost:65536", "the port must be 0 .any free one. to 65535"),
        ("[localhost]:9464", "there must be an IPv6 address in the brackets"),
        ("[127.0.0.1]:9464", "there must be an IPv6 address in the brackets"),
    ],
)
def test_what_is_no_address_is_refused(text: str, message: str) -> None:
    """The error names the value and what would be right."""
    with pytest.raises(ValueError, match=message):
        parse_address(text)


def test_the_error_of_an_address_is_bounded() -> None:
    """A long value is not repeated whole."""
    with pytest.raises(ValueError, match="expected host:port") as raised:
        parse_address("x" * 10_000)
    assert len(str(raised.value)) < 200


@pytest.mark.parametrize("option", ["max_connections", "max_header_bytes", "header_timeout", "write_timeout"])
@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_a_bound_must_be_positive(option: str, value: float) -> None:
    """A bound that would refuse everything is refused itself, by name."""
    with pytest.raises(ValueError, match=f"must be positive: {option}={value}"):
        ServerLimits(**{option: value})  # type: ignore[arg-type]
