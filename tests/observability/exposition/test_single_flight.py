"""Computing once what many ask for at the same time."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from oneiric.core.concurrency import Background
from oneiric.core.concurrency.background import MAX_WAITING
from oneiric.observability.exposition import single_flight
from oneiric.observability.exposition.single_flight import CROWD, SingleFlight

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from support import Clock

PATIENCE = 60.0  # seconds after which a test that waits has failed


class Gate:
    """A computation that counts, and waits at a gate where told to."""

    def __init__(self, *, is_open: bool = True, takes: Callable[[], None] = lambda: None) -> None:
        self.takes = takes
        self.gate = threading.Event()
        self.entered = threading.Semaphore(0)
        self.batches: list[set[str]] = []
        if is_open:
            self.gate.set()

    def __call__(self, keys: Iterable[str]) -> dict[str, str]:
        """Return, for each key, itself and the number of the computation."""
        self.batches.append(set(keys))
        number = len(self.batches)
        self.takes()
        self.entered.release()
        assert self.gate.wait(PATIENCE)
        return {key: f"{key}{number}" for key in keys}

    def await_entry(self) -> None:
        """Wait until a computation has begun."""
        assert self.entered.acquire(timeout=PATIENCE)


def test_a_value_is_computed_for_who_asks() -> None:
    """Each sequential asker gets a value of his own time."""
    flights = SingleFlight(Gate(), name="test", timeout=PATIENCE, reuse=PATIENCE)
    assert [flights.ask("a").result(PATIENCE) for _ in range(2 * CROWD)] == [f"a{n}" for n in range(1, 2 * CROWD + 1)]


def test_who_asks_during_a_computation_gets_the_next() -> None:
    """What began before somebody asked is not given to him; all who wait for the next share it."""
    compute = Gate(is_open=False)
    flights = SingleFlight(compute, name="test", timeout=PATIENCE, reuse=PATIENCE)
    first = flights.ask("a")
    compute.await_entry()
    later = [flights.ask(key) for key in "aab"]
    compute.gate.set()
    assert first.result(PATIENCE) == "a1"
    assert [future.result(PATIENCE) for future in later] == ["a2", "a2", "b2"]
    assert compute.batches == [{"a"}, {"a", "b"}]


def crowd(flights: SingleFlight[str, str], compute: Gate) -> list[str]:
    """Return what a crowd got that waited for its computation to begin."""
    compute.gate.clear()
    first = flights.ask("first")
    compute.await_entry()
    waiting = [flights.ask("a") for _ in range(CROWD)]
    compute.gate.set()
    first.result(PATIENCE)
    compute.await_entry()
    return [future.result(PATIENCE) for future in waiting]


def test_a_value_for_a_crowd_is_given_again_for_a_while(clock: Clock) -> None:
    """For its time it is given to those who come later, and not for longer."""
    compute = Gate()
    flights = SingleFlight(compute, name="test", timeout=PATIENCE, reuse=0.1, clock=clock)
    assert crowd(flights, compute) == ["a2"] * CROWD
    clock.advance(0.0999)
    assert flights.ask("a").result(PATIENCE) == "a2"
    clock.advance(0.0002)
    assert flights.ask("a").result(PATIENCE) == "a3"


def test_a_value_for_a_crowd_may_not_be_given_again(clock: Clock) -> None:
    """Without reuse everybody gets a value of his own time."""
    compute = Gate()
    flights = SingleFlight(compute, name="test", timeout=PATIENCE, clock=clock)
    assert crowd(flights, compute) == ["a2"] * CROWD
    assert flights.ask("a").result(PATIENCE) == "a3"


def test_a_crowd_does_not_wait_for_the_next_value(clock: Clock) -> None:
    """The next value is computed before the time of the last one is over, which is given until then."""
    compute = Gate(takes=lambda: clock.advance(0.03))
    flights = SingleFlight(compute, name="test", timeout=PATIENCE, reuse=0.1, clock=clock)
    crowd(flights, compute)
    clock.advance(0.05)
    compute.gate.clear()
    assert {flights.ask("a").result(0) for _ in range(CROWD)} == {"a2"}
    compute.await_entry()
    clock.advance(0.06)
    late = flights.ask("a").result(0)
    compute.gate.set()
    assert late == "a2"
    assert flights.ask("b").result(PATIENCE) == "b4"
    assert flights.ask("a").result(0) == "a3"
    assert compute.batches == [{"first"}, {"a"}, {"a"}, {"b"}]


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit("no")])
def test_what_a_computation_raises_belongs_to_who_asked(error: BaseException) -> None:
    """It is raised by the future, and the next one who asks is served."""
    broken = True

    def compute(keys: Iterable[str]) -> dict[str, str]:
        if broken:
            raise error
        return dict.fromkeys(keys, "fine")

    flights = SingleFlight(compute, name="test", timeout=PATIENCE)
    with pytest.raises(type(error), match="no"):
        flights.ask("a").result(PATIENCE)
    broken = False
    assert flights.ask("a").result(PATIENCE) == "fine"


def test_nobody_waits_behind_a_computation_that_hangs(clock: Clock) -> None:
    """Who asks while one hangs is told at once, and is served again when it has ended."""
    compute = Gate(is_open=False)
    flights = SingleFlight(compute, name="test", timeout=5.0, clock=clock)
    first = flights.ask("a")
    compute.await_entry()
    clock.advance(5.1)
    with pytest.raises(TimeoutError, match="no end after 5 s"):
        flights.ask("a").result(0)
    compute.gate.set()
    assert first.result(PATIENCE) == "a1"
    assert flights.ask("a").result(PATIENCE) == "a2"


def test_what_a_computation_leaves_out_is_computed_first_the_next_time() -> None:
    """Who asked for it gets it then, before those who asked later."""
    batches: list[list[str]] = []
    entered, gate = threading.Event(), threading.Event()

    def compute(keys: Iterable[str]) -> dict[str, str]:
        batches.append(list(keys))
        entered.set()
        assert gate.wait(PATIENCE)
        return dict.fromkeys(batches[-1][:1], "value")

    flights = SingleFlight(compute, name="test", timeout=PATIENCE)
    futures = [flights.ask("first")]
    assert entered.wait(PATIENCE)
    futures += [flights.ask(key) for key in "abbc"]
    gate.set()
    assert [future.result(PATIENCE) for future in futures] == ["value"] * 5
    assert batches == [["first"], ["a", "b", "c"], ["b", "c"], ["c"]]


def test_what_is_left_out_is_not_waited_for_without_end(clock: Clock) -> None:
    """Who waited for his turn for the whole time is told, and is in nobody's way any more."""
    batches: list[list[str]] = []

    def compute(keys: Iterable[str]) -> dict[str, str]:
        batches.append(list(keys))
        clock.advance(3)
        return {key: "value" for key in batches[-1] if key != "never"}

    flights = SingleFlight(compute, name="test", timeout=5.0, clock=clock)
    with pytest.raises(TimeoutError, match="no end after 5 s"):
        flights.ask("never").result(PATIENCE)
    assert flights.ask("a").result(PATIENCE) == "value"
    assert batches == [["never"], ["never"], ["a"]]


def test_so_many_keys_may_wait() -> None:
    """Who asks for one more is told at once, who asks for one of them is served."""
    compute = Gate(is_open=False)
    flights = SingleFlight(compute, name="test", timeout=PATIENCE)
    flights.ask("first")
    compute.await_entry()
    waiting = [flights.ask(str(number)) for number in range(single_flight.MAX_WAITING)]
    with pytest.raises(TimeoutError, match="others wait"):
        flights.ask("one more").result(0)
    waiting.append(flights.ask("0"))
    compute.gate.set()
    assert [future.result(PATIENCE)[-1] for future in waiting] == ["2"] * (single_flight.MAX_WAITING + 1)


def test_no_thread_is_left() -> None:
    """The thread ends when nobody waits."""
    before = set(threading.enumerate())
    flights = SingleFlight(Gate(), name="test", timeout=PATIENCE)
    flights.ask("a").result(PATIENCE)
    for thread in set(threading.enumerate()) - before:
        thread.join(PATIENCE)
    assert set(threading.enumerate()) == before


def test_without_threads_who_asks_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no thread can be started, the future raises that; once one can, it is served."""
    flights = SingleFlight(Gate(), name="test", timeout=PATIENCE)
    background = Background("test")
    done = threading.Event()
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            flights.ask("a").result(PATIENCE)
        background.call(done.set)
    assert flights.ask("a").result(PATIENCE) == "a1"
    background.call(done.set)
    assert done.wait(PATIENCE)


def refuse(_thread: threading.Thread) -> None:
    """Start nothing."""
    raise RuntimeError("can't start new thread")


def test_what_waits_in_the_background_is_bounded_and_isolated() -> None:
    """A call that hangs lets so many wait and no more; one that raises does not stop the others."""
    background, gate, called = Background("test"), threading.Event(), threading.Semaphore(0)
    entered = threading.Event()

    def hang() -> None:
        entered.set()
        gate.wait(PATIENCE)
        raise OSError

    background.call(hang)
    assert entered.wait(PATIENCE)
    for _ in range(MAX_WAITING + 50):
        background.call(called.release)
    gate.set()
    assert all(called.acquire(timeout=PATIENCE) for _ in range(MAX_WAITING))
    assert not called.acquire(timeout=0.05)
