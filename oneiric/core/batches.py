"""Tell a fact that is repeated very often: its durations are put into a list, and counted some hundreds at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable

    from oneiric.core.events import Event

BATCH_SIZE: Final = 256
"""Durations that are put together before they are counted."""


class Batch(Protocol):
    """Where the durations of one repeated event are put.

    Attributes:
        durations: Appended to, seconds; None: nobody counts from here any more, the event has to be told.
    """

    durations: list[float] | None

    def full(self) -> None:
        """Count what is there, once there are BATCH_SIZE durations; never raises, and waits only where very many do."""


@runtime_checkable
class Batching(Protocol):
    """A receiver that can do with the durations of a repeated event."""

    def batch(self, event: Event) -> Batch | None:
        """Return where to put the durations of events that equal *event* otherwise, or None to be told each of them."""


@runtime_checkable
class Occasional(Protocol):
    """A receiver that has use for an event at certain times only."""

    def when(self) -> object:
        """Whether it has now; cheap, asked before each event that is put into a batch otherwise."""


class Told:
    """A batch that takes nothing: the event has to be told each time."""

    durations: None = None

    def full(self) -> None:
        """Do nothing."""


TOLD: Final = Told()


class Teller:
    """How repetitions of one event are told, for as long as *audience* listens.

    Attributes:
        audience: Who listened when this was made.
        batch: Where durations go.
        when: Whether the event has to be told all the same; None: never.
    """

    __slots__ = ("audience", "batch", "when")

    def __init__(self, audience: object, batch: Batch | Told, when: Callable[[], object] | None) -> None:
        self.audience = audience
        self.batch = batch
        self.when = when


UNMADE: Final = Teller(None, TOLD, None)
"""Stands for a teller that has yet to be made."""
