"""Dashboards written for Grafana, with Grafana's own typed builder."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as models

from oneiric.monitoring.bundle.alerts import alerts
from oneiric.monitoring.bundle.dashboards.grafana.marks import marks
from oneiric.monitoring.bundle.dashboards.grafana.panels import made
from oneiric.monitoring.bundle.dashboards.grafana.sources import LOKI, PROMETHEUS
from oneiric.monitoring.bundle.dashboards.model import DashboardError, placed
from oneiric.monitoring.config import RUNBOOKS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oneiric.monitoring.bundle.dashboards.model import Board, Panel, Row, Variable
    from oneiric.monitoring.config import BundleConfig

TAG = "oneiric"
"""What every dashboard is tagged with; the links between them go by it."""
REFRESH = "30s"
SHOWN_FROM = "now-1h"
EVERYTHING = ".+"
"""What a variable stands for when all its values are chosen: no list of all of them, which may be long."""
SORT_BY_NAME = models.VariableSort.ALPHABETICAL_CASE_INSENSITIVE_ASC


def dashboard_json(board: Board, config: BundleConfig) -> str:
    """Return *board* as the JSON that Grafana reads from a file; the same for the same *board*.

    Raises:
        DashboardError: A panel names an alert that there is not.
    """
    return json.dumps(dashboard(board, config), cls=JSONEncoder, indent=2, ensure_ascii=False) + "\n"


def dashboard(board: Board, config: BundleConfig) -> models.Dashboard:
    """Return *board* in Grafana's types."""
    made_of = (
        build.Dashboard(board.title)
        .uid(board.uid)
        .description(board.description)
        .tags([TAG])
        .readonly()
        .refresh(REFRESH)
        .time(SHOWN_FROM, "now")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .variables([*_sources(), *(_chosen(variable) for variable in board.variables)])
        .annotations([*marks(config, board)])
        .links([*_links(config)])
    ).build()
    made_of.panels = [part for row in _rows(board, config) for part in row]
    return made_of


def _rows(board: Board, config: BundleConfig) -> Iterator[list[Any]]:
    known = {alert.name for alert in alerts(config)}
    for row, place, panels in placed(board):
        head = _head(row)
        head.grid_pos = models.GridPos(h=place.height, w=place.width, x=place.x, y=place.y)
        inside = [_panel(panel, config, known) for panel, _ in panels]
        for part, (_, where) in zip(inside, panels, strict=True):
            part.grid_pos = models.GridPos(h=where.height, w=where.width, x=where.x, y=where.y)
        head.panels = inside if row.collapsed else []
        yield [head] if row.collapsed else [head, *inside]


def _head(row: Row) -> models.RowPanel:
    number = sum(panel.number for panel in row.panels) % 1_000_000 + 1_000_001
    return build.Row(row.title).collapsed(row.collapsed).id(number).build()


def _panel(panel: Panel, config: BundleConfig, known: set[str]) -> models.Panel:
    if unknown := {*panel.alerts} - known:
        raise DashboardError(f"panel {panel.title!r}: there is no alert {', '.join(sorted(unknown))}")
    part = made(panel)
    part.id_val = panel.number
    part.title = panel.title
    places = {name: config.runbook(name) for name in panel.alerts}
    if config.docs_url:
        part.description = panel.description
        part.links = [_link(f"Runbook of {name}", place).build() for name, place in places.items()] or None
    else:
        part.description = "\n\n".join([panel.description, *(f"Runbook: {place}." for place in places.values())])
    return part


def _sources() -> Iterator[build.DatasourceVariable]:
    for source, label in ((PROMETHEUS, "Data source"), (LOKI, "Data source of logs")):
        yield build.DatasourceVariable(source.variable).label(label).type(source.type)


def _chosen(variable: Variable) -> build.QueryVariable:
    everything = models.VariableOption(selected=True, text="All", value="$__all")
    return (
        build.QueryVariable(variable.label)
        .label(variable.label.capitalize())
        .datasource(PROMETHEUS.reference)
        .query({"query": variable.values, "refId": f"{variable.label}-values"})
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(SORT_BY_NAME)
        .multi(multi=True)
        .include_all(include_all=True)
        .all_value(EVERYTHING)
        .current(everything)
    )


def _links(config: BundleConfig) -> Iterator[build.DashboardLink]:
    yield (
        build.DashboardLink("Dashboards")
        .type(models.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .as_dropdown(as_dropdown=True)
        .include_vars(include_vars=True)
        .keep_time(keep_time=True)
    )
    yield _link("Alerts", f"{config.grafana_url}/alerting/list?search=Oneiric")
    if config.docs_url:
        yield _link("Runbooks", f"{config.docs_url}/{RUNBOOKS}")


def _link(title: str, url: str) -> build.DashboardLink:
    return (
        build.DashboardLink(title)
        .type(models.DashboardLinkType.LINK)
        .icon("doc")
        .url(url)
        .target_blank(target_blank=True)
    )
