"""The selectors of a PromQL query, each with the functions around it; needs the parser of the extra."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import promql_parser

from oneiric.monitoring.notation.logql import replaced

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_WINDOWS = {"__rate_interval": timedelta(seconds=86_399), "__range": timedelta(seconds=86_398)}
"""What stands for Grafana's windows while a query is parsed: lengths that nobody would write."""


@dataclass(frozen=True, slots=True)
class Selector:
    """A selector of a query.

    Attributes:
        name: The metric's name.
        matchers: The values that it asks for, by label.
        function: What it is directly given to, "" where that is no function.
        window: The variable that is its range, "" where it is none of Grafana's.
        ranged: Whether it has a range.
    """

    name: str
    matchers: Mapping[str, str]
    function: str = ""
    window: str = ""
    ranged: bool = False


def selectors(query: str, values: Mapping[str, str]) -> list[Selector]:
    """Return the selectors of *query*, whose variables have *values*; ValueError where it is no PromQL."""
    windows = {name: f"{int(length.total_seconds())}s" for name, length in _WINDOWS.items()}
    return [*_within(promql_parser.parse(replaced(query, {**values, **windows})), "")]


def _within(node: Any, function: str) -> Iterator[Selector]:
    if isinstance(node, promql_parser.VectorSelector):
        yield Selector(node.name or "", _matchers(node), function)
    elif isinstance(node, promql_parser.MatrixSelector):
        window = next((name for name, length in _WINDOWS.items() if length == node.range), "")
        inside = node.vector_selector
        yield Selector(inside.name or "", _matchers(inside), function, window, ranged=True)
    elif isinstance(node, promql_parser.Call):
        for argument in node.args:
            yield from _within(argument, node.func.name)
    else:
        for part in ("lhs", "rhs", "expr", "param"):
            if (nested := getattr(node, part, None)) is not None:
                yield from _within(nested, "")


def _matchers(selector: promql_parser.VectorSelector) -> dict[str, str]:
    return {matcher.name: matcher.value for matcher in selector.matchers.matchers}
