"""Dashboards and panels in the words of Grafana; what needs its builder."""

from oneiric.monitoring.bundle.dashboards.grafana.dashboards import dashboard_json

__all__ = [
    "dashboard_json",
]
