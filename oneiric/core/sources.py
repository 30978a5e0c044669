"""What telemetry can be attached to: whatever has one of these, the parts of a runtime among them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oneiric.core.events import Event, State
    from oneiric.core.observers import Observers


@runtime_checkable
class Observable(Protocol):
    """Whatever reports through an :class:`~oneiric.core.observers.Observers`."""

    @property
    def observers(self) -> Observers:
        """The seam it reports through."""


@runtime_checkable
class Stateful(Protocol):
    """Whatever can be asked, from any thread, what is so now."""

    def states(self) -> Iterable[State]:
        """Return the present states, quickly and without waiting for input or output."""


@runtime_checkable
class Replayable(Protocol):
    """Whatever can report to a late observer what it missed."""

    def replay(self) -> Iterable[Event]:
        """Return the events that made what is so now: a registration for each candidate, for instance."""
