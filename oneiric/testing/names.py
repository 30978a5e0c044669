"""What the catalogue has names for, and the nearest name to one that it has not."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

from oneiric.core.events import Finished, Operation
from oneiric.observability.catalogue import CATALOGUE, SINK
from oneiric.observability.logs import LOGGER_PREFIX
from oneiric.observability.model import (
    COMPONENT_FIELDS,
    ENDED,
    ERROR_FIELDS,
    LINE_FIELDS,
    Log,
    Metric,
    Read,
    Signal,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Part = Literal["", "count", "sum", "bucket"]
"""Which samples of a metric are meant; "" for a histogram means that it was observed at all."""

_OPEN = frozenset({SINK.name})  # the catalogue lists our own; an application's observers have names of their own
_NOT_ASKED = frozenset({"event", "suppressed"})  # the name that is looked up, and what no test can foresee
_SIMILAR = 0.5


class UnknownSignalError(ValueError):
    """A test names a metric, log event, span, label, field or value that the catalogue does not have."""

    __module__ = "oneiric.testing"  # where it is to be had, which failures show


@dataclass(frozen=True, slots=True)
class Shape:
    """What can be asked of a log event or a span: its fields, and the values of those that are enumerated."""

    fields: frozenset[str]
    values: Mapping[str, frozenset[str]]


def unknown(what: str, name: object, known: Iterable[str]) -> UnknownSignalError:
    """Return the error that there is no *what* called *name*, with what comes nearest among *known*."""
    names = sorted(set(known))
    near = get_close_matches(str(name), names, n=3, cutoff=_SIMILAR)
    if near:
        return UnknownSignalError(f"no {what} {name!r}; nearest: {', '.join(near)}")
    return UnknownSignalError(f"no {what} {name!r}; there are: {', '.join(names) or 'none'}")


@cache
def samples() -> dict[str, tuple[Metric, Part]]:
    """Return, by every name that a sample or a metric has, the metric and the part of it that is meant."""
    found: dict[str, tuple[Metric, Part]] = {}
    parts: tuple[Part, ...] = ("count", "sum", "bucket")
    for metric in CATALOGUE.metrics:
        found[metric.name] = metric, ""
        if metric.type == "histogram":
            found.update({f"{metric.name}_{part}": (metric, part) for part in parts})
    return found


@cache
def log_events() -> dict[str, Shape]:
    """Return the shape of each log event, by its name."""
    shapes: dict[str, list[Shape]] = {}
    for signal, log in CATALOGUE.log_events:
        shapes.setdefault(log.name, []).append(_log_shape(signal, log))
    return {name: _united(same) for name, same in shapes.items()}


@cache
def spans() -> dict[str, Shape]:
    """Return the shape of each span, by its name; attributes go by the names of the operation's fields."""
    return {s.span: _span_shape(s) for s in CATALOGUE.signals if s.span and issubclass(s.event, Operation)}


@cache
def span_events() -> frozenset[str]:
    """Return the names of what is an event on the span that is current, and no span."""
    return frozenset(s.span for s in CATALOGUE.signals if s.span) - spans().keys()


def _log_shape(signal: Signal, log: Log) -> Shape:
    common = {*COMPONENT_FIELDS, *ERROR_FIELDS} & signal.fields
    fields = frozenset({*common, *log.fields, *log.const, *LINE_FIELDS}) - _NOT_ASKED
    values = _enumerated(signal, log.on or ENDED)
    values.update({name: frozenset({value}) for name, value in log.const.items()})
    values.update(level=frozenset({log.level}), logger=frozenset({LOGGER_PREFIX + signal.area}))
    return Shape(fields, {name: allowed for name, allowed in values.items() if name in fields})


def _span_shape(signal: Signal) -> Shape:
    values = _enumerated(signal, ENDED) | _literals(Finished)
    fields = frozenset({*signal.event.__struct_fields__, "outcome", "reason"})
    return Shape(fields, {name: allowed for name, allowed in values.items() if name in fields})


def _enumerated(signal: Signal, phases: Iterable[str]) -> dict[str, frozenset[str]]:
    """Return the values of fields that a label enumerates in all *phases*, or that the event's own type does."""
    values = _literals(signal.event)
    for binding in signal.metrics:
        if isinstance(binding, Read) or not set(phases) <= set(binding.on):
            continue
        for label in binding.metric.labels:
            if label.values and label.name not in binding.const and label.name not in _OPEN:
                values[label.name] = frozenset(label.values)
    return values


def _literals(record: type[Any]) -> dict[str, frozenset[str]]:
    hints = get_type_hints(record)
    return {name: frozenset(get_args(hint)) for name, hint in hints.items() if get_origin(hint) is Literal}


def _united(shapes: list[Shape]) -> Shape:
    """Return the shape of a log event that several signals write: a field is enumerated only if it is in all."""
    fields = frozenset().union(*(shape.fields for shape in shapes))
    values = {}
    for name in fields:
        having = [shape.values.get(name) for shape in shapes if name in shape.fields]
        known = [allowed for allowed in having if allowed is not None]
        if len(known) == len(having):
            values[name] = frozenset().union(*known)
    return Shape(fields, values)
