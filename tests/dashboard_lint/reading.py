"""What a dashboard's JSON asks of its data sources, with its variables as they stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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


def asked(dashboard: Mapping[str, Any]) -> Iterator[Asked]:
    """Return every query of the panels and annotations of *dashboard*."""
    for panel in panels(dashboard):
        for target in panel.get("targets", ()):
            source = target.get("datasource") or panel.get("datasource") or {}
            yield Asked(
                panel.get("title", ""),
                target.get("expr", ""),
                source.get("type", ""),
                source.get("uid", ""),
                target.get("refId", ""),
                bool(target.get("instant")),
            )
    for mark in dashboard.get("annotations", {}).get("list", ()):
        if "expr" in mark:
            yield Asked(mark.get("name", ""), mark["expr"], mark["datasource"]["type"], mark["datasource"]["uid"])


def variables(dashboard: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the variables of *dashboard* by their names, in order."""
    return {variable["name"]: variable for variable in dashboard.get("templating", {}).get("list", ())}


def values_query(variable: Mapping[str, Any]) -> str:
    """Return the query that lists the values of *variable*, "" where none does."""
    query = variable.get("query", "")
    return str(query.get("query", "")) if isinstance(query, dict) else str(query)
