"""Aggregations and binary operators of PromQL: labels that are there, sides that can meet, thresholds within reach."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from oneiric.monitoring.drift.findings import did_you_mean
from oneiric.monitoring.drift.queries.thresholds import COMPARISONS, judge_threshold, judge_units
from oneiric.monitoring.drift.queries.values import Interval, Value
from oneiric.monitoring.drift.queries.vocabulary import KUBERNETES_LABELS
from oneiric.monitoring.notation.promql import VARIABLE_NAME, String, is_new

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oneiric.monitoring.drift.queries.judge import Judge
    from oneiric.monitoring.notation.promql import Aggregation, Binary, Word

_SETS = {"and", "or", "unless"}
_PICKING = {"topk", "bottomk", "limitk", "limit_ratio"}
_KEEPING = {"min", "max", "avg", "quantile", *_PICKING}


def judge_aggregation(judge: Judge, node: Aggregation, value: Value) -> Value:
    """Return the value of *value* aggregated, and report labels that it lacks."""
    _judge_labels(judge, node.labels, value, f"{node.operator} {node.grouping}")
    made = replace(value, interval=_aggregated(node, value), paced=value.paced and _is_each(node, value))
    if made.paced != value.paced:
        made = replace(made, interval=Interval(0.0))
    if node.operator in {"count", "count_values", "group", "stddev", "stdvar"}:
        made = replace(made, nature="other", metric=None, unit="", quantile=False, once=False, step=None)
    if node.operator == "avg":
        made = replace(made, step=None)
    if node.operator in _PICKING:
        return made
    labels = _grouped(node, value)
    if node.operator == "count_values" and isinstance(node.parameter, String) and labels is not None:
        labels |= {node.parameter.value}
    is_bucket = value.nature in {"bucket", "bucket rate"} and value.has("le") and not judge.in_quantile
    if is_bucket and labels is not None and "le" not in labels and node.operator in {"sum", "avg"}:
        name = value.metric.name if value.metric is not None else "this"
        message = f"{node.operator} over all buckets of {name}: each contains the smaller ones"
        judge.find(node.at, "ON211", message, "ask for _count, or pin le")
    return made.with_labels(labels)


def _aggregated(node: Aggregation, value: Value) -> Interval:
    if node.operator in _KEEPING:
        return value.interval
    if node.operator == "group":
        return Interval(1.0, 1.0)
    if node.operator == "sum":
        if value.paced and _is_each(node, value):
            return value.interval
        return Interval(0.0) if value.interval.low >= 0 else Interval()
    return Interval(0.0) if node.operator in {"count", "stddev", "stdvar"} else Interval()


def _is_each(node: Aggregation, value: Value) -> bool:
    """Whether one source of one instance stays by itself."""
    labels = _grouped(node, value)
    return labels is not None and {"source", "instance"} <= labels


def _grouped(node: Aggregation, value: Value) -> frozenset[str] | None:
    names = frozenset(word.text for word in node.labels)
    if VARIABLE_NAME in names:
        return None
    if node.grouping == "without":
        return None if value.labels is None else value.labels - names
    return names


def _judge_labels(judge: Judge, words: Iterable[Word], value: Value, clause: str) -> None:
    if value.labels is None:
        return
    for word in words:
        if word.text not in value.labels and VARIABLE_NAME not in word.text:
            name = value.metric.name if value.metric is not None else "what it is asked of"
            hint = did_you_mean(word.text, value.labels) or _it_has(value.labels)
            level = value.level_of(word.text, judge.vocabulary)
            judge.find(word.at, "ON108", f"{clause}: {name} has no label {word.text}", hint, level=level)


def judge_binary(judge: Judge, node: Binary, left: Value, right: Value) -> Value:
    """Return the value of an operation, and report sides that never meet and thresholds out of reach."""
    if left.kind == right.kind == "vector":
        _judge_matching(judge, node, left, right)
    if node.operator in _SETS:
        return _set(node, left, right)
    judge_units(judge, node, left, right)
    if node.operator in COMPARISONS:
        return _labelled(node, judge_threshold(judge, node, left, right), left, right)
    return _labelled(node, _calculated(node, left, right), left, right)


def _set(node: Binary, left: Value, right: Value) -> Value:
    if node.operator == "and":
        return replace(left, once=left.once or right.once)
    if node.operator == "unless":
        return replace(left, nature="rate") if is_new(node) else left
    both = None if left.labels is None or right.labels is None else left.labels | right.labels
    same = left.exact and right.exact and left.labels == right.labels
    return replace(
        left,
        labels=both,
        exact=same,
        ours=left.ours or right.ours,
        interval=left.interval.union(right.interval),
        metric=left.metric if left.metric is right.metric else None,
        once=left.once and right.once,
        quantile=left.quantile and right.quantile,
    )


def _judge_matching(judge: Judge, node: Binary, left: Value, right: Value) -> None:
    if node.matching == "on":
        for word in node.labels:
            _judge_on(judge, word, left, right)
    elif node.matching == "ignoring" and left.labels is not None and right.labels is not None:
        _judge_ignoring(judge, node, left.labels | right.labels)
    one, many = (right, left) if node.group == "left" else (left, right)
    del many
    if node.group and one.labels is not None:
        _judge_group(judge, node, one.labels)
    if node.matching != "on":
        _judge_meeting(judge, node, left, right)


def _judge_on(judge: Judge, word: Word, *sides: Value) -> None:
    for side in sides:
        if side.labels is not None and word.text not in side.labels and VARIABLE_NAME not in word.text:
            name = side.metric.name if side.metric is not None else "one side"
            hint = did_you_mean(word.text, side.labels) or _it_has(side.labels)
            level = side.level_of(word.text, judge.vocabulary)
            judge.find(word.at, "ON109", f"on: {name} has no label {word.text}", hint, level=level)
            return


def _it_has(labels: frozenset[str]) -> str:
    return f"it has {', '.join(sorted(labels - KUBERNETES_LABELS)) or 'none'}"


def _judge_ignoring(judge: Judge, node: Binary, labels: frozenset[str]) -> None:
    for word in node.labels:
        if word.text not in labels and VARIABLE_NAME not in word.text:
            level = judge.vocabulary.level_of(word.text, labels)
            hint = did_you_mean(word.text, labels)
            judge.find(word.at, "ON109", f"ignoring: no side has a label {word.text}", hint, level=level)


def _judge_group(judge: Judge, node: Binary, labels: frozenset[str]) -> None:
    for word in node.group_labels:
        if word.text not in labels and VARIABLE_NAME not in word.text:
            hint, level = did_you_mean(word.text, labels), judge.vocabulary.level_of(word.text, labels)
            message = f"group_{node.group}: the other side has no label {word.text}"
            judge.find(word.at, "ON109", message, hint, level=level)


def _judge_meeting(judge: Judge, node: Binary, left: Value, right: Value) -> None:
    if node.operator == "or" or left.labels is None or right.labels is None or not (left.ours or right.ours):
        return
    ignored = frozenset(word.text for word in node.labels)
    here, there = (side - ignored - KUBERNETES_LABELS for side in (left.labels, right.labels))
    if left.exact and right.exact and here != there:
        only = ", ".join(sorted(here ^ there))
        message = f"no series of one side of {node.operator} meets one of the other: only one side has {only}"
        judge.find(node.at, "ON110", message, f"say on ({', '.join(sorted(here & there))}), or ignore what differs")


def _labelled(node: Binary, made: Value, left: Value, right: Value) -> Value:
    if left.kind != "vector" or right.kind != "vector":
        vector = left if left.kind == "vector" else right
        return replace(made, kind=vector.kind, labels=vector.labels, exact=vector.exact)
    many, one = (right, left) if node.group == "right" else (left, right)
    if node.group:
        extra = frozenset(word.text for word in node.group_labels)
        labels = None if many.labels is None else many.labels | extra
        return replace(made, labels=labels, exact=many.exact and not extra - (one.labels or frozenset()))
    names = frozenset(word.text for word in node.labels)
    if node.matching == "on":
        return replace(made, labels=names, exact=left.exact)
    labels = left.labels if left.labels is not None else right.labels
    return replace(made, labels=None if labels is None else labels - names, exact=left.exact)


def _calculated(node: Binary, left: Value, right: Value) -> Value:
    vector = left if left.kind == "vector" else right
    other = right if vector is left else left
    made = replace(
        vector,
        ours=left.ours or right.ours,
        metric=left.metric if left.metric is right.metric or other.kind == "number" else None,
        unit=_unit(node.operator, left, right),
        interval=_interval(node.operator, left, right),
        quantile=vector.quantile and other.kind == "number",
        paced=vector.paced and other.kind == "number",
        once=False,
        step=_step(node.operator, left, right),
    )
    if vector.metric is not None and other.kind == "number":
        made = replace(made, metric=vector.metric)
    return _natured(node.operator, left, right, made)


def _natured(operator: str, left: Value, right: Value, made: Value) -> Value:
    if operator == "-" and left.unit == right.unit == "timestamp" and left.kind == "number":
        driver = right.metric.moved_by if right.metric is not None else None
        return replace(made, nature="age" if driver else "gauge", metric=right.metric, step=1.0)
    if right.kind == "number" or left.kind == "number":
        return made if operator in {"*", "/"} else replace(made, nature="gauge" if made.nature == "gauge" else "other")
    if operator == "-" and {left.nature, right.nature} == {"counter"}:
        return replace(made, metric=left.metric)
    if operator == "+" and left.nature == right.nature:
        return made
    return replace(made, nature="other", metric=None)


def _interval(operator: str, left: Value, right: Value) -> Interval:
    if operator == "/":
        part, whole = left.metric, right.metric
        is_part = part is not None and whole is not None and whole in {part, part.part_of}
        if is_part and left.nature == right.nature and left.unit == right.unit:
            return Interval(0.0, 1.0)
        return left.interval.over(right.interval)
    calculate = {"+": left.interval.plus, "-": left.interval.minus, "*": left.interval.times}.get(operator)
    if operator == "-" and left.unit == right.unit == "timestamp":
        return Interval()
    return Interval() if calculate is None else calculate(right.interval)


def _step(operator: str, left: Value, right: Value) -> float | None:
    """Return how much one event, or one second, adds: scaled by the number it is multiplied or divided by."""
    if left.kind != "number" and right.kind != "number":
        return left.step if operator in {"+", "-"} and left.step == right.step else None
    vector, number = (right, left.interval) if left.kind == "number" else (left, right.interval)
    if operator in {"+", "-"}:
        return vector.step
    if vector.step is None or number.low != number.high or number.low <= 0 or operator not in {"*", "/"}:
        return None
    if operator == "*":
        return vector.step * number.low
    return vector.step / number.low if vector is left else None


_THOUSAND = 1000.0


def _unit(operator: str, left: Value, right: Value) -> str:
    if operator in {"+", "-"}:
        if left.unit == right.unit == "timestamp":
            return "seconds" if operator == "-" else ""
        return left.unit or right.unit
    if operator not in {"*", "/"}:
        return ""
    number, value = (left, right) if left.kind == "number" else (right, left)
    if number.kind != "number":
        counted = operator == "/" and right.metric is left.metric and not right.unit
        return left.unit if counted else ""
    if number.interval.low == _THOUSAND:
        return {("*", "seconds"): "milliseconds", ("/", "milliseconds"): "seconds"}.get((operator, value.unit), "")
    return value.unit if operator == "*" else ""
