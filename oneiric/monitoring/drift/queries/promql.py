"""Queries in PromQL: what is known of their results, and what is wrong with them."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from oneiric.monitoring.drift.queries.dialects import is_open, is_read_elsewhere
from oneiric.monitoring.drift.queries.functions import judge_call, judge_range
from oneiric.monitoring.drift.queries.judge import Query, is_about_us, unheard
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
    Negative,
    Node,
    Number,
    QueryError,
    Range,
    Selector,
    String,
    is_new,
    parse,
    without_variables,
)

if TYPE_CHECKING:
    from oneiric.monitoring.drift.queries.judge import Context, Role
    from oneiric.monitoring.notation.text import Piece


def judge_promql(piece: Piece, context: Context, role: Role, *, is_loaded: bool = False) -> Value:
    """Report what is wrong with the query *piece*, and return what is known of its result.

    Of one that is about others no more is reported than that it does not parse, where it *is_loaded* by a server, or
    beside something of ours.
    """
    if len(piece.text) > MAX_LENGTH:
        if is_loaded or is_about_us(piece.text, context):
            context.report.at(piece, 0, "ON007", f"not PromQL: the query is longer than {MAX_LENGTH} characters")
        return UNKNOWN
    text, names = without_variables(piece)
    is_ours = is_about_us(piece.text, context)
    query = Query(text, context if is_ours else unheard(context), role)
    try:
        query, tree = _parsed(query, has_variables=bool(names))
        return _judge(replace(query, grown=frozenset(_grown(tree))), tree)
    except QueryError as error:
        if _is_refused(piece.text, error, is_ours=is_ours, is_loaded=is_loaded, is_changed=text.text != piece.text):
            context.report.at(text, error.offset, "ON007", f"not PromQL: {error}")
    except RecursionError:
        query.find(0, "ON006", "nested too deeply")
    return UNKNOWN


def _parsed(query: Query, *, has_variables: bool) -> tuple[Query, Node]:
    """Return *query* and its tree; where a variable cannot stand for a number, it stands for a metric."""
    try:
        return query, parse(query.piece.text)
    except QueryError:
        named = query.piece.text.replace(VARIABLE_NUMBER, VARIABLE_NAME)
        if not has_variables or named == query.piece.text:
            raise
    changes = [(found.start(), found.end(), VARIABLE_NAME) for found in _NUMBER.finditer(query.piece.text)]
    again = replace(query, piece=query.piece.replaced(changes))
    return again, parse(again.piece.text)


def _is_refused(text: str, error: QueryError, *, is_ours: bool, is_loaded: bool, is_changed: bool) -> bool:
    """Whether what does not parse is wrong: parts may be left open, and other servers read more.

    What a variable *is_changed* into may be anything, so that only brackets tell.
    """
    if is_open(text) or is_read_elsewhere(text) or (is_changed and not error.is_unclosed):
        return False
    return is_ours or (is_loaded and not is_changed and not error.is_of_types)


_NUMBER = re.compile(rf"\b{VARIABLE_NUMBER}\b")


def _judge(query: Query, node: Node) -> Value:
    if isinstance(node, Selector):
        return judge_selector(query, node)
    if isinstance(node, Range):
        return judge_range(query, node, _judge)
    if isinstance(node, Call):
        return judge_call(query, node, _judge)
    if isinstance(node, Aggregation):
        return judge_aggregation(query, node, _judge)
    return judge_binary(query, node, _judge) if isinstance(node, Binary) else _plain(query, node)


def _plain(query: Query, node: Negative | String | Number) -> Value:
    if isinstance(node, Negative):
        value = _judge(query, node.inner)
        return replace(value, nature="other", interval=Interval(-value.interval.high, -value.interval.low))
    return Value("string", text=node.value) if isinstance(node, String) else _number(node)


def _number(node: Number) -> Value:
    if node.value == float(VARIABLE_NUMBER):
        return Value("number", frozenset(), exact=True)
    return scalar(node.value)


def _grown(tree: Node) -> set[str]:
    """Return the metrics of which *tree* asks for series that were not there before."""
    grown: set[str] = set()
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Binary):
            waiting += [node.left, node.right]
            if is_new(node) and isinstance(node.left, Selector):
                grown.add(node.left.name.text)
        elif isinstance(node, Call):
            waiting += node.arguments
        elif isinstance(node, Aggregation | Range | Negative):
            waiting.append(node.inner)
    return grown
