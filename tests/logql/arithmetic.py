"""Operators between two metric queries: which series meet, and what becomes of their values."""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, TypeAlias

from oneiric.monitoring.notation.logql import LogQLError

if TYPE_CHECKING:
    from collections.abc import Callable

    from oneiric.monitoring.notation.logql import Binary, Matching

Labels: TypeAlias = frozenset[tuple[str, str]]
Vector: TypeAlias = dict[Labels, float]


def combined(query: Binary, left: Vector | float, right: Vector | float) -> Vector | float:
    """Return what the operator of *query* makes of both sides.

    Raises:
        LogQLError: Several series of one side meet, where the query does not say that they may.
    """
    if isinstance(left, float):
        if isinstance(right, float):
            return _value(query, left, right)
        return _each(right, query, lambda value: (left, value))
    if isinstance(right, float):
        return _each(left, query, lambda value: (value, right))
    if query.operator in {"and", "or", "unless"}:
        return _of_sets(query, left, right)
    return _paired(query, left, right)


def _each(vector: Vector, query: Binary, sides: Callable[[float], tuple[float, float]]) -> Vector:
    found = {}
    for labels, value in vector.items():
        one, other = sides(value)
        if query.operator not in _COMPARISONS or query.returns_bool:
            found[labels] = _value(query, one, other)
        elif _COMPARISONS[query.operator](one, other):
            found[labels] = value
    return found


def _of_sets(query: Binary, left: Vector, right: Vector) -> Vector:
    keys = {_key(labels, query.matching) for labels in right}
    if query.operator != "or":
        return {k: v for k, v in left.items() if (_key(k, query.matching) in keys) == (query.operator == "and")}
    known = {_key(labels, query.matching) for labels in left}
    return left | {labels: value for labels, value in right.items() if _key(labels, query.matching) not in known}


def _paired(query: Binary, left: Vector, right: Vector) -> Vector:
    is_right_many = query.matching is not None and query.matching.many == "right"
    many, one = (right, left) if is_right_many else (left, right)
    ones = _unique(query, one)
    if query.matching is None or not query.matching.many:
        _unique(query, many)
    found = {}
    for labels, value in many.items():
        other = ones.get(_key(labels, query.matching))
        if other is None:
            continue
        sides = (other[1], value) if is_right_many else (value, other[1])
        if query.operator not in _COMPARISONS or query.returns_bool:
            found[_result(labels, other[0], query.matching)] = _value(query, *sides)
        elif _COMPARISONS[query.operator](*sides):
            found[_result(labels, other[0], query.matching)] = sides[0]
    return found


def _unique(query: Binary, vector: Vector) -> dict[Labels, tuple[Labels, float]]:
    found: dict[Labels, tuple[Labels, float]] = {}
    for labels, value in vector.items():
        key = _key(labels, query.matching)
        if key in found:
            raise LogQLError(query.start, f"several series on one side of {query.operator} have {dict(key)}")
        found[key] = labels, value
    return found


def _key(labels: Labels, matching: Matching | None) -> Labels:
    if matching is None:
        return labels
    names = {name.text for name in matching.labels}
    return frozenset(pair for pair in labels if (pair[0] in names) == (matching.kind == "on"))


def _result(many: Labels, one: Labels, matching: Matching | None) -> Labels:
    if matching is None or not matching.many:
        return _key(many, matching)
    include = {name.text for name in matching.include}
    return frozenset(p for p in many if p[0] not in include) | frozenset(p for p in one if p[0] in include)


def _value(query: Binary, left: float, right: float) -> float:
    if query.operator in _COMPARISONS:
        return float(_COMPARISONS[query.operator](left, right))
    return _ARITHMETIC[query.operator](left, right)


def _divided(left: float, right: float) -> float:
    if right:
        return left / right
    return math.copysign(math.inf, left) if left else math.nan


def _power(base: float, exponent: float) -> float:
    try:
        return math.pow(base, exponent)
    except ValueError:
        return math.nan
    except OverflowError:
        return math.inf


_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _divided,
    "%": lambda left, right: math.fmod(left, right) if right else math.nan,
    "^": _power,
}
