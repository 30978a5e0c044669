"""Reading aggregations over a range of lines, and which function goes with what."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from oneiric.monitoring.notation.logql.errors import LogQLError
from oneiric.monitoring.notation.logql.pipelines import log_query, stages
from oneiric.monitoring.notation.logql.syntax import (
    Grouping,
    LabelFilter,
    Range,
    RangeAggregation,
    Unwrap,
)

if TYPE_CHECKING:
    from oneiric.monitoring.notation.logql.cursor import Cursor
    from oneiric.monitoring.notation.logql.syntax import LogQuery, Number

OF_LINES = frozenset({"count_over_time", "bytes_over_time", "bytes_rate"})
"""Functions of the lines themselves."""
OF_BOTH = frozenset({"rate", "absent_over_time"})
"""Functions of the lines, or of the values that ``unwrap`` takes from them."""
GROUPED = frozenset(
    {
        "avg_over_time",
        "first_over_time",
        "last_over_time",
        "max_over_time",
        "min_over_time",
        "quantile_over_time",
        "stddev_over_time",
        "stdvar_over_time",
    }
)
"""Functions of values that may be grouped by labels."""
OF_VALUES = GROUPED | {"sum_over_time", "rate_counter"}
"""Functions of the values that ``unwrap`` takes from the lines."""
FUNCTIONS = OF_LINES | OF_BOTH | OF_VALUES
QUANTILE = "quantile_over_time"


def range_aggregation(cursor: Cursor) -> RangeAggregation:
    """Take a function of a range.

    Raises:
        LogQLError: The function does not go with the range, the parameter or the grouping.
    """
    function = cursor.take()
    cursor.need("(")
    parameter = _parameter(cursor, function.text)
    operand = _range(cursor)
    cursor.need(")")
    group = grouping(cursor)
    if group is not None and function.text not in GROUPED:
        raise LogQLError(group.start, f"{function.text} is not grouped; put an aggregation such as sum by (...) around")
    _check_operand(function.text, operand)
    return RangeAggregation(function.start, cursor.last_end, function.text, parameter, operand, group)


def grouping(cursor: Cursor) -> Grouping | None:
    """Take ``by (...)`` or ``without (...)``, if there is one."""
    kind = cursor.skip("by", "without")
    if kind is None:
        return None
    labels = cursor.names()
    return Grouping(kind.start, cursor.last_end, "by" if kind.text == "by" else "without", labels)


def _parameter(cursor: Cursor, function: str) -> Number | None:
    if function != QUANTILE:
        return None
    found = cursor.number()
    if not 0 <= found.value <= 1:
        raise LogQLError(found.start, "a quantile is a number from 0 to 1")
    cursor.need(",")
    return found


def _range(cursor: Cursor) -> Range:
    start = cursor.token.start
    if not cursor.skip("("):
        return _after(cursor, log_query(cursor))
    with cursor.deeper():
        if cursor.at("("):
            found = _range(cursor)
            cursor.need(")")
        elif not (query := log_query(cursor), cursor.at("["))[1]:
            cursor.need(")")
            found = _after(cursor, query)
        else:
            found = _after(cursor, query)
            cursor.need(")")
    return replace(found, start=start, end=cursor.last_end)


def _after(cursor: Cursor, query: LogQuery) -> Range:
    """Take the range after *query*; stages may stand behind it as well."""
    cursor.need("[")
    duration = cursor.duration()
    cursor.need("]")
    offset = cursor.duration() if cursor.skip("offset") else None
    late = stages(cursor)
    whole = replace(query, stages=query.stages + late) if late else query
    _check_order(whole)
    return Range(query.start, cursor.last_end, whole, duration, offset)


def _check_order(query: LogQuery) -> None:
    """Refuse what stands after ``unwrap`` and does not filter its labels."""
    places = [index for index, stage in enumerate(query.stages) if isinstance(stage, Unwrap)]
    for stage in query.stages[places[0] + 1 :] if places else ():
        if not isinstance(stage, LabelFilter):
            raise LogQLError(stage.start, "after unwrap only labels can be filtered")


def _check_operand(function: str, operand: Range) -> None:
    unwrap = next((stage for stage in operand.query.stages if isinstance(stage, Unwrap)), None)
    if unwrap is not None and function in OF_LINES:
        raise LogQLError(unwrap.start, f"{function} is of lines, not of the values that unwrap takes from them")
    if unwrap is None and function in OF_VALUES:
        raise LogQLError(operand.start, f"{function} is of values: its range needs `| unwrap` and a label")
