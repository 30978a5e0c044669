"""Files of shared counts: what is read is what was written, whatever became of the bytes, and of the file."""

from __future__ import annotations

import errno
import os
import resource
import threading
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings, strategies
from support import Clock

from oneiric.core.resolution import Candidate, Resolver
from oneiric.observability import attach
from oneiric.observability.catalogue import RESOLUTION_DURATION, RESOLUTIONS
from oneiric.observability.metrics.shared import CorruptFileError, SharedCounterCell, SharedHistogramCell
from oneiric.observability.metrics.shared.directory import read_file
from oneiric.observability.metrics.shared.file import SharedFile
from oneiric.observability.metrics.shared.format import (
    COUNTER,
    HEADER_BYTES,
    HISTOGRAM,
    Record,
    header_bytes,
    record_bytes,
    records_of,
    slot,
    used_bytes,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RECORDS = [
    Record(COUNTER, b'["a",[]]', (3.0,)),
    Record(HISTOGRAM, '["b",["ä","x"]]'.encode(), (1.0, 0.0, 2.0, 0.5)),
    Record(COUNTER, b'["c",["y"]]', (1e300,)),
]


def content(records: list[Record]) -> bytes:
    """Return a file of *records*."""
    body = b"".join(map(record_bytes, records))
    return header_bytes(HEADER_BYTES + len(body)) + body


def read(data: bytes) -> list[Record]:
    """Return the records in *data*, as a reader of the file would find them."""
    used = used_bytes(data[:HEADER_BYTES])
    if used > len(data):
        raise CorruptFileError("short")
    return list(records_of(data[:used], lambda offset, length: data[offset : offset + length]))


@given(
    strategies.lists(
        strategies.builds(
            Record,
            strategies.sampled_from([COUNTER, HISTOGRAM]),
            strategies.binary(max_size=100),
            strategies.lists(strategies.floats(allow_nan=False), max_size=20).map(tuple),
        ),
        max_size=8,
    )
)
def test_what_was_written_is_read(records: list[Record]) -> None:
    """Any keys and numbers are read as they were written."""
    assert read(content(records)) == records


@given(strategies.data())
@settings(max_examples=300)
def test_damaged_bytes_are_found(data: strategies.DataObject) -> None:
    """Whatever byte is changed, the file is read as it was, or refused; nothing else is ever read or raised."""
    whole = bytearray(content(RECORDS))
    for _ in range(data.draw(strategies.integers(1, 4))):
        whole[data.draw(strategies.integers(0, len(whole) - 1))] ^= data.draw(strategies.integers(1, 255))
    try:
        found = read(bytes(whole))
    except CorruptFileError:
        return
    assert found == RECORDS


@given(strategies.integers(0, len(content(RECORDS)) - 1))
def test_a_file_that_was_cut_short_is_refused(length: int) -> None:
    """No part of a file is taken for the whole."""
    with pytest.raises(CorruptFileError):
        read(content(RECORDS)[:length])


@given(strategies.binary(max_size=400), strategies.booleans(), strategies.booleans())
@example(b"\xff" * 400, True, True)
@example(b"\x00" * 400, True, True)
def test_arbitrary_bytes_are_refused_or_empty(garbage: bytes, has_header: bool, is_checked: bool) -> None:
    """Garbage, behind a good header too, with lengths of gigabytes too, raises nothing but that it is corrupt."""
    garbage += bytes(-len(garbage) % 8)
    data = header_bytes(HEADER_BYTES + len(garbage)) + garbage if has_header else garbage
    if has_header and not is_checked:
        data = header_bytes(1 << 50) + garbage
    try:
        found = read(data)
    except CorruptFileError:
        return
    assert found == []


@pytest.mark.parametrize("written", range(len(slot(9, (4.0,))) - 4))  # the last four bytes are zero
def test_a_slot_half_written_leaves_the_other(written: int) -> None:
    """Wherever the writing of a slot was interrupted, the numbers are those before it."""
    before = Record(COUNTER, b"key", (3.0,))
    data = bytearray(content([before]))
    new = slot(3, (4.0,))
    start = len(data) - len(new)
    data[start : start + written] = new[:written]
    assert read(bytes(data)) == [before]


def test_a_reader_reads_again_what_is_being_written() -> None:
    """Where both slots are half written when they are read, they are read until one is whole."""
    data = content([Record(COUNTER, b"key", (3.0,))])
    slots = len(data) - 2 * len(slot(1, (1.0,)))
    torn = data[:slots] + bytes(len(data) - slots)
    answers = iter([torn[slots:], torn[slots:], data[slots:]])
    assert list(records_of(torn, lambda _, __: next(answers))) == [Record(COUNTER, b"key", (3.0,))]


class Shared:
    """A file of shared counts with a clock, and what it reported."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.clock = Clock()
        self.reports: list[OSError] = []
        self.filled = 0
        self.file = SharedFile(
            directory, opened=lambda: None, full=self._fill, report=self.reports.append, clock=self.clock
        )

    def counter(self, *labels: str) -> SharedCounterCell:
        """Return a new counter in the file."""
        cell = SharedCounterCell(RESOLUTIONS, labels, self.file)
        self.file.add(cell)
        return cell

    def values(self) -> list[float]:
        """Return what a reader finds."""
        return [record.numbers[0] for record in read_file(self.directory / self.file.name).records]

    def _fill(self) -> None:
        self.filled += 1


@pytest.fixture
def shared(tmp_path: Path) -> Shared:
    """A fresh one."""
    return Shared(tmp_path)


def test_every_change_is_there_when_the_call_returns(shared: Shared) -> None:
    """Counters and histograms, new and old ones, are read as they are kept."""
    counter = shared.counter("a", "b", "c")
    counter.add(2.0)
    histogram = SharedHistogramCell(RESOLUTION_DURATION, ("a", "b"), shared.file)
    shared.file.add(histogram)
    for value in (2.0**-17, 7.0):
        histogram.observe(value)
        counter.add(1.5)
    histogram.observe_sorted([0.25], 0.25)
    records = read_file(shared.directory / shared.file.name).records
    assert [list(record.numbers) for record in records] == [[5.0], [*map(float, histogram.counts), histogram.sum]]
    assert (sum(histogram.counts), histogram.counts[0], histogram.counts[-1], histogram.sum) == (
        3,
        1,
        1,
        7.25 + 2.0**-17,
    )


def test_the_value_before_stays_in_the_file(shared: Shared) -> None:
    """A change goes into the slot that is not the newest, so that to be killed in the middle of it costs itself."""
    cell = shared.counter("a", "b", "c")
    for expected in range(1, 6):
        cell.add(1.0)
        path = shared.directory / shared.file.name
        data = path.read_bytes()
        newest = data.rindex(slot(cell.number, (float(expected),)))
        path.write_bytes(data[:newest] + bytes(16) + data[newest + 16 :])
        assert expected == 1 or shared.values() == [expected - 1]
        path.write_bytes(data)


def test_a_file_is_for_its_owner_only(shared: Shared) -> None:
    """Nobody else can read it."""
    shared.counter("a", "b", "c").add(1.0)
    assert (shared.directory / shared.file.name).stat().st_mode & 0o777 == 0o600


@pytest.mark.slow
def test_series_that_come_and_go_do_not_make_a_file_large(shared: Shared) -> None:
    """What is dropped is gone, and its place is used again."""
    shared.counter("a", "b", "kept").add(7.0)
    for number in range(1_000):
        cell = shared.counter("a", "b", f"provider-{number}")
        cell.add(1.0)
        shared.file.drop(cell)
        assert shared.values() == [7.0] or number % 100
    assert (shared.directory / shared.file.name).stat().st_size < 100_000
    assert shared.values() == [7.0]


def test_a_file_that_is_large_takes_no_further_label_sets(shared: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever makes series is told when the bound is reached."""
    monkeypatch.setattr("oneiric.observability.metrics.shared.file.MAX_OWN_BYTES", 1_000)
    for number in range(20):
        shared.counter("a", "b", str(number)).add(1.0)
    assert shared.filled > 0


def test_a_full_disk_is_an_error_and_loses_nothing(shared: Shared) -> None:
    """While a file cannot grow, counts stay in memory, told once a second; later all of them are in the file."""
    first = shared.counter("a", "b", "1")
    first.add(1.0)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (shared.file._used + 10, limits[1]))
    try:
        cells = [shared.counter("a", "b", str(number)) for number in (2, 3)]
        for cell in (first, *cells):
            cell.add(1.0)
            cell.add(1.0)
        assert shared.values() == [3.0]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert {error.errno for error in shared.reports} <= {errno.EFBIG, errno.ENOSPC}
    assert len(shared.reports) == 2
    shared.clock.advance(2.0)
    cells[0].add(1.0)
    assert shared.values() == [3.0, 3.0, 2.0]


def test_a_directory_that_was_removed_is_made_anew(shared: Shared, tmp_path: Path) -> None:
    """Counts are there again when the file is mended."""
    shared = Shared(tmp_path / "shared")
    cell = shared.counter("a", "b", "c")
    cell.add(1.0)
    (shared.directory / shared.file.name).unlink()
    shared.directory.rmdir()
    cell.add(1.0)
    assert not shared.file.is_in_place()
    shared.file.mend()
    assert (shared.values(), shared.file.is_in_place()) == ([2.0], True)


def test_a_descriptor_that_is_another_file_now_is_not_written(shared: Shared, tmp_path: Path) -> None:
    """What the application opened under the number of our closed descriptor stays as it is, and no count is lost."""
    cell = shared.counter("a", "b", "c")
    cell.add(1.0)
    os.close(shared.file.descriptor)
    theirs = os.open(tmp_path / "theirs", os.O_RDWR | os.O_CREAT)
    assert theirs == shared.file.descriptor
    cell.add(1.0)
    shared.counter("a", "b", "d").add(1.0)
    assert (os.fstat(theirs).st_size, shared.values(), len(shared.reports)) == (0, [2.0, 1.0], 1)
    os.close(theirs)


def test_the_descriptor_is_checked_once_for_each_event(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A resolution takes one look at the descriptor and a write for each of its two series."""
    resolver = Resolver()
    resolver.register(Candidate(domain="adapter", key="cache", provider="memory", factory=dict))
    calls: list[str] = []
    with attach(resolver, shared_dir=tmp_path, shared_interval=86_400.0):
        for _ in range(2):
            resolver.resolve("adapter", "cache")
        with monkeypatch.context() as patch:
            for name in ("fstat", "pwrite"):
                patch.setattr(os, name, _noting(calls, name, getattr(os, name)))
            for _ in range(3):
                resolver.resolve("adapter", "cache")
    assert calls == 3 * ["fstat", "pwrite", "pwrite"]


def _noting(calls: list[str], name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    here = threading.get_ident()

    def noted(*args: Any) -> Any:
        if threading.get_ident() == here:  # the thread that publishes gauges has calls of its own
            calls.append(name)
        return function(*args)

    return noted


def test_a_check_holds_for_one_record_only(shared: Shared, tmp_path: Path) -> None:
    """Whatever ends the counting of a record, the next write looks at the descriptor again."""
    cell = shared.counter("a", "b", "c")
    cell.add(1.0)
    with pytest.raises(KeyError):
        shared.file.check_once({}.__getitem__, "missing")
    os.close(shared.file.descriptor)
    theirs = os.open(tmp_path / "theirs", os.O_RDWR | os.O_CREAT)
    cell.add(1.0)
    assert (os.fstat(theirs).st_size, shared.values()) == (0, [2.0])
    os.close(theirs)


def test_a_descriptor_that_somebody_closed_is_not_closed_again(shared: Shared) -> None:
    """When all descriptors were closed, as by who becomes a daemon, ours may be another file's: that stays open."""
    cell = shared.counter("a", "b", "c")
    cell.add(1.0)
    os.close(shared.file.descriptor)
    pipe = os.pipe()
    try:
        assert shared.file.descriptor in pipe
        cell.add(1.0)
        os.fstat(pipe[0]), os.fstat(pipe[1])
    finally:
        for descriptor in pipe:
            os.close(descriptor)
    assert shared.values() == [2.0]
