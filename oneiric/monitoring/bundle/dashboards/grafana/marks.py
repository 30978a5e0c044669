"""What happened, marked on every graph of a dashboard: swaps, restarts, alerts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import dashboard as models

from oneiric.core import events
from oneiric.monitoring.bundle.dashboards import foreign
from oneiric.monitoring.bundle.dashboards.grafana.sources import LOKI, PROMETHEUS
from oneiric.monitoring.bundle.dashboards.logs import formatted
from oneiric.monitoring.bundle.dashboards.scope import Scope
from oneiric.monitoring.promql import NOW

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oneiric.monitoring.bundle.dashboards.grafana.sources import DataSource
    from oneiric.monitoring.bundle.dashboards.model import Board
    from oneiric.monitoring.config import BundleConfig

STEP = 60
"""Seconds between the points at which Grafana asks Prometheus for a mark."""
NAMED = ("domain", "key")


class Mark(models.AnnotationQuery):
    """An annotation with the text that Prometheus' data source reads and the builder's type does not know."""

    title = ""

    def to_json(self) -> dict[str, object]:
        """Return the annotations as Grafana reads them."""
        return super().to_json() | {"titleFormat": self.title}


class MarkBuilder(build.AnnotationQuery):
    """Builds a :class:`Mark`."""

    def __init__(self, title: str) -> None:
        super().__init__()
        self._internal: Mark = Mark(hide=False, built_in=0)
        self._internal.title = title


def marks(config: BundleConfig, board: Board) -> Iterator[build.AnnotationQuery]:
    """Return the annotations of *board*, of the domains chosen where it has a choice of them."""
    label = "domain" if any(variable.label == "domain" for variable in board.variables) else ""
    swapped = formatted(
        config, events.Swap, "success", "swapped", *NAMED, "previous_provider", "provider", chosen=label
    )
    failed = formatted(config, events.Swap, "failed", "swap failed", *NAMED, "provider", "reason", chosen=label)
    back = formatted(config, events.RolledBack, None, "rolled back", *NAMED, "restored_provider", chosen=label)
    yield _mark(build.AnnotationQuery(), "Swaps", LOKI, "blue", swapped)
    yield _mark(build.AnnotationQuery(), "Failed swaps", LOKI, "orange", failed)
    yield _mark(build.AnnotationQuery(), "Rollbacks", LOKI, "purple", back)
    scope = Scope(config)
    started = NOW - scope.foreign(foreign.STARTED) < STEP
    yield _mark(MarkBuilder("{{instance}} started"), "Starts", PROMETHEUS, "green", started.text)
    firing = scope.firing().text
    yield _mark(MarkBuilder("{{alertname}} {{severity}}"), "Alerts", PROMETHEUS, "red", firing)


def _mark(mark: build.AnnotationQuery, name: str, source: DataSource, color: str, query: str) -> build.AnnotationQuery:
    return (
        mark.name(name).datasource(source.reference).icon_color(color).enable(enable=True).hide(hide=False).expr(query)
    )
