"""Reading a whole LogQL query: lines, or metrics made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.monitoring.notation.logql.cursor import Cursor
from oneiric.monitoring.notation.logql.errors import LogQLError
from oneiric.monitoring.notation.logql.pipelines import log_query
from oneiric.monitoring.notation.logql.ranges import FUNCTIONS, grouping, range_aggregation
from oneiric.monitoring.notation.logql.selectors import check_pattern
from oneiric.monitoring.notation.logql.syntax import (
    Binary,
    LabelReplace,
    LogQuery,
    Matching,
    Number,
    Unwrap,
    VectorAggregation,
    VectorOf,
)

if TYPE_CHECKING:
    from oneiric.monitoring.notation.logql.syntax import MetricQuery, Query
    from oneiric.monitoring.notation.logql.tokens import Token

PICKING = frozenset({"topk", "bottomk", "approx_topk"})
"""Aggregations that have how many they pick as their parameter."""
SORTING = frozenset({"sort", "sort_desc"})
AGGREGATIONS = PICKING | SORTING | {"sum", "avg", "count", "max", "min", "stddev", "stdvar"}
OTHERS = ("label_replace", "vector")
KNOWN = (*FUNCTIONS, *AGGREGATIONS, *OTHERS)

LEVELS = (("or",), ("and", "unless"), ("==", "!=", ">", ">=", "<", "<="), ("+", "-"), ("*", "/", "%"))
"""Operators from those that bind least; ``^``, which binds most, groups to the right."""
SETS = frozenset({"or", "and", "unless"})
COMPARISONS = frozenset(LEVELS[2])


def parse(text: str) -> Query:
    """Return the one query that *text* is; variables of Grafana's stand for times, numbers and names.

    Raises:
        LogQLError: It is none that Loki would answer.
    """
    cursor = Cursor(text)
    found = _query(cursor)
    if cursor.token.kind != "end":
        cursor.fail("an operator, a stage or the end of the query")
    return found


def parse_all(text: str) -> tuple[Query, ...]:
    """Return the queries of *text*, each of which begins on a line of its own; comments begin with ``#``.

    Raises:
        LogQLError: One is none that Loki would answer.
    """
    cursor = Cursor(text)
    found: list[Query] = []
    while cursor.token.kind != "end":
        if found and "\n" not in text[cursor.last_end : cursor.token.start]:
            cursor.fail("an operator, a stage or the end of the query")
        found.append(_query(cursor))
    return tuple(found)


def _query(cursor: Cursor) -> Query:
    return _only_lines(_expression(cursor, 0))


def _only_lines(query: Query) -> Query:
    """Return *query*; a value taken from lines that nothing aggregates is an error."""
    for stage in query.stages if isinstance(query, LogQuery) else ():
        if isinstance(stage, Unwrap):
            raise LogQLError(stage.start, "unwrap belongs into a range aggregation such as sum_over_time(... [5m])")
    return query


def _expression(cursor: Cursor, level: int) -> Query:
    if level == len(LEVELS):
        return _power(cursor)
    left = _expression(cursor, level + 1)
    while cursor.at(*LEVELS[level]):
        operator = cursor.take()
        returns_bool, matching = _modifiers(cursor, operator)
        right = _expression(cursor, level + 1)
        left = _binary(left, operator, right, matching, returns_bool=returns_bool)
    return left


def _power(cursor: Cursor) -> Query:
    base = _operand(cursor)
    if not cursor.at("^"):
        return base
    operator = cursor.take()
    _, matching = _modifiers(cursor, operator)
    with cursor.deeper():
        return _binary(base, operator, _power(cursor), matching, returns_bool=False)


def _binary(left: Query, operator: Token, right: Query, matching: Matching | None, *, returns_bool: bool) -> Binary:
    for side in (left, right):
        if isinstance(side, LogQuery):
            raise LogQLError(operator.start, f"{operator.text} stands between metrics, and this is a query for lines")
        if isinstance(side, Number) and operator.text in SETS:
            raise LogQLError(side.start, f"{operator.text} is of sets of series, not of a number")
    return Binary(left.start, right.end, left, operator.text, right, matching, returns_bool)  # type: ignore[arg-type]


def _modifiers(cursor: Cursor, operator: Token) -> tuple[bool, Matching | None]:
    word = cursor.skip("bool")
    if word is not None and operator.text not in COMPARISONS:
        raise LogQLError(word.start, f"bool goes with a comparison, not with {operator.text}")
    kind = cursor.skip("on", "ignoring")
    if kind is None:
        return word is not None, None
    labels = cursor.names()
    group = cursor.skip("group_left", "group_right")
    if group is not None and operator.text in SETS:
        raise LogQLError(group.start, f"{group.text} does not go with {operator.text}")
    include = cursor.names() if group and cursor.at("(") else ()
    many = group.text.removeprefix("group_") if group else ""
    return word is not None, Matching(kind.start, cursor.last_end, kind.text, labels, many, include)  # type: ignore[arg-type]


def _operand(cursor: Cursor) -> Query:
    if cursor.at("("):
        return _in_parentheses(cursor)
    if cursor.at("{"):
        return log_query(cursor)
    if cursor.token.kind == "number" or (cursor.at("-", "+") and cursor.following.kind == "number"):
        return cursor.number()
    return _function(cursor)


def _function(cursor: Cursor) -> MetricQuery:
    if cursor.at(*FUNCTIONS):
        return range_aggregation(cursor)
    if cursor.at(*AGGREGATIONS):
        return _aggregation(cursor)
    if cursor.at(*OTHERS):
        return _vector(cursor) if cursor.at("vector") else _label_replace(cursor)
    return cursor.fail("a selector in braces or a function", KNOWN)


def _in_parentheses(cursor: Cursor) -> Query:
    cursor.need("(")
    with cursor.deeper():
        found = _expression(cursor, 0)
    cursor.need(")")
    return found


def _aggregation(cursor: Cursor) -> VectorAggregation:
    function = cursor.take()
    group = grouping(cursor)
    cursor.need("(")
    parameter = _parameter(cursor) if function.text in PICKING else None
    with cursor.deeper():
        operand = _metric(cursor)
    cursor.need(")")
    group = group or grouping(cursor)
    if group is not None and function.text in SORTING | {"approx_topk"}:
        raise LogQLError(group.start, f"{function.text} is not grouped")
    return VectorAggregation(function.start, cursor.last_end, function.text, parameter, operand, group)


def _parameter(cursor: Cursor) -> Number:
    found = cursor.number()
    if found.value < 1 or not found.value.is_integer():
        raise LogQLError(found.start, "how many to pick is a whole number, at least 1")
    cursor.need(",")
    return found


def _metric(cursor: Cursor) -> MetricQuery:
    start = cursor.token.start
    found = _expression(cursor, 0)
    if isinstance(found, LogQuery):
        raise LogQLError(start, "expected a metric, such as count_over_time(... [5m]), found a query for lines")
    return found


def _vector(cursor: Cursor) -> VectorOf:
    start = cursor.take().start
    cursor.need("(")
    value = cursor.number()
    cursor.need(")")
    return VectorOf(start, cursor.last_end, value)


def _label_replace(cursor: Cursor) -> LabelReplace:
    start = cursor.take().start
    cursor.need("(")
    with cursor.deeper():
        operand = _metric(cursor)
    texts = []
    for what in ("the label to set", "its replacement", "the label to read", "a regular expression"):
        cursor.need(",")
        texts.append(cursor.text(what))
    cursor.need(")")
    target, replacement, source, pattern = texts
    check_pattern(pattern)
    return LabelReplace(start, cursor.last_end, operand, target, replacement, source, pattern)
