"""Queries in PromQL: what is known of their results, and what is wrong with them."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from oneiric.monitoring.drift.functions import judge_call, judge_range
from oneiric.monitoring.drift.operators import judge_aggregation, judge_binary
from oneiric.monitoring.drift.promql_parsing import QueryError, parse
from oneiric.monitoring.drift.promql_tokens import VARIABLE_NUMBER, without_variables
from oneiric.monitoring.drift.promql_tree import (
    Aggregation,
    Binary,
    Call,
    Negative,
    Node,
    Number,
    Range,
    Selector,
    String,
    is_new,
)
from oneiric.monitoring.drift.query import Query, is_about_us, unheard
from oneiric.monitoring.drift.selectors import judge_selector
from oneiric.monitoring.drift.values import UNKNOWN, Interval, Value, scalar

if TYPE_CHECKING:
    from oneiric.monitoring.drift.query import Context, Role
    from oneiric.monitoring.drift.text import Piece

_OPEN = re.compile(r"<\w[\w .|-]*>|\.\.\.|…")
"""What stands for a part that the reader puts in."""


def judge_promql(piece: Piece, context: Context, role: Role, *, is_loaded: bool = False) -> Value:
    """Report what is wrong with the query *piece*, and return what is known of its result.

    Of one that is about others no more is reported than that it does not parse, where a server would refuse it: a rule,
    or what *is_loaded* with something of ours.
    """
    text, _ = without_variables(piece)
    is_ours = is_about_us(piece.text, context)
    query = Query(text, context if is_ours else unheard(context), role)
    try:
        tree = parse(text.text)
        return _judge(replace(query, grown=frozenset(_grown(tree))), tree)
    except QueryError as error:
        is_rule = role in {"alert", "record"} or (is_loaded and text.text == piece.text)
        if _is_refused(piece.text, error, role, is_ours=is_ours, is_rule=is_rule):
            context.report.at(text, error.offset, "ON007", f"not PromQL: {error}")
    except RecursionError:
        query.find(0, "ON006", "nested too deeply")
    return UNKNOWN


def _is_refused(text: str, error: QueryError, role: Role, *, is_ours: bool, is_rule: bool) -> bool:
    """Whether what does not parse is wrong: a document may leave a part open, other servers know more functions."""
    if role == "document":
        return is_ours and _OPEN.search(text) is None
    return is_ours or (is_rule and not error.is_unknown_function)


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
