"""The dashboards, one module a subject."""

from oneiric.monitoring.bundle.dashboards.boards.collection import boards

__all__ = [
    "boards",
]
