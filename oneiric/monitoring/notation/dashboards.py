"""Where Grafana's dashboards keep panels, queries and variables: in the classic model and in the second."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from oneiric.monitoring.notation.nodes import NOTHING, Node

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Target:
    """A query: its values, and what says of which data source it is asked, the nearest first."""

    node: Node
    sources: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel: its number and title, its queries, and how its values are shown."""

    number: Node
    title: Node
    targets: tuple[Target, ...]
    fields: Node = NOTHING


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable: its name and type, what it is filled from, and of which data source."""

    name: str
    type: str
    query: Node
    sources: tuple[Node, ...]


def root_of(document: Node) -> Node:
    """Return the dashboard of *document*, which may be wrapped as an API wraps it."""
    wrapped = document.get("dashboard") or document.get("spec")
    return wrapped if wrapped.kind == "map" else document


def uid_node(document: Node) -> Node:
    """Return the uid of the dashboard *document*; an object of Grafana's newer API is named by it."""
    return root_of(document).get("uid") or document.get("metadata", "name")


def panels(root: Node) -> Iterator[Panel]:
    """Give the panels of the dashboard *root*, those in rows and those of its library too."""
    for row in (root, *root.get("rows").items):
        for panel in row.get("panels").items:
            yield _classic(panel)
            yield from map(_classic, panel.get("panels").items)
    shared = root.get("__elements")
    for element in (*shared.items, *(value for _, value in shared.pairs)):
        yield Panel(NOTHING, NOTHING, _classic(element.get("model")).targets, element.get("model", "fieldConfig"))
    for _, element in root.get("elements").pairs:
        yield _second(element.get("spec"))


def _classic(panel: Node) -> Panel:
    own = panel.get("datasource")
    targets = tuple(Target(target, (target.get("datasource"), own)) for target in panel.get("targets").items)
    return Panel(panel.get("id"), panel.get("title"), targets, panel.get("fieldConfig"))


def _second(spec: Node) -> Panel:
    queries = spec.get("data", "spec", "queries").items
    targets = tuple(_asked(query.get("spec")) for query in queries)
    return Panel(spec.get("id"), spec.get("title"), targets, spec.get("vizConfig", "spec", "fieldConfig"))


def _asked(spec: Node) -> Target:
    """Return the query of the second model's *spec*, which says kind or group where the classic says type."""
    query = spec.get("query")
    return Target(query.get("spec"), (query, spec.get("datasource"), query.get("datasource")))


def annotation_queries(root: Node) -> Iterator[Target]:
    """Give the queries of the annotations of the dashboard *root*."""
    for one in root.get("annotations", "list").items:
        yield Target(one, (one.get("datasource"),))
    for one in root.get("annotations").items:
        yield _asked(one.get("spec"))


def variables(root: Node) -> Iterator[Variable]:
    """Give the variables of the dashboard *root*, and what is asked for when it is imported."""
    for one in root.get("templating", "list").items:
        query = one.get("query", "query") or one.get("query")
        yield Variable(one.word("name"), one.word("type"), query, (one.get("datasource"),))
    for one in root.get("__inputs").items:
        yield Variable(one.word("name"), one.word("type"), one.get("pluginId"), ())
    for one in root.get("variables").items:
        yield _second_variable(one)


_TYPES = {"DatasourceVariable": "datasource", "QueryVariable": "query"}


def _second_variable(node: Node) -> Variable:
    spec = node.get("spec")
    kind = _TYPES.get(node.word("kind"), "")
    if kind == "datasource":
        return Variable(spec.word("name"), kind, spec.get("pluginId"), ())
    asked = _asked(spec)
    query = asked.node.get("query") or asked.node.get("__legacyStringValue") or spec.get("definition")
    return Variable(spec.word("name"), kind, query, asked.sources)
