"""Comparisons of PromQL: units that agree, and thresholds that values can reach."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from oneiric.monitoring.drift.queries.values import Interval, Value
from oneiric.monitoring.promql import number

if TYPE_CHECKING:
    from oneiric.monitoring.drift.queries.judge import Judge
    from oneiric.monitoring.notation.promql import Binary

COMPARISONS = {">", ">=", "<", "<=", "==", "!="}
_MIRRORED = {">": "<", ">=": "<=", "<": ">", "<=": ">=", "==": "==", "!=": "!="}
_YEAR_2001 = 1e9
"""No timestamp of ours is smaller, unless it is 0."""


def judge_units(judge: Judge, node: Binary, left: Value, right: Value) -> None:
    """Report operands that are measured in different units, where that makes no sense."""
    if node.operator not in COMPARISONS | {"+", "-"} or not (left.ours or right.ours):
        return
    units = {left.unit, right.unit}
    if units == {"seconds", "milliseconds"}:
        message = f"{left.unit} {node.operator} {right.unit}"
        judge.find(node.at, "ON208", message, "divide the milliseconds by 1000")
    elif node.operator in COMPARISONS and units == {"seconds", "timestamp"}:
        judge.find(node.at, "ON209", "a point in time is compared with a length of time", "subtract it from time()")


def judge_threshold(judge: Judge, node: Binary, left: Value, right: Value) -> Value:
    """Return the value of the vector after the comparison, and report a threshold out of reach."""
    mirrored = left.kind == "number" and right.kind == "vector"
    vector, bound = (right, left) if mirrored else (left, right)
    operator = _MIRRORED[node.operator] if mirrored else node.operator
    if node.is_bool:
        return replace(vector, nature="other", metric=None, unit="", interval=Interval(0.0, 1.0), quantile=False)
    if bound.kind != "number" or bound.interval.low != bound.interval.high:
        return replace(vector, ours=left.ours or right.ours)
    limit = bound.interval.low
    at = node.left.at if mirrored else node.right.at
    if vector.ours:
        _report(judge, at, operator, limit, vector)
    return replace(vector, interval=_narrowed(operator, vector.interval, limit), once=_is_once(operator, limit, vector))


def _report(judge: Judge, at: int, operator: str, limit: float, value: Value) -> None:
    name = value.metric.name if value.metric is not None else "this"
    if value.nature in {"counter", "bucket"} and operator in {">", ">="}:
        message = f"{name} only ever grows: once it is above {number(limit)} it stays there until a restart"
        judge.find(at, "ON202", message, "compare its increase() or rate()")
    elif value.unit == "timestamp" and 0 < limit < _YEAR_2001:
        message = f"{name} is a point in time, seconds since 1970: {number(limit)} is a length of time"
        judge.find(at, "ON209", message, "subtract it from time()")
    elif value.quantile and value.metric is not None and _beyond(judge, operator, limit, value):
        _report_beyond(judge, at, limit, value)
    elif _never(operator, limit, value.interval):
        _report_never(judge, at, f"{operator} {number(limit)}", value, name)
    elif judge.role == "alert" and _always(operator, limit, value.interval):
        judge.find(at, "ON306", f"{name} is always {operator} {number(limit)}: {_range(value.interval)}")
    else:
        _judge_first(judge, at, operator, limit, value)
        _judge_age(judge, at, operator, limit, value)


def _beyond(judge: Judge, operator: str, limit: float, value: Value) -> bool:
    if _never(operator, limit, value.interval) or _always(operator, limit, value.interval):
        return True
    metric = value.metric
    return metric is not None and value.unit == judge.vocabulary.unit(metric) and limit < metric.buckets[0]


def _report_beyond(judge: Judge, at: int, limit: float, value: Value) -> None:
    metric = value.metric
    if metric is None:
        return
    unit = judge.vocabulary.unit(metric)
    span = f"{number(metric.buckets[0])} to {number(metric.buckets[-1])} {unit}"
    message = f"a quantile of {metric.name} cannot be compared with {number(limit)}: its buckets span {span}"
    other = limit / 1000 if unit == "seconds" else limit * 1000
    within = metric.buckets[0] <= other < metric.buckets[-1]
    judge.find(at, "ON301", message, f"in {unit}, did you mean {number(other)}?" if within else "")


def _report_never(judge: Judge, at: int, comparison: str, value: Value, name: str) -> None:
    if value.paced:
        every = judge.context.pace.sync
        message = f"{name} is never {comparison}: a source is synchronised every {every:g} s"
        judge.find(at, "ON303", message, "take a longer window, or fewer")
        return
    limit = float(comparison.split()[1])
    is_percentage = value.interval == Interval(0.0, 1.0) and 1 < limit <= 100  # noqa: PLR2004 - a percentage
    hint = f"a ratio lies between 0 and 1: did you mean {number(limit / 100)}?" if is_percentage else ""
    judge.find(at, "ON305", f"{name} is never {comparison}: {_range(value.interval)}", hint)


def _range(interval: Interval) -> str:
    if interval.low == interval.high:
        return f"it is always {number(interval.low)}"
    infinite = interval.high == float("inf")
    return f"it is {number(interval.low)} or more" if infinite else f"it lies in {interval.low:g} to {interval.high:g}"


def _judge_first(judge: Judge, at: int, operator: str, limit: float, value: Value) -> None:
    if judge.role == "panel":  # where a comparison leaves out what is not worth a line
        return
    if not _is_once(operator, limit, value) or value.metric is None or value.metric.type != "counter":
        return
    metric = value.metric
    if not judge.vocabulary.starts_at_zero(metric) and metric.name not in judge.grown:
        message = f"series of {metric.name} begin with their first event, at 1: that one is no increase"
        hint = f"add: or {metric.name} unless last_over_time({metric.name}[1h] offset the window)"
        judge.find(at, "ON304", message, hint)


def _judge_age(judge: Judge, at: int, operator: str, limit: float, value: Value) -> None:
    driver = value.metric.moved_by if value.metric is not None else None
    if value.nature != "age" or value.metric is None or driver is None or operator not in {">", ">="}:
        return
    every = judge.context.pace.of(driver)
    if value.step is not None and limit < every * value.step:
        message = f"{value.metric.name} is renewed every {every:g} s: an age of {limit / value.step:g} s is usual"
        judge.find(at, "ON308", message, f"take {2 * every * value.step:g} or more")


def _is_once(operator: str, limit: float, value: Value) -> bool:
    """Whether one event is enough: so little growth is asked for."""
    if value.nature != "rate" or value.unit or value.step is None:
        return False
    return (operator == ">" and 0 <= limit < value.step) or (operator == ">=" and 0 < limit <= value.step)


def _never(operator: str, limit: float, interval: Interval) -> bool:
    low, high = interval
    return {
        ">": high <= limit,
        ">=": high < limit,
        "<": low >= limit,
        "<=": low > limit,
        "==": not low <= limit <= high,
        "!=": low == high == limit,
    }[operator]


def _always(operator: str, limit: float, interval: Interval) -> bool:
    low, high = interval
    return {">": low > limit, ">=": low >= limit and limit != 0, "<": high < limit, "<=": high <= limit}.get(
        operator, False
    )


def _narrowed(operator: str, interval: Interval, limit: float) -> Interval:
    if operator in {">", ">="}:
        return Interval(max(interval.low, limit), max(interval.high, limit))
    if operator in {"<", "<="}:
        return Interval(min(interval.low, limit), min(interval.high, limit))
    return Interval(limit, limit) if operator == "==" else interval
