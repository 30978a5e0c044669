"""Panels about whether it is up and whether anything fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.monitoring.bundle.alerts import BURNS, HOUR, MINUTE, budget_alert_name, objectives, ratio_record
from oneiric.monitoring.bundle.dashboards import foreign
from oneiric.monitoring.bundle.dashboards.model import Limit, Panel, Query
from oneiric.monitoring.bundle.dashboards.scope import NOTHING, RATE, above
from oneiric.monitoring.promql import NOW, call, scalar, total
from oneiric.observability import catalogue

if TYPE_CHECKING:
    from oneiric.monitoring.bundle.dashboards.scope import Scope
    from oneiric.monitoring.promql import Expr


def summary(scope: Scope) -> tuple[Panel, ...]:
    """Return one figure for each thing that can be wrong."""
    config = scope.config
    failures = total(scope.rate(catalogue.RESOLUTION_FAILURES, RATE)) * MINUTE
    in_a_row = total(scope.series(catalogue.CONSECUTIVE_FAILURES), operator="max")
    return (
        figure(
            "Targets down",
            "Is it up?",
            total(scalar(1) - scope.up()),
            alerts=("OneiricTargetDown", "OneiricMetricsMissing"),
        ),
        figure("Alerts firing", "Does anything need me?", call("count", scope.firing()) | NOTHING),
        figure(
            "Failed resolutions a minute",
            "Do users of the runtime get what they ask for?",
            failures,
            bad=config.resolution_failures_per_minute,
            alerts=("OneiricResolutionFailures",),
        ),
        figure(
            "Unhealthy components",
            "Is a component unwell?",
            total(scalar(1) - scope.series(catalogue.HEALTH_STATUS)),
            alerts=("OneiricComponentUnhealthy",),
        ),
        figure(
            "Failed syncs in a row",
            "Do new manifests arrive?",
            in_a_row,
            bad=config.sync_consecutive_failures,
            alerts=("OneiricRemoteSyncFailures",),
        ),
        figure(
            "Components paused",
            "Is something switched off on purpose?",
            total(scope.series(catalogue.PAUSED_COMPONENTS)),
            alerts=("OneiricPauseForgotten",),
        ),
    )


def figure(title: str, question: str, expr: Expr, *, bad: float = 1, alerts: tuple[str, ...] = ()) -> Panel:
    """Return a panel of one count, red from *bad* up."""
    return Panel(
        title, question, "stat", "short", (Query(expr, title),), limits=above(bad), alerts=alerts, width=4, height=4
    )


def availability(scope: Scope) -> Panel:
    """Return since when each target is up or down."""
    return Panel(
        "Up",
        "Which instance is down, and since when?",
        "states",
        "bool_yes_no",
        (Query(total(scope.up(), by=("instance",), operator="min"), "{{instance}}"),),
        words={0: ("down", "red"), 1: ("up", "green")},
        alerts=("OneiricTargetDown",),
    )


def failing(scope: Scope) -> Panel:
    """Return everything that fails, side by side."""
    kinds = {
        "resolutions": catalogue.RESOLUTION_FAILURES,
        "swaps": catalogue.SWAP_FAILURES,
        "health checks": catalogue.HEALTH_CHECK_FAILURES,
        "syncs": catalogue.SYNC_FAILURES,
        "work refused": catalogue.BLOCKED,
    }
    queries = tuple(Query(scope.a_minute(metric), name) for name, metric in kinds.items())
    return Panel("Failures a minute", "What fails, and since when?", "lines", "short", queries)


def firing() -> Panel:
    """Return the list of alerts."""
    return Panel("Alerts", "Which alerts are pending or firing?", "alerts")


def running(scope: Scope) -> Panel:
    """Return the table of versions, instances and start times."""
    labels = ("instance", "version", "python", "implementation")
    build = total(scope.series(catalogue.BUILD), by=labels, operator="max")
    started = total(scope.foreign(foreign.STARTED), by=("instance",), operator="min")
    return Panel(
        "What runs",
        "Was something restarted or upgraded?",
        "table",
        "s",
        (Query(NOW - started, "Up for"), Query(build, "")),
        width=12,
        height=7,
    )


def burning(scope: Scope, dashboard: str = "") -> Panel:
    """Return how fast the error budgets burn; with *dashboard*, those that belong there."""
    config = scope.config
    kept = [objective for objective in objectives(config) if dashboard in {"", objective.dashboard}]
    queries = tuple(
        Query(scope.of_rule(ratio_record(config, objective, HOUR)) / round(1 - objective.target, 9), objective.title)
        for objective in kept
    )
    slow, fast = min(burn.factor for burn in BURNS), max(burn.factor for burn in BURNS)
    burns = BURNS if dashboard else BURNS[:1]
    return Panel(
        "Error budget, times too fast over an hour",
        "Is an objective in danger?",
        "lines",
        "short",
        queries,
        limits=(Limit(None, "green"), Limit(slow, "orange"), Limit(fast, "red")),
        alerts=tuple(budget_alert_name(objective, burn) for objective in kept for burn in burns),
        width=12,
        height=7,
    )
