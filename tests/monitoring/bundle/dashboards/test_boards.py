"""What the dashboards hold: every metric, every alert's runbook, and the same text every time."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from bundles import exported
from dashboard_lint.reading import asked, panels, variables
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from oneiric.monitoring.bundle import bundle
from oneiric.monitoring.bundle.alerts import alerts
from oneiric.monitoring.bundle.dashboards.boards import boards
from oneiric.monitoring.bundle.dashboards.boards.collection import overview
from oneiric.monitoring.bundle.dashboards.grafana import dashboard_json
from oneiric.monitoring.bundle.dashboards.model import Board, DashboardError, Panel, Query, Row, placed
from oneiric.monitoring.config import BundleConfig, configured
from oneiric.monitoring.promql import Expr
from oneiric.observability import catalogue
from oneiric.observability.catalogue import CATALOGUE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONFIG = BundleConfig()
BOARDS = boards(CONFIG)
SCHEMA_OF_GRAFANA_11_6 = 41
NOT_IN_THE_BUILDER = {"titleFormat"}
"""Fields that Grafana reads and its builder's types do not have: the text of a mark from Prometheus."""


def lost(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """Return the paths at which *after* lacks or changes something of *before*."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name, value in before.items():
            yield from lost(value, after.get(name), f"{path}.{name}")
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from lost(one, other, f"{path}[{number}]")
    elif before != after:
        yield path


def test_grafanas_types_hold_all_of_a_dashboard(dashboard: dict[str, Any]) -> None:
    """Read into Grafana's own types and written again, a dashboard loses nothing: it has no unknown field."""
    register_default_plugins()
    again = json.loads(json.dumps(Dashboard.from_json(dashboard), cls=JSONEncoder))
    assert {path.rpartition(".")[2] for path in lost(dashboard, again)} == NOT_IN_THE_BUILDER


def test_a_field_that_grafana_does_not_have_is_lost() -> None:
    """What the types do not know does not survive, so that the test above would see it."""
    register_default_plugins()
    made = json.loads(exported()["grafana/dashboards/oneiric-overview.json"])
    made["panels"][1]["fieldConfig"]["defaults"]["units"] = "s"
    again = json.loads(json.dumps(Dashboard.from_json(made), cls=JSONEncoder))
    assert ".panels[1].fieldConfig.defaults.units" in [*lost(made, again)]


def test_a_file_can_be_provisioned(dashboard: dict[str, Any]) -> None:
    """It is of Grafana 11.6's schema, has its uid, and nothing that an import asks for or a save changes."""
    assert dashboard["schemaVersion"] == SCHEMA_OF_GRAFANA_11_6
    assert {"__inputs", "__requires", "id", "version", "iteration", "gnetId"} & dashboard.keys() == set()
    assert dashboard["editable"] is False


def test_making_them_again_changes_nothing() -> None:
    """Another process, with another seed of its hashes, makes the same text."""
    code = (
        "from oneiric.monitoring.bundle import bundle; from oneiric.monitoring.config import BundleConfig;"
        "import json; print(json.dumps(bundle(BundleConfig())), end='')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == exported()


def test_every_metric_is_shown_somewhere() -> None:
    """Each metric of the catalogue is on a panel of some dashboard, unless it says why nothing asks for it."""
    shown = frozenset().union(*(panel.metrics for board in BOARDS for panel in board.panels))
    assert shown == {metric.name for metric in CATALOGUE.metrics if not metric.unused}


def test_a_panel_says_what_its_metrics_mean(dashboard: dict[str, Any]) -> None:
    """Each panel of metrics has the help of each metric in its description."""
    helps = {metric.name: metric.help for metric in CATALOGUE.metrics}
    board = next(board for board in BOARDS if board.uid == dashboard["uid"])
    for panel, made in zip(board.panels, panels(dashboard), strict=True):
        assert all(helps[name] in made["description"] for name in panel.metrics), panel.title
        assert made["description"]


def test_the_runbook_of_every_alert_is_one_click_away() -> None:
    """Each alert's dashboard has a panel that links its runbook, but for those that say only that alerting works."""
    config = configured(["docs_url=https://docs.example/x"])
    texts = bundle(config)
    for alert in alerts(config):
        if alert.severity != "info":
            text = texts[f"grafana/dashboards/{alert.dashboard}.json"]
            assert f'"https://docs.example/x/runbooks/ALERTS.md#{alert.name.lower()}"' in text, alert.name


def test_without_an_address_a_panel_names_the_page_of_runbooks(dashboard: dict[str, Any]) -> None:
    """Where nobody knows at which address documents are, no panel links a runbook, and each names it in words."""
    board = next(board for board in BOARDS if board.uid == dashboard["uid"])
    assert "Runbooks" not in {link["title"] for link in dashboard["links"]}
    for panel, made in zip(board.panels, panels(dashboard), strict=True):
        assert not made.get("links")
        assert all(f"Runbook: {CONFIG.runbook(name)}." in made["description"] for name in panel.alerts), panel.title


def test_panels_keep_their_ids_where_others_come_and_go() -> None:
    """A panel's id, which links to it have, depends on its title only, and no other panel of the dashboard has it."""
    for board in BOARDS:
        numbers = [panel.number for panel in board.panels]
        assert len({*numbers}) == len(numbers)
    board = BOARDS[0]
    fewer = replace(board, rows=(replace(board.rows[0], panels=board.rows[0].panels[3:]), *board.rows[2:]))
    kept = {panel.title: panel.number for panel in board.panels}
    assert all(kept[panel.title] == panel.number for panel in fewer.panels)


def test_panels_do_not_overlap() -> None:
    """Each cell of the grid belongs to one panel or row at most, and none is beyond the last column."""
    for board in BOARDS:
        taken: set[tuple[int, int]] = set()
        for row, head, inside in placed(board):
            for place in [head] if row.collapsed else [head, *(place for _, place in inside)]:
                cells = {
                    (x, y)
                    for x in range(place.x, place.x + place.width)
                    for y in range(place.y, place.y + place.height)
                }
                assert max(x for x, _ in cells) < 24
                assert not cells & taken
                taken |= cells


def test_settings_reach_the_dashboards() -> None:
    """Thresholds, labels and addresses of one's own are what the dashboards draw, ask and link."""
    config = configured(["resolution_p99_seconds=0.25", "matchers.env=eu", "docs_url=https://docs.example/x"])
    made = json.loads(dashboard_json(overview(config), config))
    latency = next(panel for panel in panels(made) if panel["title"] == "Resolution latency")
    steps = latency["fieldConfig"]["defaults"]["thresholds"]["steps"]
    assert [step["value"] for step in steps] == [None, 0.25]
    assert latency["links"][0]["url"].startswith("https://docs.example/x/runbooks/ALERTS.md#")
    metrics = [query for query in asked(made) if query.kind == "prometheus" and "$instance" in query.expr]
    assert all('env="eu"' in query.expr for query in metrics)


def test_variables_follow_one_another(dashboard: dict[str, Any]) -> None:
    """The sources come first, then job, instance and what else is chosen, each asking within those before it."""
    found = variables(dashboard)
    assert [*found][:4] == ["datasource", "loki", "job", "instance"]
    assert "domain" in found or "source" in found
    for name in [*found][3:]:
        assert 'job=~"$job"' in found[name]["query"]["query"]
        assert found[name]["multi"] and found[name]["includeAll"]  # noqa: PT018 - both or it is no choice


def test_a_panel_with_an_unknown_alert_is_refused() -> None:
    """A panel that names an alert which does not exist is an error when it is made."""
    panel = Panel("Here", "Why?", "stat", queries=(Query(Expr("up"), "up"),), alerts=("OneiricNoSuch",))
    board = Board("oneiric-x", "X", "X.", (), (Row("Row", (panel,)),))
    with pytest.raises(DashboardError, match="'Here': there is no alert OneiricNoSuch"):
        dashboard_json(board, CONFIG)


def test_two_panels_of_one_title_are_refused() -> None:
    """A title twice on one dashboard is an error: both panels would have one id."""
    panel = Panel("Here", "Why?", "stat", queries=(Query(Expr("up"), "up"),))
    with pytest.raises(DashboardError, match="oneiric-x: two panels"):
        Board("oneiric-x", "X", "X.", (), (Row("Row", (panel, panel)),))


def test_histograms_show_exemplars(dashboard: dict[str, Any]) -> None:
    """Each query of a histogram's buckets asks for exemplars, and no other does."""
    histograms = tuple(f"{metric.name}_bucket" for metric in CATALOGUE.metrics if metric.type == "histogram")
    targets = [target for panel in panels(dashboard) for target in panel.get("targets", ()) if "expr" in target]
    for target in targets:
        assert bool(target.get("exemplar")) == any(name in target["expr"] for name in histograms), target["expr"]
    assert catalogue.RESOLUTION_DURATION.name in str(BOARDS[1])


def test_a_missing_extra_is_said_in_one_line(tmp_path: Path) -> None:
    """Where Grafana's builder is not installed the export says what to install, and writes nothing."""
    code = "import sys; sys.modules['grafana_foundation_sdk'] = None; from oneiric.cli import main; main()"
    command = [sys.executable, "-c", code, "monitoring", "export", "--out", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    needed = "dashboards need Grafana's builder, which the extra monitoring brings"
    how = "pip install '.[monitoring]' in a clone of Oneiric's repository"
    assert done.stderr == f"oneiric: {needed}: {how}\n"
    assert not (tmp_path / "out").exists()
