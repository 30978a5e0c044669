"""The line stream: whole lines, no waiting, no raising."""

from __future__ import annotations

import contextlib
import io
import os
from typing import TYPE_CHECKING, Any

import pytest

from oneiric.core._log_stream import LineStream

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
    LineStream(pipe.stream).write("one")
    assert pipe.read() == b"one\n"


def test_a_line_reaches_a_file(tmp_path: Path) -> None:
    """A regular file takes whole lines, longer than a pipe would take at once."""
    lines = ["a" * 10_000, "b"]
    with (tmp_path / "log").open("a") as stream:
        target = LineStream(stream)
        for line in lines:
            target.write(line)
    assert (tmp_path / "log").read_text() == "\n".join([*lines, ""])


def test_a_full_pipe_does_not_hold_up_the_caller(pipe: Pipe) -> None:
    """Writing to a pipe that nobody reads returns, and the line waits."""
    pipe.fill()
    lines = LineStream(pipe.stream)
    assert lines.write("waits") is None
    assert (lines.pending, lines.dropped, lines.failed) == (6, 0, 0)


def test_waiting_lines_go_out_first(pipe: Pipe) -> None:
    """Once the pipe is read, the next line brings along those that waited, in order."""
    taken = pipe.fill()
    lines = LineStream(pipe.stream)
    lines.write("first")
    assert len(pipe.read()) == taken
    lines.write("second")
    assert pipe.read() == b"first\nsecond\n"


def test_flush_brings_out_what_waits(pipe: Pipe) -> None:
    """What waits can be written without a further line."""
    pipe.fill()
    lines = LineStream(pipe.stream)
    lines.write("last words")
    pipe.read()
    lines.flush()
    assert (pipe.read(), lines.pending) == (b"last words\n", 0)


def test_flush_gives_up_at_its_deadline(pipe: Pipe) -> None:
    """Flushing into a pipe that nobody reads returns after its timeout and keeps the line."""
    pipe.fill()
    lines = LineStream(pipe.stream)
    lines.write("waits")
    lines.flush(timeout=0.01)
    assert lines.pending == 6


@pytest.mark.parametrize(("room", "dropped"), [(12, 0), (11, 1)])
def test_the_new_line_is_dropped_where_the_bound_would_be_exceeded(pipe: Pipe, room: int, dropped: int) -> None:
    """Two lines of six bytes wait where twelve may; with one byte less the second is counted as dropped."""
    pipe.fill()
    lines = LineStream(pipe.stream, pending_limit=room)
    lines.write("first")
    lines.write("other")
    assert (lines.dropped, lines.pending) == (dropped, 12 - 6 * dropped)


def test_no_line_is_torn_by_a_reader_that_stops_and_goes_on(pipe: Pipe) -> None:
    """Lines longer than a pipe takes at once come out whole, in order, however the reader pauses."""
    lines = LineStream(pipe.stream, pending_limit=100_000)
    written = [f"{number:04}" + "z" * 9_000 for number in range(60)]
    read = b""
    for number, line in enumerate(written):
        lines.write(line)
        if number % 13 == 12:
            read += pipe.read()
    while lines.pending:
        read += pipe.read()
        lines.flush()
    read += pipe.read()
    arrived = read.decode().split("\n")[:-1]
    assert lines.dropped > 0
    assert [line for line in arrived if line not in written] == []
    assert len(arrived) == len(written) - lines.dropped
    assert arrived == sorted(arrived)


def test_short_lines_reach_a_pipe_in_single_writes(pipe: Pipe) -> None:
    """What waits goes out in writes that end with a line, so that other writers cannot come in between."""
    pipe.fill()
    lines = LineStream(pipe.stream)
    for _ in range(3):
        lines.write("y" * 1_800)
    assert lines._next() == (b"y" * 1_800 + b"\n") * 2


def test_a_full_disk_keeps_the_line() -> None:
    """An error that passes is counted and returned, and the line is tried again later."""
    with open("/dev/full", "w", buffering=1) as stream:  # noqa: PTH123 - a device
        lines = LineStream(stream)
        error = lines.write("kept")
    assert isinstance(error, OSError)
    assert (lines.failed, lines.dropped, lines.pending) == (1, 0, 5)
    assert lines.tally.last_error == "OSError: [Errno 28] No space left on device"


def test_the_bound_holds_on_a_full_disk() -> None:
    """A disk that stays full costs new lines, not memory."""
    with open("/dev/full", "w", buffering=1) as stream:  # noqa: PTH123 - a device
        lines = LineStream(stream, pending_limit=10)
        for _ in range(5):
            lines.write("kept")
        assert (lines.pending, lines.dropped) == (10, 3)


def test_a_line_that_waited_for_the_disk_is_written_to_the_next_file(tmp_path: Path) -> None:
    """Redirecting writes what waits to the new stream."""
    with open("/dev/full", "w", buffering=1) as full, (tmp_path / "log").open("a") as stream:  # noqa: PTH123 - a device
        lines = LineStream(full)
        lines.write("first")
        lines.redirect(stream)
        lines.write("second")
    assert (tmp_path / "log").read_text() == "first\nsecond\n"


def test_a_reader_that_is_gone_costs_the_line(pipe: Pipe) -> None:
    """A broken pipe is counted and returned, and nothing waits for it."""
    os.close(pipe.reader)
    lines = LineStream(pipe.stream)
    assert isinstance(lines.write("lost"), BrokenPipeError)
    assert (lines.failed, lines.dropped, lines.pending) == (1, 1, 0)


def test_a_closed_stream_costs_the_line(pipe: Pipe) -> None:
    """A stream closed by its owner is not written to, since its descriptor may be another file's by now."""
    lines = LineStream(pipe.stream)
    descriptor = pipe.stream.fileno()
    pipe.stream.close()
    reused = os.open(os.devnull, os.O_WRONLY)
    try:
        assert (reused, str(lines.write("lost"))) == (descriptor, "the stream is closed")
    finally:
        os.close(reused)
    assert (lines.failed, lines.dropped) == (1, 1)


def test_a_closed_descriptor_costs_the_line(pipe: Pipe) -> None:
    """A descriptor closed behind the stream's back is an error like any other."""
    writer = os.dup(pipe.stream.fileno())
    stream = open(writer, "w", closefd=False)  # noqa: SIM115 - a descriptor, closed below
    lines = LineStream(stream)
    os.close(writer)
    assert isinstance(lines.write("lost"), OSError)
    assert (lines.failed, lines.dropped) == (1, 1)


def test_a_stream_without_a_descriptor_is_written_to() -> None:
    """A stream in memory takes lines as text."""
    stream = io.StringIO()
    LineStream(stream).write("one")
    assert stream.getvalue() == "one\n"


@pytest.mark.parametrize("stream", [None, object()])
def test_what_is_no_stream_costs_the_line(stream: Any) -> None:
    """Standard error can be None; that fails like a closed stream."""
    lines = LineStream(stream)
    assert isinstance(lines.write("lost"), AttributeError)
    assert (lines.failed, lines.dropped) == (1, 1)


def test_a_closed_stream_in_memory_costs_the_line() -> None:
    """A closed stream without a descriptor is counted too."""
    stream = io.StringIO()
    lines = LineStream(stream)
    stream.close()
    assert isinstance(lines.write("lost"), ValueError)
    assert (lines.failed, lines.dropped) == (1, 1)


def test_a_non_blocking_descriptor_keeps_the_line(pipe: Pipe) -> None:
    """A descriptor that somebody made non-blocking is full, not broken."""
    lines = LineStream(pipe.stream)
    pipe.fill()
    os.set_blocking(pipe.stream.fileno(), False)
    os.read(pipe.reader, 4096)
    lines.write("w" * 4096 + "kept")
    assert lines.failed == 0


def test_a_line_logged_by_a_signal_handler_waits_its_turn(pipe: Pipe) -> None:
    """A line written in the middle of another one's write comes after it."""
    lines = LineStream(pipe.stream)
    lines._busy = True
    lines.write("from the handler")
    lines._busy = False
    lines.write("next")
    assert pipe.read() == b"from the handler\nnext\n"


def test_a_forked_child_does_not_repeat_what_waits(pipe: Pipe) -> None:
    """What waits belongs to the process that wrote it."""
    pipe.fill()
    lines = LineStream(pipe.stream)
    lines.write("the parent's")
    pipe.read()
    lines._owner = -1
    lines.write("the child's")
    assert pipe.read() == b"the child's\n"


def test_a_forked_child_writes_its_own_lines(pipe: Pipe) -> None:
    """A stream made before the fork works after it."""
    lines = LineStream(pipe.stream)
    lines._owner = -1
    lines.write("the child's")
    assert pipe.read() == b"the child's\n"
