"""Getters compiled from field names: how sinks take label values and log fields out of events."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeAlias

from oneiric.core.events import Operation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from oneiric.core.events import Event, State

Getter: TypeAlias = "Callable[[Any], Any]"


def path_of(event_type: type[Event | State], name: str) -> str:
    """Return the attribute path of field *name*; an operation is read from the record of how it finished."""
    if not issubclass(event_type, Operation):
        return name
    return f"operation.{name}" if name in event_type.__struct_fields__ else name


def getter(event_type: type[Event | State], name: str) -> Getter:
    """Return what reads field *name*; ``duration_ms`` is the duration in milliseconds, to the microsecond."""
    if name == "duration_ms":
        return lambda event: round(event.duration * 1000.0, 3)
    return attrgetter(path_of(event_type, name))


def label_values(event_type: type[Event | State], names: Sequence[str], const: Mapping[str, str]) -> Getter:
    """Return what makes the tuple of the values of labels *names*, those in *const* being fixed."""
    if const:
        parts = [(const.get(name), None if name in const else getter(event_type, name)) for name in names]
        return lambda event: tuple([fixed if get is None else get(event) for fixed, get in parts])
    if not names:
        return lambda event: ()  # noqa: ARG005 - has the form of the other getters
    get = attrgetter(*(path_of(event_type, name) for name in names))
    return get if len(names) > 1 else lambda event: (get(event),)
