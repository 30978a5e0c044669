"""The seam: dispatch, operations, isolation."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from oneiric.core.events import Event, Finished, HookFailed, Operation, Paused, Resumed, Swap
from oneiric.core.observers import Observers

if TYPE_CHECKING:
    from support import Clock, Recorder

    from oneiric.core.observers import Receiver

PAUSED = Paused(domain="adapter", key="cache")
SWAP = Swap(domain="adapter", key="cache")


class Late(Event, frozen=True, kw_only=True):
    """An event type of an application."""


@dataclass
class Wants:
    """An observer of one event type that does as it is told to."""

    event_type: type[Event]
    receive: Receiver
    asked: list[type[Event]] = field(default_factory=list)
    name: str = "wants"

    def receiver(self, event_type: type[Event]) -> Receiver | None:
        """Return what it was given for its type."""
        self.asked.append(event_type)
        return self.receive if event_type is self.event_type else None


@dataclass
class Steps:
    """A scope that writes down what happens to it, and raises where it is told to."""

    name: str
    steps: list[str]
    broken: str = ""

    def __call__(self, _: Operation) -> Steps:
        """Begin."""
        return self._step("start")

    def finished(self, finished: Finished) -> None:
        """Write down the outcome."""
        self._step(f"finished {finished.outcome}")

    def close(self) -> None:
        """Write down the end."""
        self._step("close")

    def _step(self, what: str) -> Steps:
        self.steps.append(f"{self.name} {what}")
        if self.broken and what.startswith(self.broken):
            raise RuntimeError("broken scope")
        return self


def _broken(_: Event) -> None:
    raise RuntimeError("broken receiver")


def _settle_then_cancel(observers: Observers) -> None:
    with observers.operation(SWAP) as running:
        running.settle("success")
        raise asyncio.CancelledError


def test_an_event_reaches_only_who_wants_its_type(observers: Observers) -> None:
    """An observer is told of the event types that it gave a receiver for, and of no other."""
    told: list[Event] = []
    observers.add(Wants(Paused, told.append))
    observers.notify(PAUSED)
    observers.notify(Resumed(domain="adapter", key="cache"))
    assert told == [PAUSED]
    assert [observers.wants(Paused), observers.wants(Resumed)] == [True, False]


def test_an_observer_is_asked_once_for_a_type(observers: Observers) -> None:
    """Dispatch asks an observer when it is added, never per event."""
    observer = Wants(Paused, lambda _: None)
    observers.add(observer)
    asked = len(observer.asked)
    observers.notify(PAUSED)
    observers.notify(PAUSED)
    assert (asked, observer.asked.count(Paused)) == (len(observer.asked), 1)


def test_an_event_type_defined_later_is_dispatched(observers: Observers) -> None:
    """An event type that did not exist when the observer was added is asked for when it first occurs."""

    class VeryLate(Event, frozen=True, kw_only=True):
        pass

    told: list[Event] = []
    observers.add(Wants(VeryLate, told.append))
    observers.notify(VeryLate())
    assert told == [VeryLate()]


def test_adding_and_removing_are_idempotent(observers: Observers, recorder: Recorder) -> None:
    """An observer added twice is told once; removed twice, it is just gone."""
    remove = observers.add(recorder)
    observers.notify(PAUSED)
    remove()
    remove()
    observers.notify(PAUSED)
    assert recorder.told == [PAUSED]
    assert observers.attached == ()


def test_refresh_asks_again(observers: Observers) -> None:
    """After a refresh an observer's new answer holds."""
    observer = Wants(Resumed, lambda _: None)
    observers.add(observer)
    observer.event_type = Paused
    observers.refresh()
    assert [observers.wants(Paused), observers.wants(Resumed)] == [True, False]


def test_a_raising_receiver_is_reported_and_hides_nothing(observers: Observers, recorder: Recorder) -> None:
    """A receiver's error becomes HookFailed with its sink's name; the others are told all the same."""
    observers.add(Wants(Paused, _broken))
    observers.notify(PAUSED)
    failed = HookFailed(sink="wants", error_type="RuntimeError", error="broken receiver")
    assert recorder.told == [PAUSED, failed]


def test_a_receiver_of_failures_that_fails_is_the_end_of_it(observers: Observers) -> None:
    """A receiver that raises for HookFailed itself starts no recursion."""
    observers.add(Wants(HookFailed, _broken))
    observers.notify(HookFailed(sink="x", error_type="", error=""))


def test_an_observer_that_always_fails_starts_no_chain(observers: Observers, recorder: Recorder) -> None:
    """One event that a broken observer fails on is one failure told, though telling it makes others report too."""

    def report_more(_: Event) -> None:
        observers.notify(Resumed(domain="adapter", key="cache"))

    class Hopeless:
        name = "hopeless"

        def receiver(self, _: type[Event]) -> Receiver:
            return _broken

    observers.add(Wants(HookFailed, report_more))
    observers.add(Hopeless())
    observers.notify(PAUSED)
    assert [event.sink for event in recorder.of(HookFailed)] == ["hopeless"]
    observers.notify(PAUSED)
    assert len(recorder.of(HookFailed)) == 2


def test_an_old_remover_does_not_touch_an_observer_added_again(observers: Observers, recorder: Recorder) -> None:
    """A remover acts once; an observer that was added again stays."""
    remove = observers.add(recorder)
    remove()
    observers.add(recorder)
    remove()
    assert observers.attached == (recorder,)


def test_a_receiver_cannot_cancel_what_it_watches(observers: Observers, recorder: Recorder) -> None:
    """A CancelledError raised by a receiver stays in it."""

    def cancel(_: Event) -> None:
        raise asyncio.CancelledError

    observers.add(Wants(Paused, cancel))
    observers.notify(PAUSED)
    assert [event.error_type for event in recorder.of(HookFailed)] == ["CancelledError"]


def test_an_interrupt_passes(observers: Observers) -> None:
    """Ctrl-C that arrives while a receiver runs is not swallowed."""

    def interrupt(_: Event) -> None:
        raise KeyboardInterrupt

    observers.add(Wants(Paused, interrupt))
    with pytest.raises(KeyboardInterrupt):
        observers.notify(PAUSED)


def test_an_observer_that_cannot_answer_wants_nothing(observers: Observers, recorder: Recorder) -> None:
    """An observer whose receiver() raises is reported and left out of that type."""

    class Broken:
        name = "broken"

        def receiver(self, event_type: type[Event]) -> Receiver | None:
            if event_type is Paused:
                raise LookupError("no answer")
            return None

    observers.add(Broken())
    observers.notify(PAUSED)
    assert [*recorder.of(HookFailed)] == [HookFailed(sink="broken", error_type="LookupError", error="no answer")]
    assert recorder.of(Paused) == [PAUSED]


def test_an_operation_is_measured_once(clock: Clock) -> None:
    """Every scope reads the same duration and the fields its body filled in."""
    observers = Observers(clock=clock)
    endings: list[Finished] = []

    class Keeps(Steps):
        def finished(self, finished: Finished) -> None:
            endings.append(finished)

    for name in "ab":
        observers.add(Wants(Swap, Keeps(name, [])))
    with observers.operation(SWAP) as running:
        clock.advance(2.5)
        running.update(provider="redis")
    expected = Finished(
        operation=Swap(domain="adapter", key="cache", provider="redis"), outcome="success", duration=2.5
    )
    assert endings == [expected, expected]


def test_every_scope_hears_the_end_before_any_is_closed(observers: Observers) -> None:
    """A log line is written while the span is still current, whatever the order of the observers."""
    steps: list[str] = []
    observers.add(Wants(Swap, Steps("span", steps)))
    observers.add(Wants(Swap, Steps("log", steps)))
    with observers.operation(SWAP):
        steps.append("body")
    assert steps == [
        "span start",
        "log start",
        "body",
        "span finished success",
        "log finished success",
        "log close",
        "span close",
    ]


@pytest.mark.parametrize("broken", ["start", "finished", "close"])
def test_a_raising_scope_masks_nothing(observers: Observers, recorder: Recorder, broken: str) -> None:
    """A scope that raises at any step is reported; the body's own error arrives, and the other scopes end."""
    steps: list[str] = []
    observers.add(Wants(Swap, Steps("bad", steps, broken), name="bad"))
    observers.add(Wants(Swap, Steps("good", steps)))
    with pytest.raises(ZeroDivisionError), observers.operation(SWAP):
        raise ZeroDivisionError
    assert [event.sink for event in recorder.of(HookFailed)] == ["bad"]
    assert [step for step in steps if step.startswith("good")] == ["good start", "good finished failed", "good close"]


def test_an_error_is_told_redacted(observers: Observers, recorder: Recorder) -> None:
    """The ending of a failed operation has the error's type and its text without credentials."""
    with pytest.raises(ValueError, match="hunter2"), observers.operation(SWAP):
        raise ValueError("password=hunter2")
    assert recorder.ended[0].outcome == "failed"
    assert (recorder.ended[0].reason, recorder.ended[0].error_type) == ("other", "ValueError")
    assert recorder.ended[0].error == "password=***"


def test_cancellation_is_an_outcome(observers: Observers, recorder: Recorder) -> None:
    """A cancelled body ends as cancelled, without an error, and the cancellation goes on."""
    with pytest.raises(asyncio.CancelledError), observers.operation(SWAP):
        raise asyncio.CancelledError
    assert [(end.outcome, end.reason, end.error_type) for end in recorder.ended] == [("cancelled", "cancelled", "")]


def test_a_settled_outcome_stands(observers: Observers, recorder: Recorder) -> None:
    """What is raised after the outcome was settled changes it no more, and is not reported as its error."""
    with pytest.raises(asyncio.CancelledError):
        _settle_then_cancel(observers)
    assert [(end.outcome, end.error_type) for end in recorder.ended] == [("success", "")]


def test_a_failure_need_not_raise(observers: Observers, recorder: Recorder) -> None:
    """A body can report a failure with its reason and error and end normally."""
    with observers.operation(SWAP) as running:
        running.fail("health", ValueError("no"))
    assert [(end.outcome, end.reason, end.error) for end in recorder.ended] == [("failed", "health", "no")]


def test_an_unknown_field_is_reported_and_the_body_goes_on(observers: Observers, recorder: Recorder) -> None:
    """Filling in a field that the operation does not have is told as a failure of the seam, and changes nothing."""
    with observers.operation(SWAP) as running:
        running.update(colour="red")
        running.update(provider="redis")
    assert [(failed.sink, failed.error_type) for failed in recorder.of(HookFailed)] == [("seam", "TypeError")]
    assert [getattr(end.operation, "provider", "") for end in recorder.ended] == ["redis"]


@pytest.mark.parametrize("wrong", [None, "event", object(), 7])
def test_what_is_no_event_is_reported_and_not_raised(observers: Observers, recorder: Recorder, wrong: Any) -> None:
    """To tell something that is no event, or to run something that is no operation, harms nobody who does."""
    observers.notify(wrong)
    with observers.operation(wrong):
        pass
    assert {failed.sink for failed in recorder.of(HookFailed)} == {"seam"}
    assert len(recorder.of(HookFailed)) == 2
