"""PromQL, read into a tree."""

from oneiric.monitoring.notation.promql.errors import QueryError
from oneiric.monitoring.notation.promql.parsing import MAX_LENGTH, parse
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
    Expression,
    Matcher,
    Negative,
    Number,
    Range,
    Selector,
    String,
    Word,
    is_new,
    parts,
    walk,
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
    "Expression",
    "Matcher",
    "Negative",
    "Number",
    "QueryError",
    "Range",
    "Selector",
    "String",
    "Word",
    "has_variable",
    "is_new",
    "parse",
    "parts",
    "seconds",
    "variable_name",
    "walk",
    "without_variables",
]
