"""Panels about the service: whether what must run does, and who changed something."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.monitoring.bundle.dashboards.model import Panel, Query
from oneiric.monitoring.bundle.dashboards.scope import NOTHING
from oneiric.monitoring.promql import total
from oneiric.observability import catalogue

if TYPE_CHECKING:
    from oneiric.monitoring.bundle.dashboards.scope import Scope


def service(scope: Scope) -> tuple[Panel, ...]:
    """Return whether it is ready, and what was changed from outside."""
    ready = total(scope.series(catalogue.RUNTIME_READY), by=("instance",), operator="min")
    required = total(scope.series(catalogue.RUNTIME_REQUIRED), by=("state",))
    return (
        Panel(
            "Ready",
            "Which instance takes no work, and since when?",
            "states",
            "bool_yes_no",
            (Query(ready, "{{instance}}"),),
            words={0: ("not ready", "red"), 1: ("ready", "green")},
            alerts=("OneiricNotReady",),
        ),
        Panel(
            "Components that must run",
            "Is one of them missing?",
            "lines",
            "short",
            (Query(required, "{{state}}"),),
            stacked=True,
            alerts=("OneiricNotReady",),
        ),
        Panel(
            "Changes from outside",
            "Who changed something: commands, reloads, selections?",
            "bars",
            "short",
            (
                Query(scope.counted(catalogue.CONTROL_REQUESTS, "command", "outcome"), "{{command}}: {{outcome}}"),
                Query(scope.counted(catalogue.RELOADS, "outcome"), "reload: {{outcome}}"),
                Query(scope.counted(catalogue.SELECTION_SWAPS, "outcome") | NOTHING, "selection: {{outcome}}"),
            ),
            alerts=("OneiricReloadFailed",),
            stacked=True,
        ),
        Panel(
            "Refreshes of secrets",
            "Are the secrets renewed?",
            "bars",
            "short",
            (Query(scope.counted(catalogue.SECRETS_REFRESHES, "outcome"), "{{outcome}}"),),
            alerts=("OneiricSecretsStale",),
            stacked=True,
        ),
    )
