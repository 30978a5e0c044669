"""What a dashboard's JSON asks of its data sources, with its variables as they stand."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from oneiric.monitoring.notation import dashboards
from oneiric.monitoring.notation.json import read_json
from oneiric.monitoring.notation.nodes import NOTHING
from oneiric.monitoring.notation.text import Piece, Source

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True, slots=True)
class Asked:
    """A query as it stands in a dashboard.

    Attributes:
        where: The title of its panel, or the name of its annotation.
        expr: The query, with its variables.
        kind: The type of the data source that is asked.
        source: What names the data source.
        letter: The query's name in its panel.
        instant: Whether it asks for one moment.
    """

    where: str
    expr: str
    kind: str
    source: str
    letter: str = ""
    instant: bool = False


def panels(dashboard: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Return every panel of *dashboard* that is not a row, those in collapsed rows too."""
    for panel in dashboard.get("panels", ()):
        if panel.get("type") == "row":
            yield from panel.get("panels", ())
        else:
            yield panel


def asked(dashboard: Mapping[str, Any]) -> tuple[Asked, ...]:
    """Return every query of the panels and annotations of *dashboard*."""
    return _asked(json.dumps(dashboard))


@lru_cache(maxsize=8)  # the rules of the lint ask for the same dashboard one after another
def _asked(text: str) -> tuple[Asked, ...]:
    root = read_json(Piece.whole(Source("", text)))
    shown = [(panel.title.word(), target) for panel in dashboards.panels(root) for target in panel.targets]
    marks = [(mark.node.word("name"), mark) for mark in dashboards.annotation_queries(root) if mark.node.get("expr")]
    return tuple(_query(where, target) for where, target in (*shown, *marks))


def _query(where: str, target: dashboards.Target) -> Asked:
    node, source = target.node, next(filter(None, target.sources), NOTHING)
    is_instant = node.word("instant") == "true"
    return Asked(where, node.word("expr"), source.word("type"), source.word("uid"), node.word("refId"), is_instant)


def variables(dashboard: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the variables of *dashboard* by their names, in order."""
    return {variable["name"]: variable for variable in dashboard.get("templating", {}).get("list", ())}


def values_query(variable: Mapping[str, Any]) -> str:
    """Return the query that lists the values of *variable*, "" where none does."""
    query = variable.get("query", "")
    return str(query.get("query", "")) if isinstance(query, dict) else str(query)
