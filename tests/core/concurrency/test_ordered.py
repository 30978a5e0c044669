"""Events are reported in the order in which they happened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.core.concurrency import InOrder
from oneiric.core.events import Event, RetryScheduled
from oneiric.core.observers import Observers

if TYPE_CHECKING:
    from collections.abc import Callable


def retry(source: str) -> RetryScheduled:
    """Return an event."""
    return RetryScheduled(source=source, operation="manifest")


class Recorder:
    """Keep what is reported, and call *during* each time."""

    name = "recorder"

    def __init__(self, during: Callable[[], object]) -> None:
        self.events: list[Event] = []
        self.during = during

    def receiver(self, _event_type: type[Event]) -> Callable[[Event], None]:
        """Take every event."""
        return self.take

    def take(self, event: Event) -> None:
        """Keep *event*."""
        self.during()
        self.events.append(event)


def test_a_receiver_that_makes_a_change_keeps_the_order() -> None:
    """What a receiver adds is reported after the event that it is in the middle of, before the first call returns."""
    observers, order = Observers(), InOrder[Event]()

    def change() -> None:
        recorder.during = bool
        order.put([retry("second")])
        order.hand_on(observers.notify)

    recorder = Recorder(change)
    observers.add(recorder)
    order.put([retry("first")])
    order.hand_on(observers.notify)
    assert recorder.events == [retry("first"), retry("second")]


def test_what_came_first_is_handed_on_first() -> None:
    """Things leave in the order in which they came."""
    order, taken = InOrder[int](), list[int]()
    order.put([1, 2])
    order.put([3])
    order.hand_on(taken.append)
    assert taken == [1, 2, 3]
