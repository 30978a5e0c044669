"""Alerts about the telemetry itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.core import events
from oneiric.monitoring.bundle.alerts.common import MINUTE, OVERVIEW, ask, by, growth, promql, search
from oneiric.monitoring.logql import lines, log_of
from oneiric.monitoring.promql import labelled, total
from oneiric.monitoring.rules import Alert, Group, Runbook, Step
from oneiric.observability import catalogue
from oneiric.observability import events as own

if TYPE_CHECKING:
    from oneiric.monitoring.config import BundleConfig
    from oneiric.monitoring.promql import Expr

WINDOW = 15 * MINUTE
FAILED_SCRAPES = 4
(_SINK,) = catalogue.HOOK_ERRORS.label_names
_SCRAPE = log_of(own.ScrapeFailed)[1].const[_SINK]
"""What the log calls a scrape, as a sink."""


def telemetry(config: BundleConfig) -> Group:
    """Return the alerts on sinks, series and log lines that are lost."""
    return Group("oneiric-telemetry", (_hook_errors(config), _series_dropped(config), _suppressed(config)))


def _hook_errors(config: BundleConfig) -> Alert:
    query, window = promql(config), config.window(WINDOW)
    return Alert(
        "OneiricHookErrors",
        severity="warning",
        team="platform",
        expr=(growth(config, query.series(catalogue.HOOK_ERRORS), WINDOW, "instance", "sink") > 0) | _scrapes(config),
        hold=0,
        looks_back=WINDOW,
        summary="Errors are contained in {{ $labels.sink }} on {{ $labels.instance }}",
        description="{{ $value | humanize }} errors of {{ $labels.sink }} were contained on {{ $labels.instance }}.",
        dashboard=OVERVIEW,
        runbook=Runbook(
            "A part that must never stop the runtime failed: a telemetry sink, a status file, an export; or a part of "
            f"what scrapes collect could not be read, {FAILED_SCRAPES} times.",
            "The runtime goes on; what that part tells or keeps is incomplete.",
            (
                search("What is the error?", lines(config, events.HookFailed)),
                ask("What of the scrapes fails?", query.increase(catalogue.SCRAPE_ERRORS, window)),
                ask("Are spans lost?", query.increase(catalogue.SPANS_LOST, window)),
            ),
            (
                Step("A file cannot be written: mend its permissions or its disk."),
                Step("`otlp`, `push`: the collector or gateway is not reached: see its address and credentials."),
                Step("`otlp` with a 404 from Tempo, which takes no metrics: set `OTEL_METRICS_EXPORTER=none`."),
                Step(f"`{_SCRAPE}`: metrics are missing, and alerts on them see nothing; the log names the collector."),
                Step("`metrics_server`: its port is taken; the log names it."),
                Step("Anything else is a defect: keep the log line, it has the error's type and text."),
            ),
        ),
    )


def _scrapes(config: BundleConfig) -> Expr:
    """Return how often scrapes lacked a part, where that is so again and again: one that was slow is soon made good."""
    errors = growth(config, promql(config).series(catalogue.SCRAPE_ERRORS), WINDOW, "instance")
    return labelled(errors, _SINK, _SCRAPE) >= FAILED_SCRAPES


def _series_dropped(config: BundleConfig) -> Alert:
    query = promql(config)
    return Alert(
        "OneiricSeriesDropped",
        severity="warning",
        team="platform",
        expr=growth(config, query.series(catalogue.SERIES_DROPPED), WINDOW, "instance", "metric") > 0,
        hold=0,
        looks_back=WINDOW,
        summary="{{ $labels.metric }} has too many series on {{ $labels.instance }}",
        description="{{ $value | humanize }} samples of {{ $labels.metric }} went into the folded series `_other`.",
        dashboard=OVERVIEW,
        runbook=Runbook(
            "A metric reached its budget of label sets.",
            "Totals stay exact; which key, provider or source it was is lost for the label sets that came last.",
            (
                ask("How many series has each metric?", query.series(catalogue.SERIES)),
                search("Which metric was it first?", lines(config, own.SeriesLimitReached)),
            ),
            (
                Step("There really are that many components: raise `observability.series_budget`."),
                Step("Keys are made up at run time (an identifier in a key): give them names that stay."),
            ),
        ),
    )


def _suppressed(config: BundleConfig) -> Alert:
    query, window = promql(config), config.window(WINDOW)
    return Alert(
        "OneiricLogEventsSuppressed",
        severity="info",
        team="platform",
        expr=growth(config, query.series(catalogue.LOG_EVENTS_SUPPRESSED), WINDOW, "instance", "event") > 0,
        hold=0,
        looks_back=WINDOW,
        summary="Log lines of {{ $labels.event }} are left out on {{ $labels.instance }}",
        description="{{ $value | humanize }} lines of {{ $labels.event }} were over the rate limit.",
        dashboard=OVERVIEW,
        runbook=Runbook(
            "An event happens more often than its lines may be written.",
            "The metrics stay exact; a search in the log finds fewer lines than there were events.",
            (
                ask(
                    "Which events are written most?",
                    total(query.rate(catalogue.LOG_EVENTS, window), by=by(config, "event", "level")),
                ),
                ask("Which are left out?", query.rate(catalogue.LOG_EVENTS_SUPPRESSED, window)),
            ),
            (
                Step("Find out why it happens so often: that is the incident, this is only its shadow."),
                Step("It is meant to: raise the limit of that event in `observability.log_limits`."),
            ),
        ),
    )
