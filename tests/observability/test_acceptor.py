"""What accepts connections and serves each in a thread."""

from __future__ import annotations

import errno
import queue
import socket
import threading
from typing import TYPE_CHECKING, Any

from oneiric.observability._acceptor import Acceptor

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

PATIENCE = 10.0  # seconds after which a test that waits has failed


class Starved(socket.socket):
    """A listening socket whose first accept finds no descriptor free."""

    starved = True

    def accept(self) -> tuple[socket.socket, Any]:
        """Fail once."""
        if self.starved:
            self.starved = False
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


def acceptor_on(
    listener: socket.socket,
    serve: Callable[[socket.socket], object],
    failed: Callable[[BaseException], object] = lambda _error: None,
) -> Acceptor:
    """Return a started acceptor of one connection at a time."""

    def run(connection: socket.socket) -> None:
        serve(connection)

    def report(error: BaseException) -> None:
        failed(error)

    acceptor = Acceptor(listener, run, refusal=b"no", limit=1, failed=report)
    acceptor.start()
    return acceptor


def test_a_connection_that_cannot_be_accepted_is_reported_and_survived() -> None:
    """Out of descriptors, it says so, waits a little instead of spinning, and goes on."""
    errors: list[BaseException] = []
    listener = Starved(socket.AF_INET)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    acceptor = acceptor_on(listener, lambda connection: connection.sendall(b"yes"), errors.append)
    with socket.create_connection(listener.getsockname(), timeout=PATIENCE) as client:
        answer = client.recv(10)
    acceptor.stop(wait=PATIENCE)
    assert (answer, [type(error) for error in errors]) == (b"yes", [OSError])


def test_a_thread_that_cannot_be_started_is_reported_and_its_connection_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The client is let go rather than left waiting for a thread that never came."""
    errors: queue.SimpleQueue[BaseException] = queue.SimpleQueue()
    listener = socket.create_server(("127.0.0.1", 0))
    acceptor = acceptor_on(listener, lambda _connection: None, errors.put)

    def start(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    with socket.create_connection(listener.getsockname(), timeout=PATIENCE) as client:
        answer, error = client.recv(10), errors.get(timeout=PATIENCE)
    acceptor.stop(wait=PATIENCE)
    assert (answer, type(error)) == (b"", RuntimeError)


def test_to_stop_waits_no_longer_than_told() -> None:
    """A thread that does not come back is left behind."""
    entered, leave = threading.Event(), threading.Event()

    def serve(_connection: socket.socket) -> None:
        entered.set()
        leave.wait(PATIENCE)

    listener = socket.create_server(("127.0.0.1", 0))
    acceptor = acceptor_on(listener, serve)
    with socket.create_connection(listener.getsockname(), timeout=PATIENCE):
        assert entered.wait(PATIENCE)
        acceptor.stop(wait=0.05)
    left_behind = [thread for thread in threading.enumerate() if thread.name == "oneiric-metrics-request"]
    leave.set()
    for thread in left_behind:
        thread.join(PATIENCE)
    assert len(left_behind) == 1


def test_a_refused_client_that_has_sent_its_request_is_not_reset() -> None:
    """It reads the refusal and then the end, not an error."""
    listener = socket.create_server(("127.0.0.1", 0))
    address = listener.getsockname()
    with (
        socket.create_connection(address, timeout=PATIENCE),
        socket.create_connection(address, timeout=PATIENCE) as second,
    ):
        second.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
        acceptor = acceptor_on(listener, lambda connection: connection.recv(1))
        answer = second.recv(10) + second.recv(10)
        acceptor.stop(wait=PATIENCE)
    assert answer == b"no"
