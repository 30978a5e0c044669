"""Grafana's dashboards, and what has Grafana load them."""

from oneiric.monitoring.dashboards.files import MissingExtraError, files

__all__ = ["MissingExtraError", "files"]
