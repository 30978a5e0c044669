"""Grafana's dashboards, and what has Grafana load them."""

from oneiric.monitoring.bundle.dashboards.generation import MissingExtraError, files
from oneiric.monitoring.bundle.dashboards.guide import panels_page
from oneiric.monitoring.bundle.dashboards.provisioning import dashboard_provider

__all__ = [
    "MissingExtraError",
    "dashboard_provider",
    "files",
    "panels_page",
]
