"""One bounded HTTP request, to servers that misbehave."""

from __future__ import annotations

import ssl
import threading
import time
from typing import TYPE_CHECKING

import pytest
from certificates import write_certificate
from collectors import black_hole, http_collector, huge, raw_server, slow
from processes import free_port

from oneiric.observability.export.deadline import Deadline
from oneiric.observability.export.http_client import MAX_REPLY_BYTES, Reply, check_headers, parse_url, request

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from pathlib import Path


def post(url: str, *, seconds: float = 5.0, body: bytes = b"x", tls: ssl.SSLContext | None = None) -> Reply:
    """Send *body* to *url*."""
    return request("POST", parse_url(url, what="url"), body, headers={}, deadline=Deadline(seconds), tls=tls)


def answering(answer: bytes) -> Callable[[socket.socket, threading.Event], None]:
    """Return what reads something of a request and answers with *answer*."""

    def serve(connection: socket.socket, _: threading.Event) -> None:
        connection.recv(65536)
        connection.sendall(answer)

    return serve


@pytest.mark.parametrize("serve", [black_hole, slow])
def test_the_deadline_is_kept(serve: Callable[[socket.socket, threading.Event], None]) -> None:
    """Who says nothing, or a byte now and then for ever, is left at the deadline."""
    with raw_server(serve) as url, pytest.raises(TimeoutError, match="deadline"):
        post(url, seconds=0.3)


def test_a_deadline_that_is_brought_forward_ends_what_is_under_way() -> None:
    """A request that may take an hour ends when somebody decides so."""
    deadline = Deadline(3600.0)
    with raw_server(black_hole) as url:
        timer = threading.Timer(0.2, deadline.bring_forward, (0.0,))
        timer.start()
        with pytest.raises(TimeoutError):
            request("POST", parse_url(url, what="url"), b"", headers={}, deadline=deadline.within(1800.0))
        timer.join()


def test_a_silent_tls_handshake_ends_at_the_deadline() -> None:
    """A server that never answers the handshake is left."""
    with raw_server(black_hole) as url, pytest.raises(TimeoutError):
        post(url.replace("http:", "https:"), seconds=0.3)


def test_a_slow_tls_server_is_understood(tmp_path: Path) -> None:
    """A handshake and an answer that take several waits for a byte are no failure."""
    certificate = write_certificate(tmp_path / "certificate.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def serve(connection: socket.socket, _: threading.Event) -> None:
        time.sleep(0.25)  # longer than the client waits at once
        with context.wrap_socket(connection, server_side=True) as secure:
            secure.recv(65536)
            time.sleep(0.25)
            secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with raw_server(serve) as url:
        reply = post(url.replace("http:", "https:"), tls=ssl.create_default_context(cafile=certificate))
    assert reply == Reply(200, b"ok", 0.0)


def test_of_a_huge_answer_little_is_read() -> None:
    """An answer without end is cut off."""
    with raw_server(huge) as url:
        assert len(post(url).body) == MAX_REPLY_BYTES


def test_a_large_body_is_sent_whole() -> None:
    """A body that does not fit into the buffers of the system arrives."""
    with http_collector((200, {}, b"")) as received:
        assert post(received.url, body=bytes(8_000_000)).status == 200


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"\0" * 100_000,
    ],
)
def test_an_answer_that_is_no_http_is_an_os_error(answer: bytes) -> None:
    """Whatever comes instead of HTTP is one kind of error."""
    with raw_server(answering(answer)) as url, pytest.raises(OSError, match=r"not HTTP|reset"):
        post(url)


@pytest.mark.parametrize(("told", "seconds"), [(b"7", 7.0), (b"soon", 0.0), (b"9" * 400, 0.0), (b"-1", 0.0)])
def test_how_long_to_wait_is_understood(told: bytes, seconds: float) -> None:
    """Seconds in Retry-After are taken, anything else is not."""
    answer = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nRetry-After: " + told + b"\r\n\r\n"
    with raw_server(answering(answer)) as url:
        assert post(url) == Reply(503, b"", seconds)


def test_a_refusal_before_the_body_was_read_is_an_answer() -> None:
    """Who answers and hangs up at once is heard all the same."""

    def serve(connection: socket.socket, _: threading.Event) -> None:
        connection.recv(1)
        connection.sendall(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")

    with raw_server(serve) as url:
        assert post(url, body=bytes(20_000_000)).status == 401


@pytest.mark.parametrize("url", ["", "c", "ftp://c", "http://", "http://c:99999", "http://c/a b", "http://c/\r\nX: y"])
def test_what_is_no_url_is_refused(url: str) -> None:
    """A URL that HTTP cannot have raises, without being quoted."""
    with pytest.raises(ValueError, match=r"^where: (not a URL|http://host:port)"):
        parse_url(url, what="where")


@pytest.mark.parametrize("headers", [{"a b": "c"}, {"a": "b\r\nc"}, {"": "c"}, {"a": "\0"}])
def test_headers_cannot_be_smuggled(headers: dict[str, str]) -> None:
    """A header that would end the line or has no name is refused."""
    with pytest.raises(ValueError, match="where: header"):
        check_headers(headers, what="where")


def test_a_url_does_not_show_its_credentials() -> None:
    """The representation of a URL has neither its user name nor its password nor what is sent instead."""
    url = parse_url("https://user:hunter2@host/x", what="where")
    assert repr(url) == "Url(host='host', port=443, secure=True, path='/x')"


def test_every_error_names_the_host(tmp_path: Path) -> None:
    """A refusal, a silence, an untrusted certificate and a strange answer name scheme, host and port, and no more."""
    port = free_port()
    with pytest.raises(ConnectionRefusedError) as refused:
        post(f"http://user:hunter2@127.0.0.1:{port}/secret?token=x")
    text = f"[Errno 111] http://127.0.0.1:{port}: cannot connect: Connection refused"
    assert str(refused.value) == text
    with raw_server(black_hole) as url, pytest.raises(TimeoutError) as late:
        post(f"{url}/secret", seconds=0.1)
    assert str(late.value) == f"{url}: the deadline has passed"
    with raw_server(answering(b"huh?\r\n")) as url, pytest.raises(ConnectionError) as strange:
        post(f"{url}/secret")
    assert str(strange.value) == f"{url}: the answer is not HTTP: BadStatusLine"
    certificate = write_certificate(tmp_path / "certificate.pem")
    with http_collector(certificate=certificate) as received, pytest.raises(ssl.SSLError) as untrusted:
        post(f"{received.url}/secret")
    assert f"{received.url}: " in str(untrusted.value)
    assert "secret" not in str(untrusted.value)
