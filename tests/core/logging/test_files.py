"""The file of a log sink: several processes that write to it, files renamed from outside, numbers that are reused."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from processes import PROGRAMS

from oneiric.core.logging import files
from oneiric.core.logging.handlers import RotatingLineHandler

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROGRAM = PROGRAMS / "log_rotation.py"


@pytest.fixture
def handler(tmp_path: Path) -> Iterator[RotatingLineHandler]:
    """A handler of the file ``log`` that is renamed at 20 bytes."""
    handler = RotatingLineHandler(tmp_path / "log", max_bytes=20, backup_count=9)
    yield handler
    handler.close()


def write(handler: RotatingLineHandler, line: bytes) -> None:
    """Log *line* and wait until it is written."""
    handler.send(line)
    assert handler.queue.flush(30)


def contents(directory: Path) -> dict[str, str]:
    """Return the text of each file in *directory*."""
    return {path.name: path.read_text() for path in directory.iterdir()}


def start(path: Path, *numbers: int) -> subprocess.Popen[str]:
    """Start the program that logs to *path*."""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", str(PROGRAM), str(path), *map(str, numbers)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def lost(process: subprocess.Popen[str]) -> int:
    """Return how many lines *process* and its forks counted as lost."""
    printed, _ = process.communicate(timeout=300)
    assert process.returncode == 0
    return sum(map(int, printed.split()))


def numbers(directory: Path) -> Counter[str]:
    """Return how often each numbered line is in the files of *directory*."""
    lines = [line for text in contents(directory).values() for line in text.splitlines()]
    return Counter(line.partition('"number":')[2].partition(",")[0].rstrip("}") for line in lines if '"number"' in line)


# Several processes


@pytest.mark.slow
def test_forks_that_share_a_file_lose_no_line(tmp_path: Path) -> None:
    """Of eight forks that log 2,000 lines each into a small rotating file, each line is there once, or is counted."""
    dropped = lost(start(tmp_path / "log", 8, 2_000, 20_000, 0))
    found = numbers(tmp_path)
    assert (len(found) + dropped, {*found.values()}) == (16_000, {1})
    assert len([*tmp_path.iterdir()]) > 20


@pytest.mark.slow
def test_processes_that_share_a_file_lose_no_line(tmp_path: Path) -> None:
    """Of four processes that log 2,000 lines each, each line is in one of the files once, or is counted."""
    processes = [start(tmp_path / "log", 0, 2_000, 20_000, number) for number in range(4)]
    dropped = sum(map(lost, processes))
    found = numbers(tmp_path)
    assert (len(found) + dropped, {*found.values()}) == (8_000, {1})


def test_two_handlers_of_one_file_share_it(handler: RotatingLineHandler, tmp_path: Path) -> None:
    """A handler goes on in the file that the other one began."""
    other = RotatingLineHandler(tmp_path / "log", max_bytes=20, backup_count=9)
    for line in (b"a" * 9, b"b" * 9, b"c" * 9):
        write(handler, line)
    write(other, b"d" * 9)
    other.close()
    assert contents(tmp_path) == {"log": "ccccccccc\nddddddddd\n", "log.1": "aaaaaaaaa\nbbbbbbbbb\n"}


def test_a_file_that_another_process_keeps_locked_grows(
    handler: RotatingLineHandler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines do not wait for a process that was stopped while it replaced the file."""
    monkeypatch.setattr(files, "_MAX_WAIT", 0.01)
    write(handler, b"a" * 15)
    with (tmp_path / "log").open("ab") as locked:
        fcntl.flock(locked, fcntl.LOCK_EX)
        write(handler, b"b" * 15)
    assert contents(tmp_path) == {"log": "a" * 15 + "\n" + "b" * 15 + "\n"}
    write(handler, b"c")
    assert contents(tmp_path)["log"] == "c\n"


def test_a_forked_child_does_not_share_the_lock_of_its_parent(
    handler: RotatingLineHandler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the parent replaces the file, a child that inherited its descriptor does not."""
    monkeypatch.setattr(files, "_MAX_WAIT", 0.01)
    write(handler, b"a" * 15)
    assert handler.stream is not None
    parents = os.dup(handler.stream.fileno())
    fcntl.flock(parents, fcntl.LOCK_EX)
    handler.queue.renew()  # as in a child
    write(handler, b"b" * 15)
    os.close(parents)
    assert contents(tmp_path) == {"log": "a" * 15 + "\n" + "b" * 15 + "\n"}


# Files that are renamed or removed


def test_a_renamed_file_is_opened_anew(handler: RotatingLineHandler, tmp_path: Path) -> None:
    """What logrotate renamed gets no further line."""
    write(handler, b"one")
    (tmp_path / "log").rename(tmp_path / "log-20260101")
    write(handler, b"two")
    assert contents(tmp_path) == {"log-20260101": "one\n", "log": "two\n"}


def test_a_removed_file_is_made_anew(handler: RotatingLineHandler, tmp_path: Path) -> None:
    """A file that somebody deleted, with its directory too, is there again with the next line."""
    write(handler, b"one")
    (tmp_path / "log").unlink()
    tmp_path.rmdir()
    write(handler, b"two")
    assert contents(tmp_path) == {"log": "two\n"}


def test_a_truncated_file_is_written_from_its_beginning(handler: RotatingLineHandler, tmp_path: Path) -> None:
    """After logrotate's copytruncate the file holds the next line and nothing else."""
    write(handler, b"one")
    os.truncate(tmp_path / "log", 0)
    write(handler, b"two")
    assert contents(tmp_path) == {"log": "two\n"}


def test_a_file_that_is_removed_while_a_line_is_written_costs_no_line(
    handler: RotatingLineHandler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line that went into a file which nobody can open any more is written again."""
    write(handler, b"one")
    send, path = handler._file._lines.send, tmp_path / "log"

    def remove_first(lines: list[bytes], wait: float) -> Exception | None:
        if path.exists() and "one" in path.read_text():
            path.unlink()
        return send(lines, wait)

    monkeypatch.setattr(handler._file._lines, "send", remove_first)
    write(handler, b"two")
    assert (contents(tmp_path), handler.failures().dropped) == ({"log": "two\n"}, 0)


def test_lines_wait_while_the_path_cannot_be_opened(handler: RotatingLineHandler, tmp_path: Path) -> None:
    """A directory in the file's place costs no line, and each failure is counted."""
    write(handler, b"one")
    (tmp_path / "log").unlink()
    (tmp_path / "log").mkdir()
    handler.send(b"two")
    assert not handler.queue.flush(30)
    assert (handler.failures().failed > 0, handler.failures().dropped) == (True, 0)
    (tmp_path / "log").rmdir()
    handler.send(b"three")
    assert handler.queue.flush(30)
    assert contents(tmp_path) == {"log": "two\nthree\n"}


# Descriptors that somebody else closed


def stolen(handler: RotatingLineHandler, path: Path) -> int:
    """Close the handler's descriptor, as closing everything does, and return that of a file with the same number."""
    assert handler.stream is not None
    number = handler.stream.fileno()
    os.close(number)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    os.dup2(descriptor, number)
    if descriptor != number:
        os.close(descriptor)
    return number


def test_a_file_with_the_number_of_the_log_file_is_left_alone(handler: RotatingLineHandler, tmp_path: Path) -> None:
    """After ``os.closerange`` a new file of the application gets no line, and stays open; the log file gets them."""
    write(handler, b"one")
    number = stolen(handler, tmp_path / "theirs")
    write(handler, b"two")
    handler.close()
    os.write(number, b"theirs")
    os.close(number)
    assert contents(tmp_path) == {"log": "one\ntwo\n", "theirs": "theirs"}


def test_closing_leaves_a_file_with_that_number_open(handler: RotatingLineHandler, tmp_path: Path) -> None:
    """A handler that is closed after its descriptor was taken away closes nothing."""
    number = stolen(handler, tmp_path / "theirs")
    handler.close()
    os.close(number)  # raises if it was closed


def test_a_closed_descriptor_costs_no_line(handler: RotatingLineHandler, tmp_path: Path) -> None:
    """After ``os.closerange`` the file is opened again."""
    assert handler.stream is not None
    os.close(handler.stream.fileno())
    write(handler, b"one")
    assert contents(tmp_path) == {"log": "one\n"}


def test_a_host_may_ask_for_a_new_file(handler: RotatingLineHandler, tmp_path: Path) -> None:
    """The standard library's method to begin a new file works."""
    write(handler, b"one")
    handler.doRollover()
    write(handler, b"two")
    assert contents(tmp_path) == {"log": "two\n", "log.1": "one\n"}
