"""The sinks: files that rotate, a receiver behind a queue, and failures that reach nobody who logs."""

from __future__ import annotations

import json
import logging
import logging.handlers
import os
import queue
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
import structlog

from oneiric.core.logging import (
    LogFailures,
    LoggingConfig,
    LoggingHandle,
    LoggingSinkConfig,
    LogQueueConfig,
    configure_logging,
    get_logger,
    log_failures,
)
from oneiric.core.logging.buffer import QueueLimits
from oneiric.core.logging.handlers import LineHandler, RotatingLineHandler
from oneiric.core.logging.http import QueuedHTTPHandler

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Whatever a test configures is put back afterwards."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    structlog.reset_defaults()
    yield
    configure_logging(suppress_events=True)  # closes what the test installed
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


class Receiver(ThreadingHTTPServer):
    """A log receiver that remembers requests and answers with one status."""

    daemon_threads = True

    def __init__(self, status: int = 204) -> None:
        self.status = status
        self.requests: queue.Queue[tuple[str, str, str | None, bytes]] = queue.Queue()
        super().__init__(("127.0.0.1", 0), _Request)
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.server_port}"

    def stop(self) -> None:
        """End the thread and close the socket."""
        self.shutdown()
        self.thread.join()
        self.server_close()


class _Request(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.requests.put((self.command, self.path, self.headers.get("Authorization"), body))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST  # noqa: N815 - the name that the base class looks for

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A running log receiver."""
    receiver = Receiver()
    yield receiver
    receiver.stop()


def configured(*sinks: LoggingSinkConfig, **options: Any) -> LoggingHandle:
    """Configure logging with *sinks*."""
    return configure_logging(LoggingConfig(sinks=list(sinks)), **options)


def file_sink(path: Path, **options: Any) -> LoggingSinkConfig:
    """Return a sink that writes to *path*."""
    return LoggingSinkConfig(target="file", path=str(path), **options)


def http_sink(receiver: Receiver, **options: Any) -> LoggingSinkConfig:
    """Return a sink that sends to *receiver*."""
    return LoggingSinkConfig(target="http", **{"endpoint": f"http://{receiver.address}/logs?a=1", **options})


def events(path: Path) -> list[str]:
    """Return the events in a log file, in order, once all that was logged is there."""
    for handler in logging.getLogger().handlers:
        handler.flush()
    return [json.loads(line)["event"] for line in path.read_text("utf-8").splitlines()]


# Files


def test_a_file_sink_makes_its_directory_and_appends(tmp_path: Path) -> None:
    """Lines are in the file soon after they are logged, after those that were there."""
    path = tmp_path / "new" / "log"
    configured(file_sink(path))
    get_logger().info("one")
    configured(file_sink(path))
    get_logger().info("two")
    assert events(path) == ["one", "two"]


def test_a_file_sink_is_a_rotating_file_handler(tmp_path: Path) -> None:
    """A host that looks for the standard library's handler finds it, with its limits."""
    configured(file_sink(tmp_path / "log", max_bytes=10, backup_count=2))
    (handler,) = logging.getLogger().handlers
    assert isinstance(handler, logging.handlers.RotatingFileHandler)
    assert (handler.maxBytes, handler.backupCount, handler.encoding) == (10, 2, "utf-8")


@pytest.mark.parametrize(("more", "files"), [(0, ["log"]), (1, ["log", "log.1"])])
def test_a_file_is_renamed_before_it_exceeds_its_size(tmp_path: Path, more: int, files: list[str]) -> None:
    """Two lines that fill the file exactly stay in it; one byte more and the second starts a new one."""
    handler = RotatingLineHandler(tmp_path / "log", max_bytes=20, backup_count=1)
    handler.send(b"a" * 9)
    handler.send(b"b" * (9 + more))
    handler.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == files


def test_a_line_over_the_size_of_a_file_has_one_to_itself(tmp_path: Path) -> None:
    """An empty file is not replaced by another one."""
    handler = RotatingLineHandler(tmp_path / "log", max_bytes=4, backup_count=3)
    handler.send(b"longer")
    handler.send(b"than that")
    handler.close()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"log": "than that\n", "log.1": "longer\n"}


def test_no_more_than_the_backups_are_kept(tmp_path: Path) -> None:
    """The oldest file goes when a new one is begun."""
    handler = RotatingLineHandler(tmp_path / "log", max_bytes=4, backup_count=2)
    for line in (b"one", b"two", b"six", b"ten"):
        handler.send(line)
    handler.close()
    contents = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert contents == {"log": "ten\n", "log.1": "six\n", "log.2": "two\n"}


@pytest.mark.parametrize(("max_bytes", "backup_count"), [(0, 1), (1, 0)])
def test_a_file_without_a_limit_grows(tmp_path: Path, max_bytes: int, backup_count: int) -> None:
    """A size or a number of backups of 0 turns rotation off."""
    handler = RotatingLineHandler(tmp_path / "log", max_bytes=max_bytes, backup_count=backup_count)
    handler.send(b"one")
    handler.send(b"two")
    handler.close()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"log": "one\ntwo\n"}


def test_a_file_that_cannot_be_renamed_is_written_on(tmp_path: Path) -> None:
    """A failed rotation is counted, and costs no line."""
    (tmp_path / "log.1").mkdir()
    (tmp_path / "log.1" / "in-the-way").touch()
    handler = RotatingLineHandler(tmp_path / "log", max_bytes=4, backup_count=1)
    told: list[Exception] = []
    handler.on_error = told.append
    handler.send(b"one")
    handler.send(b"two")
    handler.close()
    assert [isinstance(error, OSError) for error in told] == [True]
    assert ((tmp_path / "log").read_text(), handler.tally.dropped, handler.tally.failed) == ("one\ntwo\n", 0, 1)


def test_a_file_that_cannot_be_opened_is_refused_at_once(tmp_path: Path) -> None:
    """A directory in the file's place is told when logging is configured."""
    with pytest.raises(IsADirectoryError):
        configured(file_sink(tmp_path))


def test_a_closed_file_is_opened_again_by_a_later_line(tmp_path: Path) -> None:
    """Closing twice is closing once, and lines of the last moments are not lost."""
    handle = configured(file_sink(tmp_path / "log"))
    get_logger().info("one")
    handle.close()
    handle.close()
    get_logger().info("two")
    assert events(tmp_path / "log") == ["one", "two"]


def test_a_full_disk_is_told_of_and_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each failed attempt reaches the callback and the counts, nothing reaches the caller, and memory is bounded."""
    with Path("/dev/full").open("w", buffering=1) as full:
        monkeypatch.setattr(sys, "stderr", full)
        told: list[Exception] = []
        handle = configured(LoggingSinkConfig(), on_error=told.append)
        for _ in range(3):
            get_logger().info("x")
            assert handle.flush() is False
        assert (len(told), handle.dropped) == (handle.failed, 0)
        assert log_failures() == LogFailures(
            dropped=0, failed=handle.failed, last_error="OSError: [Errno 28] No space left on device"
        )
        assert handle.failed >= 3


def test_a_failure_that_is_logged_does_not_feed_on_itself() -> None:
    """A line that tells of a handler's failure is not given to that handler."""
    record = logging.LogRecord("a", logging.ERROR, "", 0, "x", (), None)
    calls: list[Exception] = []
    with Path("/dev/full").open("w", buffering=1) as full:
        handler = LineHandler(full)

        def tell(error: Exception) -> None:
            calls.append(error)
            handler.handle(record)

        handler.on_error = tell
        handler.handle(record)
    assert (len(calls), handler.tally.failed, handler.tally.dropped) == (1, 1, 1)


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="logging leaves out what is logged while it handles a line")
def test_a_failure_on_one_sink_is_logged_on_the_other(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whoever reads the working sink learns of the broken one."""
    with Path("/dev/full").open("w", buffering=1) as full:
        monkeypatch.setattr(sys, "stderr", full)
        configured(
            LoggingSinkConfig(),
            file_sink(tmp_path / "log"),
            on_error=lambda error: get_logger().error("log failed", error=error),
        )
        get_logger().info("x")
    assert {*events(tmp_path / "log")} == {"log failed", "x"}


def test_a_callback_that_raises_reaches_nobody(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """What the callback raises is counted, and nothing is printed."""

    def tell(_error: Exception) -> NoReturn:
        raise RuntimeError("callback")

    with Path("/dev/full").open("w", buffering=1) as full:
        monkeypatch.setattr(sys, "stderr", full)
        configured(LoggingSinkConfig(), on_error=tell)
        get_logger().info("x")
        assert log_failures().last_error == "RuntimeError: callback"
    assert capfd.readouterr() == ("", "")


def test_a_value_that_logs_while_it_is_printed_finds_the_sink_free(tmp_path: Path) -> None:
    """Formatting holds no lock, in this thread or another."""

    class Chatty:
        def __str__(self) -> str:
            thread = threading.Thread(target=get_logger().info, args=("inner",))
            thread.start()
            thread.join(120)
            return "done" if not thread.is_alive() else "stuck"

    configured(file_sink(tmp_path / "log"))
    get_logger().info("outer", value=Chatty())
    assert events(tmp_path / "log") == ["inner", "outer"]


def test_a_filter_of_the_host_applies(tmp_path: Path) -> None:
    """A filter added to the handler decides."""
    configured(file_sink(tmp_path / "log"))
    (handler,) = logging.getLogger().handlers
    handler.addFilter(lambda record: record.name == "kept")
    get_logger("lost").info("one")
    get_logger("kept").info("two")
    assert events(tmp_path / "log") == ["two"]


# Nobody reads


def test_a_process_whose_output_nobody_reads_goes_on_and_ends() -> None:
    """A service writes far more than its pipe takes, is not held up, and ends within the bound for closing."""
    script = (
        "import oneiric.core.logging as l; q = l.LogQueueConfig(max_bytes=1_000_000, flush_seconds=0.2);"
        "h = l.configure_logging(l.LoggingConfig(queue=q)); log = l.get_logger();"
        "[log.info('x', pad='y' * 2000, n=n) for n in range(1500)];"
        "print(h.dropped > 0, h.failed, flush=True)"
    )
    reader, writer = os.pipe()
    try:
        process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=writer, text=True)
        out, _ = process.communicate(timeout=120)
        os.close(writer)
        with os.fdopen(reader, "rb", closefd=False) as stream:
            whole = stream.read().split(b"\n")[:-1]
    finally:
        os.close(reader)
    assert (out, process.returncode) == ("True 0\n", 0)
    assert [json.loads(line)["n"] for line in whole] == list(range(len(whole)))


def test_what_waits_is_written_at_the_end_of_the_process() -> None:
    """A reader that is only slow gets everything."""
    script = (
        "import oneiric.core.logging as l; l.configure_logging(); log = l.get_logger();"
        "[log.info('x', pad='y' * 2000, n=n) for n in range(100)]"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert [json.loads(line)["n"] for line in done.stderr.splitlines()] == list(range(100))


def test_closing_gives_up_at_its_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """A handle whose pipe nobody reads closes all the same, leaves no thread, and keeps what waits, counted as lost."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    with os.fdopen(writer, "w") as stream, os.fdopen(reader, "rb") as pipe:
        monkeypatch.setattr(sys, "stderr", stream)
        handle = configure_logging(LoggingConfig(queue=LogQueueConfig(flush_seconds=0.01)))
        for _ in range(100):
            get_logger().info("x", pad="y" * 2_000)
        assert handle.close() is False
        (handler,) = handle.handlers
        assert handler.queue.waiting > 0
        assert (pipe.read(1 << 20).count(b"\n") + handle.dropped, log_failures().dropped) == (100, handle.dropped)
        assert [thread.name for thread in threading.enumerate() if thread.name == "log-writer"] == []


# HTTP


def test_lines_are_posted_to_a_receiver(receiver: Receiver) -> None:
    """The body of a request is the line, and the endpoint's path and query are kept."""
    handle = configured(http_sink(receiver))
    get_logger().info("x")
    handle.close()
    method, path, authorization, body = receiver.requests.get(timeout=120)
    assert (method, path, authorization, json.loads(body)["event"]) == ("POST", "/logs?a=1", None, "x")


def test_an_http_sink_is_an_http_handler(receiver: Receiver) -> None:
    """A host that looks for the standard library's handler finds it."""
    configured(http_sink(receiver))
    assert [isinstance(handler, logging.handlers.HTTPHandler) for handler in logging.getLogger().handlers] == [True]


def test_a_receiver_can_be_asked_with_get(receiver: Receiver) -> None:
    """With GET the line is a parameter."""
    handle = configured(http_sink(receiver, method="get", endpoint=f"http://{receiver.address}"))
    get_logger().info("x")
    handle.close()
    method, path, _, body = receiver.requests.get(timeout=120)
    assert (method, path[:10], body) == ("GET", "/?line=%7B", b"")


def test_credentials_of_the_endpoint_are_sent(receiver: Receiver) -> None:
    """User and password go into the header, not into the request line."""
    handle = configured(http_sink(receiver, endpoint=f"http://us%40er:pw@{receiver.address}/logs"))
    get_logger().info("x")
    handle.close()
    _, path, authorization, _ = receiver.requests.get(timeout=120)
    assert (path, authorization) == ("/logs", "Basic dXNAZXI6cHc=")


def test_a_refusing_receiver_is_counted(receiver: Receiver) -> None:
    """A status of 400 or more means that the line is lost."""
    receiver.status = 400
    told: list[Exception] = []
    handle = configured(http_sink(receiver), on_error=told.append)
    get_logger().info("x")
    handle.close()
    assert (handle.dropped, handle.failed, [str(error) for error in told]) == (
        1,
        1,
        [f"the log receiver at {receiver.address} answered with status 400"],
    )


def test_an_absent_receiver_is_counted() -> None:
    """A connection that is refused costs the line, not the caller."""
    gone = Receiver()
    gone.stop()
    handle = configured(http_sink(gone))
    get_logger().info("x")
    handle.close()
    assert (handle.dropped, handle.failed) == (1, 1)


def test_a_closed_sender_starts_again_with_the_next_line(receiver: Receiver) -> None:
    """Lines after closing are sent too."""
    handle = configured(http_sink(receiver))
    for event in ("one", "two"):
        get_logger().info(event)
        handle.close()
    assert [json.loads(receiver.requests.get(timeout=120)[3])["event"] for _ in range(2)] == ["one", "two"]


def test_lines_that_a_receiver_does_not_take_are_dropped() -> None:
    """While the receiver hangs only so many lines wait; nobody who logs does."""
    release, entered = threading.Event(), threading.Event()

    class Hanging(QueuedHTTPHandler):
        def post(self, line: bytes) -> None:  # noqa: ARG002 - the line is not looked at
            entered.set()
            release.wait(120)

    handler = Hanging("http://127.0.0.1:1/", method="POST", limits=QueueLimits(lines=5))
    handler.send(b"held")
    assert entered.wait(120)
    for _ in range(8):
        handler.send(b"waits")
    assert (handler.queue.waiting, handler.failures().dropped) == (5, 3)
    release.set()
    assert handler.finish(5.0)


@pytest.mark.parametrize(
    ("endpoint", "message"),
    [
        (None, "HTTP sink requires 'endpoint'."),
        ("", "HTTP sink requires 'endpoint'."),
        ("ftp://host/", r"HTTP sink 'endpoint' must be http\(s\)."),
        ("http://", r"HTTP sink 'endpoint' must be http\(s\)."),
    ],
)
def test_an_unusable_endpoint_is_refused(endpoint: str | None, message: str) -> None:
    """An http sink without an http endpoint is told when logging is configured."""
    with pytest.raises(ValueError, match=message):
        configured(LoggingSinkConfig(target="http", endpoint=endpoint))


def test_an_unusable_method_is_refused() -> None:
    """Only GET and POST can carry a line."""
    with pytest.raises(ValueError, match="must be GET or POST, not 'PUT'"):
        configured(LoggingSinkConfig(target="http", endpoint="https://host/", method="PUT"))


def test_an_https_endpoint_is_spoken_to_securely() -> None:
    """The scheme decides about TLS, and every wait is bounded."""
    connection = QueuedHTTPHandler("https://host:1/", method="POST").getConnection("host:1", True)
    assert (type(connection).__name__, connection.timeout) == ("HTTPSConnection", 5.0)
