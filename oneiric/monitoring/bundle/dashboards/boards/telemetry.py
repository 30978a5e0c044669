"""Panels about the telemetry itself: what it loses, and what it costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.monitoring.bundle.dashboards.model import Panel, Query
from oneiric.monitoring.bundle.dashboards.scope import NOTHING, RATE, above
from oneiric.monitoring.promql import call, total
from oneiric.observability import catalogue

if TYPE_CHECKING:
    from oneiric.monitoring.bundle.dashboards.scope import Scope


def telemetry(scope: Scope) -> tuple[Panel, ...]:
    """Return whether the other panels can be believed."""
    events = total(scope.rate(catalogue.LOG_EVENTS, RATE), by=("level",))
    slowest = total(scope.series(catalogue.SCRAPE_DURATION), by=("instance",), operator="max")
    series = call("topk", total(scope.series(catalogue.SERIES), by=("metric",), operator="max"), "10")
    return (
        Panel(
            "Errors contained",
            "Does a sink, a status file or an export fail?",
            "bars",
            "short",
            (
                Query(scope.counted(catalogue.HOOK_ERRORS, "sink", seen=True), "{{sink}}"),
                Query(scope.counted(catalogue.SCRAPE_ERRORS) | NOTHING, "collectors, in a scrape"),
            ),
            alerts=("OneiricHookErrors",),
            stacked=True,
        ),
        Panel(
            "What is lost",
            "Which figures, lines and spans are incomplete?",
            "bars",
            "short",
            (
                Query(scope.counted(catalogue.SERIES_DROPPED) | NOTHING, "samples folded"),
                Query(scope.counted(catalogue.LOG_EVENTS_SUPPRESSED, "event", seen=True), "not written: {{event}}"),
                Query(scope.counted(catalogue.SPANS_LOST, "reason"), "spans: {{reason}}"),
            ),
            alerts=("OneiricSeriesDropped", "OneiricLogEventsSuppressed"),
            stacked=True,
        ),
        Panel(
            "Log events a second, by level",
            "Does it write more than usual?",
            "lines",
            "ops",
            (Query(events, "{{level}}"),),
            stacked=True,
        ),
        Panel(
            "Time that a scrape takes",
            "Does a scrape come near its time-out?",
            "lines",
            "s",
            (Query(slowest, "{{instance}}"),),
            limits=above(scope.config.scrape_interval_seconds),
            width=12,
        ),
        Panel(
            "Metrics with the most series",
            "Which metric grows towards its budget?",
            "lines",
            "short",
            (Query(series, "{{metric}}"),),
            alerts=("OneiricSeriesDropped",),
            width=12,
        ),
    )
