"""Which fields a log event carries, and what takes their values out of an event."""

from __future__ import annotations

from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from oneiric.core.events import Operation
from oneiric.core.logging import EventFields
from oneiric.observability.fields import path_of
from oneiric.observability.model import COMPONENT_FIELDS, ERROR_FIELDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oneiric.core.events import Event, State
    from oneiric.observability.fields import Getter
    from oneiric.observability.model import Log, Signal


def log_values(signal: Signal, log: Log) -> tuple[EventFields, Getter, Getter]:
    """Return the fields of *log*, what makes the tuple of their values, and what makes that of the error's.

    First come the common ones, then its own; those of an error, which are "" where there was none, come last.
    """
    timed = "duration_ms" in log.fields
    errors = [name for name in ERROR_FIELDS if name in signal.fields]
    common = [name for name in COMPONENT_FIELDS if name in signal.fields]
    further = [name for name in log.fields if name not in {*common, *errors, "duration_ms"}]
    own = [name for name in further if _is_own(signal.event, name)]
    ended = [name for name in further if name not in own]
    names = (*common, *own, *log.const, *ended, *(["duration_ms"] if timed else []))
    parts = [_taken_from_subject(signal, common + own), *([lambda _: tuple(log.const.values())] if log.const else [])]
    parts += [getter for getter in (_tuple_of(ended) if ended else None, _milliseconds if timed else None) if getter]
    return EventFields(names, tuple(errors), optional=len(common)), _joined(parts), _tuple_of(errors)


def _is_own(event_type: type[Event | State], name: str) -> bool:
    """Whether *name* is read from the event itself, not from how an operation ended."""
    return not issubclass(event_type, Operation) or path_of(event_type, name) != name


def _taken_from_subject(signal: Signal, names: Sequence[str]) -> Getter:
    """Return what takes *names* from the event, of an operation from that; twice as fast as a dotted path for each."""
    take = _tuple_of(names)
    return (lambda event: take(event.operation)) if issubclass(signal.event, Operation) else take


def _milliseconds(event: Any) -> tuple[float]:
    return (round(event.duration * 1000.0, 3),)


def _joined(parts: Sequence[Getter]) -> Getter:
    if len(parts) == 1:
        return parts[0]
    if len(parts) == 2:  # noqa: PLR2004 - what most events need
        first, second = parts
        return lambda event: first(event) + second(event)
    return lambda event: tuple(chain.from_iterable(part(event) for part in parts))


def _tuple_of(names: Sequence[str]) -> Getter:
    if not names:
        return lambda _event: ()
    get = attrgetter(*names)
    return get if len(names) > 1 else lambda event: (get(event),)
