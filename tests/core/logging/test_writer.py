"""The line stream: whole lines, no waiting, no raising."""

from __future__ import annotations

import contextlib
import io
import os
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

from oneiric.core.logging.failures import Tally
from oneiric.core.logging.writer import StreamWriter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import TextIO


class Pipe:
    """A pipe whose reading end nobody reads until told to."""

    def __init__(self) -> None:
        self.reader, writer = os.pipe()
        os.set_blocking(self.reader, False)
        self.stream: TextIO = os.fdopen(writer, "w")

    def read(self) -> bytes:
        """Return what is in the pipe now."""
        data = b""
        with contextlib.suppress(BlockingIOError):
            while part := os.read(self.reader, 65_536):
                data += part
        return data

    def fill(self) -> int:
        """Write until the pipe takes no more; return how many bytes it took."""
        descriptor, taken = self.stream.fileno(), 0
        os.set_blocking(descriptor, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                taken += os.write(descriptor, b"x" * 4096)
        os.set_blocking(descriptor, True)
        return taken

    def close(self) -> None:
        """Close both ends."""
        with contextlib.suppress(OSError):
            self.stream.close()
        with contextlib.suppress(OSError):
            os.close(self.reader)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """A pipe that nobody reads."""
    pipe = Pipe()
    yield pipe
    pipe.close()


def test_a_line_reaches_a_pipe_with_its_newline(pipe: Pipe) -> None:
    """A written line is in the pipe when the call returns."""
    StreamWriter(pipe.stream).send([b"one"], 0.0)
    assert pipe.read() == b"one\n"


def test_a_line_reaches_a_file(tmp_path: Path) -> None:
    """A regular file takes whole lines, longer than a pipe would take at once."""
    lines = [b"a" * 10_000, b"b"]
    with (tmp_path / "log").open("a") as stream:
        StreamWriter(stream).send(lines, 0.0)
    assert (tmp_path / "log").read_bytes() == b"\n".join([*lines, b""])


def test_a_full_pipe_does_not_hold_up_the_caller(pipe: Pipe) -> None:
    """Writing to a pipe that nobody reads returns, and the line waits."""
    pipe.fill()
    lines = StreamWriter(pipe.stream)
    assert lines.send([b"waits"], 0.0) is None
    assert (lines.waiting, lines.tally.dropped, lines.tally.failed) == (6, 0, 0)


def test_waiting_lines_go_out_first(pipe: Pipe) -> None:
    """Once the pipe is read, the next line brings along those that waited, in order."""
    taken = pipe.fill()
    lines = StreamWriter(pipe.stream)
    lines.send([b"first"], 0.0)
    assert len(pipe.read()) == taken
    lines.send([b"second"], 0.0)
    assert pipe.read() == b"first\nsecond\n"


def test_flush_brings_out_what_waits(pipe: Pipe) -> None:
    """What waits can be written without a further line."""
    pipe.fill()
    lines = StreamWriter(pipe.stream)
    lines.send([b"last words"], 0.0)
    pipe.read()
    lines.send([], 0.0)
    assert (pipe.read(), lines.waiting) == (b"last words\n", 0)


def test_flush_gives_up_at_its_deadline(pipe: Pipe) -> None:
    """Flushing into a pipe that nobody reads returns after its timeout and keeps the line."""
    pipe.fill()
    lines = StreamWriter(pipe.stream)
    lines.send([b"waits"], 0.0)
    lines.send([], 0.01)
    assert lines.waiting == 6


def test_no_line_is_torn_by_a_reader_that_stops_and_goes_on(pipe: Pipe) -> None:
    """Lines longer than a pipe takes at once come out whole, in order, however the reader pauses."""
    lines = StreamWriter(pipe.stream)
    written = [f"{number:04}".encode() + b"z" * 9_000 for number in range(60)]
    read = b""
    for number, line in enumerate(written):
        lines.send([line], 0.0)
        if number % 13 == 12:
            read += pipe.read()
    while lines.waiting:
        read += pipe.read()
        lines.send([], 0.0)
    assert (read + pipe.read()).split(b"\n")[:-1] == written


def test_a_socket_that_takes_a_part_of_a_line_gets_the_rest_of_it() -> None:
    """A stream socket may take less than a line: no byte of it is sent twice."""
    written: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as ours:
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
        ours.connect(server.getsockname())
        with server.accept()[0] as theirs, ours.makefile("w") as stream:
            lines, read = StreamWriter(stream), b""
            while not lines.waiting:  # until the buffers of both sides are full
                written.append(f"{len(written):04}".encode() + b"z" * 3_000)
                lines.send([written[-1]], 0.0)
            while lines.waiting:
                read += theirs.recv(65_536)
                lines.send([], 0.0)
            ours.shutdown(socket.SHUT_WR)
            while part := theirs.recv(65_536):
                read += part
    assert read.split(b"\n")[:-1] == written


def test_short_lines_reach_a_pipe_in_single_writes(pipe: Pipe) -> None:
    """What waits goes out in writes that end with a line, so that other writers cannot come in between."""
    pipe.fill()
    lines = StreamWriter(pipe.stream)
    for _ in range(3):
        lines.send([b"y" * 1_800], 0.0)
    assert lines._next() == (b"y" * 1_800 + b"\n") * 2


def test_a_full_disk_keeps_the_line() -> None:
    """An error that passes is counted and returned, and the line is tried again later."""
    with open("/dev/full", "w", buffering=1) as stream:  # noqa: PTH123 - a device
        lines = StreamWriter(stream)
        error = lines.send([b"kept"], 0.0)
    assert isinstance(error, OSError)
    assert (lines.tally.failed, lines.tally.dropped, lines.waiting) == (1, 0, 5)
    assert lines.tally.last_error == "OSError: [Errno 28] No space left on device"


def test_a_line_that_waited_for_the_disk_is_written_to_the_next_file(tmp_path: Path) -> None:
    """Redirecting writes what waits to the new stream."""
    with open("/dev/full", "w", buffering=1) as full, (tmp_path / "log").open("a") as stream:  # noqa: PTH123 - a device
        lines = StreamWriter(full)
        lines.send([b"first"], 0.0)
        lines.redirect(stream)
        lines.send([b"second"], 0.0)
    assert (tmp_path / "log").read_text() == "first\nsecond\n"


def test_a_reader_that_is_gone_costs_the_line(pipe: Pipe) -> None:
    """A broken pipe is counted and returned, and nothing waits for it."""
    os.close(pipe.reader)
    lines = StreamWriter(pipe.stream)
    assert isinstance(lines.send([b"lost"], 0.0), BrokenPipeError)
    assert (lines.tally.failed, lines.tally.dropped, lines.waiting) == (1, 1, 0)


def test_a_closed_stream_costs_the_line(pipe: Pipe) -> None:
    """A stream closed by its owner is not written to, since its descriptor may be another file's by now."""
    lines = StreamWriter(pipe.stream)
    descriptor = pipe.stream.fileno()
    pipe.stream.close()
    reused = os.open(os.devnull, os.O_WRONLY)
    try:
        assert (reused, str(lines.send([b"lost"], 0.0))) == (descriptor, "the stream is closed")
    finally:
        os.close(reused)
    assert (lines.tally.failed, lines.tally.dropped) == (1, 1)


def test_a_closed_descriptor_costs_the_line(pipe: Pipe) -> None:
    """A descriptor closed behind the stream's back is an error like any other."""
    writer = os.dup(pipe.stream.fileno())
    stream = open(writer, "w", closefd=False)  # noqa: SIM115 - a descriptor, closed below
    lines = StreamWriter(stream)
    os.close(writer)
    assert isinstance(lines.send([b"lost"], 0.0), OSError)
    assert (lines.tally.failed, lines.tally.dropped) == (1, 1)


def test_a_stream_without_a_descriptor_is_written_to() -> None:
    """A stream in memory takes lines as text."""
    stream = io.StringIO()
    StreamWriter(stream).send([b"one"], 0.0)
    assert stream.getvalue() == "one\n"


@pytest.mark.parametrize("stream", [None, object()])
def test_what_is_no_stream_costs_the_line(stream: Any) -> None:
    """Standard error can be None; that fails like a closed stream."""
    lines = StreamWriter(stream)
    assert isinstance(lines.send([b"lost"], 0.0), AttributeError)
    assert (lines.tally.failed, lines.tally.dropped) == (1, 1)


def test_a_closed_stream_in_memory_costs_the_line() -> None:
    """A closed stream without a descriptor is counted too."""
    stream = io.StringIO()
    lines = StreamWriter(stream)
    stream.close()
    assert isinstance(lines.send([b"lost"], 0.0), ValueError)
    assert (lines.tally.failed, lines.tally.dropped) == (1, 1)


def test_a_non_blocking_descriptor_keeps_the_line(pipe: Pipe) -> None:
    """A descriptor that somebody made non-blocking is full, not broken."""
    lines = StreamWriter(pipe.stream)
    pipe.fill()
    os.set_blocking(pipe.stream.fileno(), False)
    os.read(pipe.reader, 4096)
    lines.send([b"w" * 4096 + b"kept"], 0.0)
    assert lines.tally.failed == 0


def test_what_waits_can_be_forgotten(pipe: Pipe) -> None:
    """A forked child, whose parent writes what waited, begins with its own lines."""
    pipe.fill()
    lines = StreamWriter(pipe.stream)
    lines.send([b"the parent's"], 0.0)
    pipe.read()
    lines.forget()
    lines.send([b"the child's"], 0.0)
    assert pipe.read() == b"the child's\n"


def test_a_stream_can_be_used_while_a_thread_of_the_parent_waits_for_it(pipe: Pipe) -> None:
    """What a forked child inherits in the middle of a wait is made anew, since it refuses a second one."""
    pipe.fill()
    lines = StreamWriter(pipe.stream)
    waiting = threading.Thread(target=lines._poll.poll, args=(10_000,))
    waiting.start()

    def poll_too() -> None:
        for _ in range(5_000):
            lines._poll.poll(1)

    try:
        with pytest.raises(RuntimeError, match="concurrent"):
            poll_too()
        lines.forget()
        assert lines.send([b"the child's"], 0.0) is None
    finally:
        pipe.read()
        waiting.join()


def test_what_takes_lines_at_once_is_known(pipe: Pipe, tmp_path: Path) -> None:
    """Pipes, the null device and what is in memory may be written to by whoever logs; files and terminals may not."""
    main, terminal = os.openpty()
    with (
        (tmp_path / "log").open("a") as file,
        open(os.devnull, "w") as null,  # noqa: PTH123 - a device
        os.fdopen(main, "rb"),
        os.fdopen(terminal, "w") as screen,
    ):
        prompt = [StreamWriter(stream).prompt for stream in (pipe.stream, null, io.StringIO(), None, file, screen)]
        assert prompt == [True, True, True, True, False, False]
        assert [StreamWriter(stream).in_memory for stream in (io.StringIO(), None, null, file)] == [
            True,
            True,
            False,
            False,
        ]


def test_where_a_write_cannot_be_told_not_to_wait_it_is_asked_first(pipe: Pipe) -> None:
    """On a system without such writes the pipe is polled, and lines go the same way."""
    lines = StreamWriter(pipe.stream)
    lines._nowait = False
    lines.send([b"one"], 0.0)
    taken = pipe.fill()
    lines.send([b"two"], 0.0)
    assert (lines.waiting, len(pipe.read())) == (4, 4 + taken)
    lines.send([], 0.0)
    assert pipe.read() == b"two\n"


def test_a_system_that_refuses_such_writes_is_found_out(tmp_path: Path) -> None:
    """A descriptor that has no writes without waiting is written to in the other way, and nothing is lost."""
    with (tmp_path / "log").open("a") as stream:
        lines = StreamWriter(stream)
        lines._nowait = True
        lines.send([b"one"], 0.0)
        assert (lines.tally.failed, lines.waiting) == (0, 0)
    assert (tmp_path / "log").read_bytes() == b"one\n"


def test_a_tally_is_exact_among_threads() -> None:
    """Losses counted by several threads at once are all there."""
    tally = Tally()

    def lose() -> None:
        for _ in range(2_000):
            tally.lose(1)

    threads = [threading.Thread(target=lose) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tally.dropped == 8_000
