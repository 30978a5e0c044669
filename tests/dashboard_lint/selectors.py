"""The selectors of a PromQL query, each with the function around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from oneiric.monitoring.notation.logql import replaced
from oneiric.monitoring.notation.promql import Call, Range, Selector, parse, parts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from oneiric.monitoring.notation.promql import Expression

_WINDOWS = {"__rate_interval": 86_399, "__range": 86_398}
"""What stands for Grafana's windows while a query is parsed: seconds that nobody would write."""


@dataclass(frozen=True, slots=True)
class Selected:
    """A selector of a query.

    Attributes:
        name: The metric's name.
        matchers: The values that it asks for, by label.
        function: What it is directly given to, "" where that is no function.
        window: The variable that is its range, "" where it is none of Grafana's.
    """

    name: str
    matchers: Mapping[str, str]
    function: str = ""
    window: str = ""


def selectors(query: str, values: Mapping[str, str]) -> list[Selected]:
    """Return the selectors of *query*, whose variables have *values*; ValueError where it is no PromQL."""
    windows = {name: f"{seconds}s" for name, seconds in _WINDOWS.items()}
    return [*_within(parse(replaced(query, {**values, **windows})))]


def _within(node: Expression, function: str = "", window: float | None = None) -> Iterator[Selected]:
    if isinstance(node, Selector):
        matchers = {matcher.label.text: matcher.value.text for matcher in node.matchers}
        variable = next((name for name, seconds in _WINDOWS.items() if seconds == window), "")
        yield Selected(node.name.text, matchers, function, variable)
    elif isinstance(node, Range) and not node.is_subquery:
        yield from _within(node.inner, function, node.window)
    else:
        for part in parts(node):
            yield from _within(part, node.function if isinstance(node, Call) else "")
