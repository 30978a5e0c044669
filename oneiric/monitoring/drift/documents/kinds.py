"""The kinds of documents: recognised by what is in them, and taken out of the objects of Kubernetes that carry them."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import TYPE_CHECKING, Literal

from oneiric.monitoring.drift.documents.workloads import is_compose, is_workload
from oneiric.monitoring.notation.json import read_json
from oneiric.monitoring.notation.nodes import DocumentError
from oneiric.monitoring.notation.yaml import read_yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from oneiric.monitoring.notation.nodes import Node
    from oneiric.monitoring.notation.text import Piece

DocumentKind = Literal[
    "rules",
    "alertmanager",
    "prometheus",
    "promtail",
    "alloy",
    "dashboard",
    "markdown",
    "openslo",
    "workload",
    "compose",
    "dockerfile",
    "unit",
    "other",
]

_CARRIERS = {"ConfigMap": "data", "Secret": "stringData"}
"""Objects of Kubernetes that files are in, and under which key."""

_RULE = ("alert", "record", "expr")
_YAML = re.compile(r"^[\s-]*[\"']?(?:groups|alert|record|receivers|scrape_configs|expr)[\"']?\s*:", re.MULTILINE)
_JSON = re.compile(r'"(?:panels|expr|elements)"\s*:')
_TEMPLATE = re.compile(
    r"\{\{-?\s*(?:/\*|\(?\.?(?:Values|Release|Chart|Capabilities)\b|(?:include|template|tpl|toYaml|define)\s)|\{%"
)
_ALERT_TEMPLATE = re.compile(r"\$(?:labels|value|externalLabels)\b")


def read(piece: Piece, suffix: str) -> list[Node]:
    """Return the documents of *piece*, and those that objects of Kubernetes among them carry.

    Raises:
        DocumentError: It is not what its name's *suffix* says, or too deep or too long.
    """
    nodes = [read_json(piece)] if suffix == ".json" else read_yaml(piece)
    return [carried for node in nodes for carried in _carried(node)]


def _carried(node: Node) -> Iterator[Node]:
    """Give *node*, or what it carries: the items of a list, the files of a ConfigMap, the JSON of a dashboard."""
    kind = node.word("kind")
    if kind.endswith("List") and node.get("items").kind == "list":
        for item in node.get("items").items:
            yield from _carried(item)
    elif kind in _CARRIERS:
        for name, value in node.get(_CARRIERS[kind]).pairs:
            if value.kind == "string" and PurePath(name.text.text).suffix in {".json", ".yml", ".yaml", ".rules"}:
                yield from _inner(value.text, PurePath(name.text.text).suffix)
    elif kind == "GrafanaDashboard" and (text := node.string("spec", "json")) is not None:
        yield from _inner(text, ".json")
    else:
        yield node


def _inner(piece: Piece, suffix: str) -> list[Node]:
    try:
        return read(piece, suffix)
    except DocumentError as error:
        place = piece.offsets[min(error.offset, len(piece.text))]
        raise DocumentError(str(error), place, error.code) from None


def kind_of(node: Node) -> DocumentKind:
    """Return the kind of the document *node*."""
    if node.word("kind") == "PrometheusRule" or _has_rules(node):
        return "rules"
    if node.get("route") and node.get("receivers"):
        return "alertmanager"
    if node.get("scrape_configs"):
        return "promtail" if _is_promtail(node) else "prometheus"
    if node.word("apiVersion").startswith("openslo/"):
        return "openslo"
    return next((kind for kind, fits in _FITTING if fits(node)), "other")


def _is_promtail(node: Node) -> bool:
    """Whether *node*, which says what is scraped, is about lines; where they go may be said in another file."""
    jobs = node.get("scrape_configs").items
    return bool(node.get("clients") or node.get("positions")) or any(job.get("pipeline_stages") for job in jobs)


def _has_rules(node: Node) -> bool:
    """Whether *node* has groups of rules; groups of users, of updates, or of Grafana's own alerts are others."""
    groups = node.get("groups")
    if groups.kind != "list":
        return groups.kind in {"string", "number"} and len(node.pairs) == 1
    for group in groups.items:
        rules = group.get("rules")
        if rules.kind in {"string", "number"} or any(rule.get(key) for rule in rules.items for key in _RULE):
            return True
    return False


def _has_panels(node: Node) -> bool:
    inner = node.get("dashboard") or node.get("spec") or node
    return any(part.get("panels") or part.get("rows") or part.get("elements").kind == "map" for part in (node, inner))


_FITTING: tuple[tuple[DocumentKind, Callable[[Node], bool]], ...] = (
    ("workload", is_workload),
    ("compose", is_compose),
    ("dashboard", _has_panels),
)


def is_meant(text: str, suffix: str, mark: str) -> bool:
    """Whether *text*, which cannot be read, seems to be meant to be a document of a kind, or has *mark* in it."""
    found = _JSON.search(text) if suffix == ".json" else _YAML.search(text)
    return found is not None or mark in text


def is_template(text: str, offset: int) -> bool:
    """Whether *text*, which is no YAML at *offset*, is what Helm, Jinja or the like make YAML of."""
    start, end = text.rfind("\n", 0, offset) + 1, text.find("\n", offset)
    line = text[start : end if end >= 0 else len(text)]
    return _TEMPLATE.search(text) is not None or ("{{" in line and _ALERT_TEMPLATE.search(line) is None)
