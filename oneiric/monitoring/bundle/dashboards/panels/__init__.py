"""Panels, in words of ours and in those of Grafana."""

from oneiric.monitoring.bundle.dashboards.panels.model import (
    Board,
    Color,
    DashboardError,
    Limit,
    Panel,
    Query,
    Row,
    Variable,
    placed,
)
from oneiric.monitoring.bundle.dashboards.panels.panels import made

__all__ = [
    "Board",
    "Color",
    "DashboardError",
    "Limit",
    "Panel",
    "Query",
    "Row",
    "Variable",
    "made",
    "placed",
]
