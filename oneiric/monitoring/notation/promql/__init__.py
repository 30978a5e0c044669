"""PromQL, read into a tree."""

from oneiric.monitoring.notation.promql.parsing import MAX_LENGTH, QueryError, parse
from oneiric.monitoring.notation.promql.tokens import (
    STRING,
    VARIABLE,
    VARIABLE_NAME,
    VARIABLE_NUMBER,
    has_variable,
    seconds,
    variable_name,
    without_variables,
)
from oneiric.monitoring.notation.promql.tree import (
    Aggregation,
    Binary,
    Call,
    Matcher,
    Negative,
    Node,
    Number,
    Range,
    Selector,
    String,
    Word,
    is_new,
)

__all__ = [
    "MAX_LENGTH",
    "STRING",
    "VARIABLE",
    "VARIABLE_NAME",
    "VARIABLE_NUMBER",
    "Aggregation",
    "Binary",
    "Call",
    "Matcher",
    "Negative",
    "Node",
    "Number",
    "QueryError",
    "Range",
    "Selector",
    "String",
    "Word",
    "has_variable",
    "is_new",
    "parse",
    "seconds",
    "variable_name",
    "without_variables",
]
