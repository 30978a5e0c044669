"""What Prometheus, and the runtime's own log, answer to everything that a dashboard asks."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from bundles import exported
from dashboard_lint.reading import Asked, asked, values_query, variables
from logql.lines import Line
from logql.selection import select

from oneiric.monitoring.bundle.dashboards.provisioning import TRACE_ID
from oneiric.monitoring.notation.logql import LogQuery, parse, replaced

if TYPE_CHECKING:
    from watched import Watched

WINDOWS = {"__rate_interval": "15s", "__interval": "5s", "__range": "1m"}
"""What Grafana would put for its own variables where metrics are scraped each second and a minute is shown."""

ELSEWHERE = {"Revision of shared pauses"}
"""Panels of what a demonstration does not have, a database that replicas share; tests/runtime/test_replicas.py does."""


def chosen(dashboard: dict[str, Any]) -> dict[str, str]:
    """Return what the variables stand for in a query while all their values are chosen."""
    return WINDOWS | {name: found.get("allValue") or name for name, found in variables(dashboard).items()}


def of_prometheus(dashboard: dict[str, Any]) -> list[Asked]:
    """Return the queries of *dashboard* that go to Prometheus."""
    return [query for query in asked(dashboard) if query.kind == "prometheus"]


@pytest.mark.prometheus
@pytest.mark.slow
def test_prometheus_has_an_answer_to_every_query(watched: Watched, dashboard: dict[str, Any]) -> None:
    """Each query of each panel and mark returns figures from the Prometheus that watched a demonstration."""
    values = chosen(dashboard)
    empty = [
        (query.where, query.letter)
        for query in of_prometheus(dashboard)
        if query.where not in ELSEWHERE and not watched.figures(replaced(query.expr, values), instant=query.instant)
    ]
    assert empty == []


@pytest.mark.prometheus
@pytest.mark.slow
def test_every_variable_lists_values(watched: Watched, dashboard: dict[str, Any]) -> None:
    """Each variable has values, whether all of the variables before it are chosen or only the first of each."""
    all_chosen, one_chosen = chosen(dashboard), chosen(dashboard)
    for name, variable in variables(dashboard).items():
        if query := values_query(variable) if variable["type"] == "query" else "":
            assert watched.values(replaced(query, all_chosen)), name
            first, *_ = watched.values(replaced(query, one_chosen)) or [""]
            assert first, name
            one_chosen[name] = first


@pytest.mark.prometheus
@pytest.mark.slow
def test_a_query_follows_what_is_chosen(watched: Watched, dashboard: dict[str, Any]) -> None:
    """With a value chosen that nothing has, no query of a job's series returns a figure but a sum that may be 0."""
    values = chosen(dashboard) | {"job": "nobody"}
    found = [
        query.where
        for query in of_prometheus(dashboard)
        if watched.figures(replaced(query.expr, values), instant=query.instant) and "vector(0)" not in query.expr
    ]
    assert found == []


@pytest.mark.prometheus
@pytest.mark.slow
def test_exemplars_are_kept_with_their_traces(watched: Watched) -> None:
    """Prometheus has exemplars of the histograms, each with the label that leads to its trace."""
    found = watched.exemplars("oneiric_lifecycle_swap_duration_ms_bucket")
    assert found
    assert all(re.fullmatch("[0-9a-f]{32}", exemplar["labels"][TRACE_ID]) for exemplar in found)


@pytest.mark.prometheus
@pytest.mark.slow
def test_the_log_has_an_answer_to_every_query(watched: Watched, dashboard: dict[str, Any]) -> None:
    """Each query of log lines, of panels and marks, returns lines that the demonstration wrote."""
    lines = [Line(text.rstrip(), {"app": "oneiric"}) for text in watched.lines]
    for query in asked(dashboard):
        if query.kind == "loki":
            tree = parse(replaced(query.expr, chosen(dashboard)))
            assert isinstance(tree, LogQuery)
            assert select(tree, lines), query.where


@pytest.mark.prometheus
@pytest.mark.slow
def test_a_mark_says_what_was_swapped(watched: Watched, dashboard: dict[str, Any]) -> None:
    """The text of a mark has the component and the providers in place of their fields' names."""
    lines = [Line(text.rstrip(), {"app": "oneiric"}) for text in watched.lines]
    swaps = next(query for query in asked(dashboard) if query.where == "Swaps")
    tree = parse(replaced(swaps.expr, chosen(dashboard)))
    assert isinstance(tree, LogQuery)
    entry = next(entry for entry in select(tree, lines) if entry.text)
    swap = next(found for found in map(json.loads, watched.lines) if found["event"] == "swap-complete")
    told = " ".join(f"{name}={swap[name]}" for name in ("domain", "key", "previous_provider", "provider"))
    assert entry.text == f"swapped {told}"


@pytest.mark.prometheus
@pytest.mark.slow
def test_a_log_line_leads_to_its_trace(watched: Watched) -> None:
    """What is looked for in a line is the trace that the line says, and is not found in a line without one."""
    sources = yaml.safe_load(exported()["grafana/provisioning/datasources/oneiric.yml"])["datasources"]
    (field,) = next(source["jsonData"]["derivedFields"] for source in sources if source["type"] == "loki")
    traced = 0
    for line in watched.lines:
        found = re.search(field["matcherRegex"], line)
        assert (found and found[1]) == json.loads(line).get("trace_id")
        traced += bool(found)
    assert traced
