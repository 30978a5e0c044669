"""Foreign code that hangs is waited for only so long, and asked again only when it has come back."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeAlias

import pytest

from oneiric.observability.metrics import CallTimeout

if TYPE_CHECKING:
    from collections.abc import Callable

Calls: TypeAlias = "list[tuple[str, Callable[[], object]]]"


@pytest.fixture
def gate() -> threading.Event:
    """What a hanging call waits for."""
    return threading.Event()


def test_outcomes_come_in_order() -> None:
    """What is returned, and what is raised, even to end the interpreter, comes back under its key."""

    def raises(error: BaseException) -> int:
        raise error

    wrong, ending = LookupError("gone"), SystemExit(3)
    calls: Calls = [("a", lambda: 1), ("b", lambda: raises(wrong)), ("c", lambda: raises(ending)), ("d", lambda: 4)]
    assert list(CallTimeout[str, object]().call(calls)) == [("a", 1), ("b", wrong), ("c", ending), ("d", 4)]


def test_a_call_that_hangs_costs_itself_only(gate: threading.Event) -> None:
    """The calls after a hanging one are made; while it hangs it is not made again, and no further thread hangs."""
    timeout = CallTimeout[str, object](seconds=0.05)
    calls: Calls = [("hanging", gate.wait), ("good", lambda: "good")]
    before = threading.active_count()
    for _ in range(5):
        (_, hung), good = timeout.call(calls)
        assert (type(hung), good) == (TimeoutError, ("good", "good"))
        assert threading.active_count() <= before + 2
    gate.set()
    for thread in threading.enumerate():
        if thread.name == "oneiric-collect":
            thread.join(120)
    assert list(timeout.call(calls)) == [("hanging", True), ("good", "good")]


def test_a_call_that_comes_back_late_is_the_last_of_its_thread(gate: threading.Event) -> None:
    """What was to be called after a hanging call is called once, not again when that returns."""
    timeout, called = CallTimeout[str, object](seconds=0.05), []
    list(timeout.call([("hanging", gate.wait), ("good", lambda: called.append(1))]))
    gate.set()
    for thread in threading.enumerate():
        if thread.name == "oneiric-collect":
            thread.join(120)
    assert called == [1]
