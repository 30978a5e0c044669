"""The lines that wait for a sink: what may wait, what is counted, and how much is taken out at a time."""

from __future__ import annotations

import pytest

from oneiric.core.logging.buffer import LineBuffer, QueueLimits
from oneiric.core.logging.failures import trouble


def filled(*lines: bytes, limits: QueueLimits | None = None) -> LineBuffer:
    """Return what accounted for *lines*."""
    backlog = LineBuffer(limits or QueueLimits())
    backlog.incoming.extend(lines)
    backlog.account()
    return backlog


@pytest.mark.parametrize("drop", ["oldest", "newest"])
def test_a_line_that_never_fits_makes_no_other_give_way(drop: str) -> None:
    """It is the one that is lost, whichever lines are dropped as a rule."""
    backlog = filled(b"one", b"larger than all", b"two", limits=QueueLimits(size=10, drop=drop))  # type: ignore[arg-type] # one of the two
    assert ([*backlog.lines], backlog.dropped) == ([b"one", b"two"], 1)


def test_each_loss_is_told() -> None:
    """Whoever looks for losses is told by the count of trouble."""
    before = trouble.seen
    backlog = filled(b"one", b"two", b"three", limits=QueueLimits(lines=1))
    assert (trouble.seen - before, backlog.dropped) == (2, 2)


def test_lines_are_taken_out_by_their_bytes() -> None:
    """As many as fit, and a line that is larger alone."""
    backlog = filled(b"1234", b"5678", b"9", b"0123456789")
    assert [[*backlog.take(8, 0)] for _ in range(4)] == [[b"1234", b"5678"], [b"9"], [b"0123456789"], []]
    assert (backlog.added, backlog.taken) == (4, 4)


def test_only_a_few_lines_are_taken_as_they_came() -> None:
    """More than these are accounted for, within the limits, first."""
    backlog = LineBuffer(QueueLimits(lines=2))
    backlog.incoming.extend([b"1", b"2", b"3"])
    assert [*backlog.take(100, 3)] == [b"1", b"2", b"3"]
    backlog.incoming.extend([b"1", b"2", b"3", b"4"])
    assert [*backlog.take(100, 3)] == [b"3", b"4"]
    assert (backlog.added, backlog.taken, backlog.dropped) == (7, 7, 2)


def test_it_tells_when_half_of_the_bytes_that_may_wait_do() -> None:
    """Beyond half, and no longer once they are taken out."""
    limits = QueueLimits(size=10)
    backlog = filled(b"12345", b"6", limits=limits)
    assert (filled(b"12345", limits=limits).is_half_full, backlog.is_half_full) == (False, True)
    backlog.take(100, 0)
    assert not backlog.is_half_full
