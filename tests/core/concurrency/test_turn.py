"""One thread at a time does the work, and an interrupt does not cost the turn."""

from __future__ import annotations

import gc
import signal
import threading
from typing import NoReturn

import pytest

from oneiric.core.concurrency import TAKEN, Turn


class Interrupted(BaseException):
    """What the handler of a signal raises."""


arrived = threading.Event()


def interrupt(*_: object) -> NoReturn:
    """Interrupt whatever the main thread does."""
    signal.setitimer(signal.ITIMER_REAL, 0)
    arrived.set()
    raise Interrupted


def do_until_interrupted(turn: Turn, seconds: float) -> NoReturn:
    """Do something in *turn* over and over, until a signal comes after *seconds*."""
    arrived.clear()
    signal.setitimer(signal.ITIMER_REAL, seconds, 1)  # again: an interpreter may miss the signal of a busy moment
    while not arrived.is_set():
        turn.do(int)
    raise Interrupted  # where a finaliser was interrupted, the interpreter reports what the handler raises, and goes on


def test_one_thread_at_a_time_has_the_turn() -> None:
    """Another thread is turned away at once while the work is done, and has the turn afterwards."""
    turn, begun, release = Turn(), threading.Event(), threading.Event()

    def work() -> bool:
        begun.set()
        return release.wait(120)

    thread = threading.Thread(target=turn.do, args=(work,))
    thread.start()
    assert begun.wait(120)
    assert (turn.do(int), turn.is_mine) == (TAKEN, False)
    release.set()
    thread.join(120)
    assert turn.do(int) == 0


def test_whoever_interrupts_the_work_is_turned_away() -> None:
    """A call in the middle of the work, from a signal handler for instance, finds the turn taken, by its own thread."""
    turn = Turn()
    assert turn.do(lambda: (turn.do(int), turn.is_mine)) == (TAKEN, True)
    assert not turn.is_mine


def test_work_that_raises_gives_the_turn_back() -> None:
    """What the work raises is raised, and the next one has the turn."""
    turn = Turn()
    with pytest.raises(Interrupted):
        turn.do(interrupt)
    assert turn.do(int) == 0


def test_a_signal_handler_that_raises_never_costs_the_turn() -> None:
    """Wherever a handler comes in and raises, the next one has the turn."""
    turn = Turn()
    before = signal.signal(signal.SIGALRM, interrupt)
    gc.disable()  # what is raised in a finaliser goes nowhere
    try:
        for number in range(1_000):
            with pytest.raises(Interrupted):
                do_until_interrupted(turn, 0.00002 + number % 40 / 1_000_000)
            assert (turn.do(int), turn.is_mine) == (0, False)
    finally:
        gc.enable()
        signal.signal(signal.SIGALRM, before)
