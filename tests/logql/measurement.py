"""Answering metric queries at one point in time: what Loki would count, measure and compare."""

from __future__ import annotations

import math
import re
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from logql.arithmetic import combined
from logql.lines import ERROR
from logql.selection import select

from oneiric.monitoring.notation.logql import (
    Binary,
    Duration,
    LabelReplace,
    LogQLError,
    Number,
    RangeAggregation,
    Unwrap,
    Variable,
    VectorAggregation,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from logql.lines import Entry, Line

    from oneiric.monitoring.notation.logql import Grouping, MetricQuery

Labels: TypeAlias = frozenset[tuple[str, str]]
Vector: TypeAlias = dict[Labels, float]


@dataclass(frozen=True, slots=True)
class Sample:
    """A value of a line, with what the line weighs."""

    seconds: float
    value: float
    size: int


def measure(query: MetricQuery, lines: Iterable[Line], *, at: float) -> Vector | float:
    """Return what *query* says of *lines* at the time *at*, in seconds: a value for each set of labels, or a number.

    Raises:
        LogQLError: It needs what only Loki itself can answer, or a line could not be read as the query wants.
    """
    return _measure(query, tuple(lines), at)


def _measure(query: MetricQuery, lines: Sequence[Line], at: float) -> Vector | float:
    if isinstance(query, Number):
        return query.value
    if isinstance(query, RangeAggregation):
        return _range(query, lines, at)
    if isinstance(query, VectorAggregation):
        return _aggregate(query, _vector(query.operand, lines, at))
    if isinstance(query, Binary):
        return combined(query, _measure(query.left, lines, at), _measure(query.right, lines, at))
    if isinstance(query, LabelReplace):
        return _relabelled(query, _vector(query.operand, lines, at))
    return {frozenset(): query.value.value}


def _vector(query: MetricQuery, lines: Sequence[Line], at: float) -> Vector:
    found = _measure(query, lines, at)
    if isinstance(found, float):
        raise LogQLError(query.start, "is a number, and must be series")
    return found


def _span(duration: Duration | Variable | None) -> float:
    if isinstance(duration, Variable):
        raise LogQLError(duration.start, f"{duration.text} must be replaced before the query is answered")
    return duration.seconds if duration else 0.0


def _range(query: RangeAggregation, lines: Sequence[Line], at: float) -> Vector:
    length = _span(query.operand.duration)
    end = at - _span(query.operand.offset)
    found: dict[Labels, list[Sample]] = {}
    for entry in select(query.operand.query, [line for line in lines if end - length < line.seconds <= end]):
        labels = _checked(entry, query)
        sample = Sample(entry.line.seconds, entry.value, len(entry.text.encode()))
        found.setdefault(labels, []).append(sample)
    if query.function == "absent_over_time":
        return {} if found else {_expected(query): 1.0}
    reduce = _reduction(query, length)
    return {labels: reduce(sorted(samples, key=lambda sample: sample.seconds)) for labels, samples in found.items()}


def _checked(entry: Entry, query: RangeAggregation) -> Labels:
    labels = entry.labels
    if ERROR in labels:
        reason = f'a line has {ERROR}="{labels[ERROR]}"; `| {ERROR}=""` leaves such lines out'
        raise LogQLError(query.start, reason)
    return _grouped(labels, query.grouping) if query.grouping else frozenset(labels.items())


def _grouped(labels: Mapping[str, str], grouping: Grouping | None) -> Labels:
    names = {name.text for name in grouping.labels} if grouping else set()
    stays = grouping is not None and grouping.kind == "without"
    return frozenset((name, value) for name, value in labels.items() if (name in names) != stays)


def _expected(query: RangeAggregation) -> Labels:
    matchers = query.operand.query.selector.matchers
    return frozenset((matcher.name.text, matcher.value.value) for matcher in matchers if matcher.operator == "=")


def _reduction(query: RangeAggregation, length: float) -> Callable[[list[Sample]], float]:
    if query.function == "rate":
        unwrapped = any(isinstance(stage, Unwrap) for stage in query.operand.query.stages)
        return lambda samples: (sum(s.value for s in samples) if unwrapped else len(samples)) / length
    if query.function == "bytes_rate":
        return lambda samples: sum(s.size for s in samples) / length
    if query.function == "quantile_over_time":
        rank = query.parameter.value if query.parameter else 0.0
        return lambda samples: quantile(rank, [s.value for s in samples])
    if query.function not in _REDUCTIONS:
        raise LogQLError(query.start, f"{query.function} is for Loki itself to answer")
    return _REDUCTIONS[query.function]


_REDUCTIONS: dict[str, Callable[[list[Sample]], float]] = {
    "count_over_time": lambda samples: float(len(samples)),
    "bytes_over_time": lambda samples: float(sum(s.size for s in samples)),
    "sum_over_time": lambda samples: math.fsum(s.value for s in samples),
    "avg_over_time": lambda samples: statistics.fmean(s.value for s in samples),
    "min_over_time": lambda samples: min(s.value for s in samples),
    "max_over_time": lambda samples: max(s.value for s in samples),
    "first_over_time": lambda samples: samples[0].value,
    "last_over_time": lambda samples: samples[-1].value,
    "stddev_over_time": lambda samples: statistics.pstdev(s.value for s in samples),
    "stdvar_over_time": lambda samples: statistics.pvariance([s.value for s in samples]),
}


def quantile(rank: float, values: Sequence[float]) -> float:
    """Return the *rank* quantile of *values*, between the two nearest of them in proportion."""
    ordered = sorted(values)
    place = rank * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def _aggregate(query: VectorAggregation, operand: Vector) -> Vector:
    if query.function in {"sort", "sort_desc"}:
        return _ordered(operand, reverse=query.function == "sort_desc")
    groups: dict[Labels, Vector] = {}
    for labels, value in operand.items():
        groups.setdefault(_grouped(dict(labels), query.grouping), {})[labels] = value
    if query.parameter is not None:
        most = int(query.parameter.value)
        chosen = [_ordered(group, reverse=query.function != "bottomk") for group in groups.values()]
        return {labels: value for group in chosen for labels, value in list(group.items())[:most]}
    reduce = _AGGREGATIONS[query.function]
    return {labels: reduce(list(group.values())) for labels, group in groups.items()}


def _ordered(vector: Vector, *, reverse: bool) -> Vector:
    return dict(sorted(vector.items(), key=lambda item: item[1], reverse=reverse))


_AGGREGATIONS: dict[str, Callable[[list[float]], float]] = {
    "sum": math.fsum,
    "avg": statistics.fmean,
    "min": min,
    "max": max,
    "count": lambda values: float(len(values)),
    "stddev": statistics.pstdev,
    "stdvar": statistics.pvariance,
}


def _relabelled(query: LabelReplace, operand: Vector) -> Vector:
    pattern = re.compile(query.pattern.value)
    found: Vector = {}
    for labels, value in operand.items():
        names = dict(labels)
        if match := pattern.fullmatch(names.get(query.source.value, "")):
            names[query.target.value] = match.expand(re.sub(r"\$\{?(\w+)\}?", r"\\g<\1>", query.replacement.value))
        found[frozenset((name, text) for name, text in names.items() if text)] = value
    return found
