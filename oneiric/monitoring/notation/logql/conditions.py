"""Reading label filters: comparisons, and what combines them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.monitoring.notation.logql.selectors import address, matcher_of
from oneiric.monitoring.notation.logql.syntax import Both, Comparison

if TYPE_CHECKING:
    from oneiric.monitoring.notation.logql.cursor import Cursor
    from oneiric.monitoring.notation.logql.syntax import Address, Condition, Duration, Number, Size, Variable

OPERATORS = ("==", "=", "!=", ">=", ">", "<=", "<", "=~", "!~")


def condition(cursor: Cursor) -> Condition:
    """Take a condition; ``and`` binds closer than ``or``."""
    left = _all(cursor)
    while cursor.skip("or"):
        right = _all(cursor)
        left = Both(left.start, right.end, left, "or", right)
    return left


def _all(cursor: Cursor) -> Condition:
    left = _one(cursor)
    while True:
        if cursor.skip("and"):
            right = _one(cursor)
        elif cursor.skip(",") or cursor.at("(") or _is_next(cursor):
            # After a comma, or nothing, all that follows is one side, an `or` included.
            right = condition(cursor)
        else:
            return left
        left = Both(left.start, right.end, left, "and", right)


def _one(cursor: Cursor) -> Condition:
    if cursor.skip("("):
        with cursor.deeper():
            inner = condition(cursor)
        cursor.need(")")
        return inner
    name = cursor.name()
    if not cursor.at(*OPERATORS):
        cursor.fail("an operator such as = or >")
    if cursor.following.kind == "string":
        return matcher_of(cursor, name)
    operator = cursor.need(*OPERATORS)
    if operator.text in {"=", "!="} and cursor.at("ip"):
        value: Number | Duration | Size | Address | Variable = address(cursor)
    else:
        value = _compared(cursor)
    return Comparison(name.start, value.end, name, operator.text, value)  # type: ignore[arg-type]


def _compared(cursor: Cursor) -> Number | Duration | Size | Variable:
    kind = cursor.token.kind
    if kind == "size":
        return cursor.size()
    if kind in {"duration", "variable"}:
        return cursor.duration()
    if kind == "number" or cursor.at("-", "+"):
        return cursor.number()
    return cursor.fail("a string, number, time or size to compare with")


def _is_next(cursor: Cursor) -> bool:
    """Say whether another condition stands here, with nothing before it."""
    return cursor.at_name() and cursor.following.text in OPERATORS
