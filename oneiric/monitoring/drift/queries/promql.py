"""Queries in PromQL: what is known of their results, and what is wrong with them."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from oneiric.monitoring.drift.queries.dialects import is_open, is_read_elsewhere
from oneiric.monitoring.drift.queries.functions import QUANTILE, judge_call, judge_range
from oneiric.monitoring.drift.queries.judge import Judge, discarding, is_about_us
from oneiric.monitoring.drift.queries.operators import judge_aggregation, judge_binary
from oneiric.monitoring.drift.queries.selectors import judge_selector
from oneiric.monitoring.drift.queries.values import UNKNOWN, Interval, Value, scalar
from oneiric.monitoring.notation.promql import (
    MAX_LENGTH,
    VARIABLE_NAME,
    VARIABLE_NUMBER,
    Aggregation,
    Binary,
    Call,
    Expression,
    Negative,
    Number,
    QueryError,
    Range,
    Selector,
    String,
    is_new,
    parse,
    parts,
    walk,
    without_variables,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oneiric.monitoring.drift.queries.judge import Context, Role
    from oneiric.monitoring.notation.text import Piece


def judge_promql(piece: Piece, context: Context, role: Role, *, is_loaded: bool = False) -> Value:
    """Report what is wrong with the query *piece*, and return its value.

    Of one that is about others no more is reported than that it does not parse, where it *is_loaded* by a server, or
    beside something of ours.
    """
    if len(piece.text) > MAX_LENGTH:
        if is_loaded or is_about_us(piece.text, context):
            context.report.at(piece, 0, "ON007", f"not PromQL: the query is longer than {MAX_LENGTH} characters")
        return UNKNOWN
    text, names = without_variables(piece)
    is_ours = is_about_us(piece.text, context)
    judge = Judge(text, context if is_ours else discarding(context), role)
    try:
        judge, tree = _parsed(judge, has_variables=bool(names))
        return _value(replace(judge, grown=frozenset(_grown(tree))), tree)
    except QueryError as error:
        if _is_refused(piece.text, error, is_ours=is_ours, is_loaded=is_loaded, is_changed=text.text != piece.text):
            context.report.at(text, error.offset, "ON007", f"not PromQL: {error}")
    except RecursionError:
        judge.find(0, "ON006", "nested too deeply")
    return UNKNOWN


def _parsed(judge: Judge, *, has_variables: bool) -> tuple[Judge, Expression]:
    """Return *judge* and the tree of its query; where a variable cannot stand for a number, it stands for a metric."""
    try:
        return judge, parse(judge.piece.text)
    except QueryError:
        named = judge.piece.text.replace(VARIABLE_NUMBER, VARIABLE_NAME)
        if not has_variables or named == judge.piece.text:
            raise
    changes = [(found.start(), found.end(), VARIABLE_NAME) for found in _NUMBER.finditer(judge.piece.text)]
    again = replace(judge, piece=judge.piece.replaced(changes))
    return again, parse(again.piece.text)


def _is_refused(text: str, error: QueryError, *, is_ours: bool, is_loaded: bool, is_changed: bool) -> bool:
    """Whether what does not parse is wrong: parts may be left open, and other servers read more.

    What a variable *is_changed* into may be anything, so that only brackets count.
    """
    if is_open(text) or is_read_elsewhere(text) or (is_changed and not error.is_unclosed):
        return False
    return is_ours or (is_loaded and not is_changed and not error.is_of_types)


_NUMBER = re.compile(rf"\b{VARIABLE_NUMBER}\b")


def _value(judge: Judge, node: Expression) -> Value:
    """Return the value of *node*, whose parts are judged before it."""
    if isinstance(node, Selector):
        return judge_selector(judge, node)
    if isinstance(node, Number):
        return _number(node)
    if isinstance(node, String):
        return Value("string", text=node.value)
    within = judge
    if isinstance(node, Call) and node.function.lower() == QUANTILE:
        within = replace(judge, in_quantile=True)
    return _combined(judge, node, [_value(within, part) for part in parts(node)])


def _combined(judge: Judge, node: Range | Call | Aggregation | Binary | Negative, values: list[Value]) -> Value:
    """Return the value of *node*, whose parts have *values*."""
    if isinstance(node, Range):
        return judge_range(judge, node, values[0])
    if isinstance(node, Call):
        return judge_call(judge, node, values)
    if isinstance(node, Aggregation):
        return judge_aggregation(judge, node, values[0])
    if isinstance(node, Binary):
        return judge_binary(judge, node, *values)
    interval = values[0].interval
    return replace(values[0], nature="other", interval=Interval(-interval.high, -interval.low))


def _number(node: Number) -> Value:
    if node.value == float(VARIABLE_NUMBER):
        return Value("number", frozenset(), exact=True)
    return scalar(node.value)


def _grown(tree: Expression) -> Iterator[str]:
    """Give the metrics of which *tree* asks for series that were not there before."""
    for node in walk(tree):
        if isinstance(node, Binary) and is_new(node) and isinstance(node.left, Selector):
            yield node.left.name.text
