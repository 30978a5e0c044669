"""What a test asks for: a metric, a log event or a span, by its name and the values that matter."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from oneiric.testing import names
from oneiric.testing.names import UnknownSignalError, unknown
from oneiric.testing.spans import SPAN_PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oneiric.observability.model import Metric
    from oneiric.testing.names import Part, Shape
    from oneiric.testing.spans import SpanRecord

STATUSES = ("UNSET", "ERROR")
"""The statuses that a span of the runtime can end with."""


@dataclass(frozen=True, slots=True)
class Selector:
    """A name and the values wanted, by label, field or attribute; what is not named may be anything."""

    name: str
    wanted: Mapping[str, object]

    def __str__(self) -> str:
        inner = ", ".join(f"{key}={shown(value)}" for key, value in self.wanted.items())
        return f"{self.name}{{{inner}}}" if inner else self.name

    def differing(self, actual: Mapping[str, object]) -> list[str]:
        """Return which of the wanted values *actual* does not have."""
        return [key for key, value in self.wanted.items() if not agrees(value, actual.get(key))]


@dataclass(frozen=True, slots=True)
class MetricSelector(Selector):
    """Series of a metric: with fewer labels than the metric has, the sum over the others."""

    metric: Metric
    part: Part

    @property
    def sample(self) -> str:
        """The name of the samples meant; for a histogram as a whole, of its counts."""
        return f"{self.name}_count" if self.ambiguous else self.name

    @property
    def ambiguous(self) -> bool:
        """Whether a histogram is meant without saying which of its samples."""
        return self.metric.type == "histogram" and not self.part

    def refuse_if_ambiguous(self) -> None:
        """Raise :class:`UnknownSignalError` if this names no samples that have a value."""
        __tracebackhide__ = True
        if self.ambiguous:
            raise UnknownSignalError(
                f"{self.name} is a histogram: ask for {self.name}_count, {self.name}_sum or {self.name}_bucket"
            )


@dataclass(frozen=True, slots=True)
class EventSelector(Selector):
    """Lines of a log event."""

    def matches(self, line: Mapping[str, object]) -> bool:
        """Whether *line* is one of them."""
        return line.get("event") == self.name and not self.differing(line)


@dataclass(frozen=True, slots=True)
class SpanSelector(Selector):
    """Spans that ended."""

    def matches(self, span: SpanRecord) -> bool:
        """Whether *span* is one of them."""
        return span.name == self.name and not self.differing(span.facts)


def metric(name: str, /, **labels: object) -> MetricSelector:
    """Ask for a metric of the catalogue.

    Args:
        name: Its full name; of a histogram, that of its ``_count``, ``_sum`` or ``_bucket`` samples.
        labels: The values that matter; those not named are summed over. ``le`` of a bucket is a number or "+Inf".

    Raises:
        UnknownSignalError: The catalogue has no such metric, label or label value; the text has the nearest it has.
    """
    __tracebackhide__ = True
    if name not in names.samples():
        raise unknown("metric", name, names.samples())
    found, part = names.samples()[name]
    known = {label.name: frozenset(label.values) for label in found.labels}
    wanted = dict(labels)
    if part == "bucket":
        known["le"] = frozenset((*map(_bound, found.buckets), "+Inf"))
        if "le" not in wanted:
            raise UnknownSignalError(f"{name} needs le, the upper bound of the bucket: {_listed(known['le'])}")
        wanted["le"] = _bound(wanted["le"])
    for label, value in wanted.items():
        if label not in known:
            raise unknown(f"label of {name}", label, known)
        if not isinstance(value, str):
            raise UnknownSignalError(f"a label value is text: {label}={value!r} of {name} is {type(value).__name__}")
        _refuse_unless_in(known[label], f"{label} of {name}", value)
    return MetricSelector(name, wanted, found, part)


def event(name: str, /, **fields: object) -> EventSelector:
    """Ask for a log event of the catalogue.

    Args:
        name: What stands under ``event``.
        fields: The values that matter, as they are written: a plain value, something that compares equal
            (``pytest.approx``), a compiled pattern to be found in a text, or a function that says whether a value fits
            (not asked where there is none). None is a field that is absent or null.

    Raises:
        UnknownSignalError: The catalogue has no such event, field or value; the text has the nearest it has.
    """
    __tracebackhide__ = True
    if name not in names.log_events():
        raise unknown("log event", name, names.log_events())
    _check(names.log_events()[name], f"field of the log event {name}", fields)
    return EventSelector(name, dict(fields))


def span(name: str, /, *, status: str | None = None, **attributes: object) -> SpanSelector:
    """Ask for a span of the catalogue.

    Args:
        name: Its name.
        status: ``UNSET`` or ``ERROR``; None: either.
        attributes: The values that matter, by name with or without the prefix ``oneiric.``; see :func:`event`.

    Raises:
        UnknownSignalError: The catalogue has no such span, attribute or value; the text has the nearest it has.
    """
    __tracebackhide__ = True
    if name in names.span_events():
        raise UnknownSignalError(f"{name} is an event on the span that is current, not a span: ask for its log event")
    if name not in names.spans():
        raise unknown("span", name, names.spans())
    if status is not None and status not in STATUSES:
        raise unknown("status of a span", status, STATUSES)
    plain = {key.removeprefix(SPAN_PREFIX): value for key, value in attributes.items()}
    _check(names.spans()[name], f"attribute of the span {name}", plain)
    wanted = {} if status is None else {"status": status}
    return SpanSelector(name, wanted | {SPAN_PREFIX + key: value for key, value in plain.items()})


def agrees(wanted: object, actual: object) -> bool:
    """Whether *actual* is what is *wanted*; see :func:`event` for what can be wanted."""
    if isinstance(wanted, re.Pattern):
        return isinstance(actual, str) and wanted.search(actual) is not None
    if callable(wanted):
        return actual is not None and bool(wanted(actual))
    return wanted is actual if wanted is None or actual is None else bool(wanted == actual)


def shown(value: object) -> str:
    """Return *value* as a selector is written: texts in double quotes, functions by name."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if callable(value):
        return getattr(value, "__name__", repr(value))
    return repr(value)


def _bound(value: object) -> str:
    __tracebackhide__ = True
    if value == "+Inf":
        return "+Inf"
    try:
        bound = float(value)  # type: ignore[arg-type] # what is no number is refused
    except (TypeError, ValueError):
        raise UnknownSignalError(f"le is a number or '+Inf', not {value!r}") from None
    return "+Inf" if bound == float("inf") else str(bound)


def _check(shape: Shape, what: str, fields: Mapping[str, object]) -> None:
    __tracebackhide__ = True
    for name, value in fields.items():
        if name not in shape.fields:
            raise unknown(what, name, shape.fields)
        if isinstance(value, str) and name in shape.values:
            _refuse_unless_in(shape.values[name], f"{name}, {what}", value)


def _refuse_unless_in(allowed: frozenset[str], where: str, value: str) -> None:
    __tracebackhide__ = True
    if allowed and value not in allowed:
        raise unknown(f"value of {where}", value, allowed)


def _listed(values: frozenset[str]) -> str:
    return ", ".join(sorted(values, key=float))
