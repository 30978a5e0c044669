"""The rules that dashboards keep: each finds what breaks it, and nothing is found in ours."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest
from dashboard_lint.lint import RULES, lint
from dashboard_lint.reading import panels, variables

from oneiric.monitoring.bundle import bundle
from oneiric.monitoring.config import BundleConfig, configured

if TYPE_CHECKING:
    from collections.abc import Callable

OVERVIEW = json.loads(bundle(BundleConfig())["grafana/dashboards/oneiric-overview.json"])


def panel(made: dict[str, Any], title: str) -> dict[str, Any]:
    """Return the panel with *title*."""
    return next(panel for panel in panels(made) if panel["title"] == title)


def asking(query: str) -> Callable[[dict[str, Any]], None]:
    """Return what makes a panel of metrics ask *query*."""

    def change(made: dict[str, Any]) -> None:
        panel(made, "CPU")["targets"][0]["expr"] = query

    return change


def searching(query: str) -> Callable[[dict[str, Any]], None]:
    """Return what makes the panel of log lines ask *query*."""

    def change(made: dict[str, Any]) -> None:
        panel(made, "Warnings and errors")["targets"][0]["expr"] = query

    return change


def variable(name: str, **settings: object) -> Callable[[dict[str, Any]], None]:
    """Return what gives the variable *name* other settings."""

    def change(made: dict[str, Any]) -> None:
        variables(made)[name].update(settings)

    return change


def setting(title: str, **settings: object) -> Callable[[dict[str, Any]], None]:
    """Return what gives the panel with *title* other settings."""

    def change(made: dict[str, Any]) -> None:
        panel(made, title).update(settings)

    return change


SERIES = '{job=~"$job", instance=~"$instance"}'
OTHER = {"type": "prometheus", "uid": "abc"}
BREAKS: list[tuple[str, str, Callable[[dict[str, Any]], None]]] = [
    ("template-datasource", "datasource", variable("datasource", label="Prometheus")),
    ("template-job", "job", variable("job", multi=False)),
    ("template-job", "job", variable("job", allValue=".*")),
    ("template-instance", "instance", variable("instance", datasource=OTHER)),
    ("template-label-promql", "domain", variable("domain", query={"query": "label_values(up{, job)"})),
    ("template-label-promql", "domain", variable("domain", query="metrics(up)")),
    ("template-on-time-change-reload", "domain", variable("domain", refresh=1)),
    ("variable-known", "CPU", asking(f'up{SERIES[:-1]}, zone="$zone"}}')),
    ("variable-known", "CPU", asking(f'up{SERIES[:-1]}, zone=~"${{zone:regex}}"}}')),
    ("panel-datasource", "CPU", setting("CPU", datasource=OTHER)),
    ("panel-datasource", "CPU", lambda made: panel(made, "CPU")["targets"][0].update(datasource=OTHER)),
    ("panel-datasource", "Swaps", lambda made: made["annotations"]["list"][0]["datasource"].update(uid="abc")),
    ("panel-title-description", "CPU", setting("CPU", description="")),
    ("panel-units", "CPU", lambda made: panel(made, "CPU")["fieldConfig"]["defaults"].update(unit="furlongs")),
    ("panel-units", "CPU", lambda made: panel(made, "CPU")["fieldConfig"]["defaults"].pop("unit")),
    ("panel-no-targets", "CPU", setting("CPU", targets=[])),
    ("panel-id", "Memory", setting("Memory", id=panel(OVERVIEW, "CPU")["id"])),
    ("target-promql", "CPU", asking(f"sum(up{SERIES}")),
    ("target-rate-interval", "CPU", asking(f"rate(a_total{SERIES}[5m])")),
    ("target-rate-interval", "CPU", asking(f"irate(a_total{SERIES}[$__range])")),
    ("target-rate-interval", "CPU", asking(f"sum(increase(a_total{SERIES}[$__interval]))")),
    ("target-job", "CPU", asking('up{instance=~"$instance"}')),
    ("target-job", "CPU", asking('1 - job:a_b:ratio{job="oneiric"}')),
    ("target-instance", "CPU", asking('topk(3, -up{job=~"$job"})')),
    ("target-instance", "CPU", asking('job_instance:a_b:ratio{job=~"$job"}')),
    ("target-counter-agg", "CPU", asking(f"sum by (job) (a_total{SERIES})")),
    ("target-counter-agg", "CPU", asking(f"delta(a_seconds_count{SERIES}[$__rate_interval])")),
    ("target-logql", "Warnings and errors", searching('{app="oneiric"} |= "a" | jsn')),
    ("target-logql-auto", "Warnings and errors", searching('sum(rate({app="oneiric"} |= "[a]" [5m]))')),
    ("uneditable-dashboard", "dashboard", lambda made: made.update(editable=True)),
]
"""What to change, and which rule must find it where, and no other rule."""


@pytest.mark.parametrize("settings", [(), ("matchers.env=eu", "time_scale=0.01", "job=shop")])
@pytest.mark.parametrize("name", ["overview", "resolution", "lifecycle", "remote"])
def test_our_dashboards_keep_every_rule(name: str, settings: tuple[str, ...]) -> None:
    """Nothing is found in the dashboards of the bundle, whatever its settings."""
    assert lint(json.loads(bundle(configured(settings))[f"grafana/dashboards/oneiric-{name}.json"])) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rule", "where", "change"), BREAKS, ids=[f"{name}-{n}" for n, (name, *_) in enumerate(BREAKS)]
)
def test_a_rule_finds_what_breaks_it(rule: str, where: str, change: Callable[[dict[str, Any]], None]) -> None:
    """A change that breaks one rule is found by this rule at this place, and by no other."""
    made = copy.deepcopy(OVERVIEW)
    change(made)
    assert {(finding.rule, finding.where) for finding in lint(made)} == {(rule, where)}


def test_every_rule_is_broken_above() -> None:
    """No rule is without a change that it finds."""
    assert {rule for rule, *_ in BREAKS} == RULES.keys()


@pytest.mark.parametrize("made", [{}, {"panels": [{"type": "row"}]}, {"panels": [{}], "templating": {}}])
def test_a_dashboard_that_lacks_everything_is_judged(made: dict[str, Any]) -> None:
    """What has no panels, variables or queries has findings, not a traceback."""
    assert "template-datasource" in {finding.rule for finding in lint(made)}
