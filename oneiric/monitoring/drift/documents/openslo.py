"""OpenSLO's definitions: the queries of their indicators."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.monitoring.drift.queries import judge_promql

if TYPE_CHECKING:
    from oneiric.monitoring.drift.queries import Context
    from oneiric.monitoring.notation.nodes import Node


def judge_openslo(node: Node, context: Context) -> None:
    """Report what is wrong with the queries for Prometheus in the definition *node*."""
    for one in node.walk():
        source = one.get("metricSource")
        query = source.string("spec", "query")
        if query is not None and source.word("type").lower() in {"prometheus", ""}:
            judge_promql(query, context, "document")
