"""Alerts about the telemetry itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.core import events
from oneiric.monitoring.bundle.alerts.common import MINUTE, OVERVIEW, ask, by, growth, promql, search
from oneiric.monitoring.logql import log_of
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
        summary="{{ $labels.sink }} reports errors on {{ $labels.instance }}",
        description="{{ $labels.sink }} on {{ $labels.instance }} reported {{ $value | humanize }} errors over the "
        f"last {config.window(WINDOW)}.",
        dashboard=OVERVIEW,
        runbook=Runbook(
            "A part that must never stop the runtime failed: a telemetry sink, a status file, an export; or a part of "
            f"the metrics could not be collected, {FAILED_SCRAPES} times.",
            "None: the runtime works. The metrics, logs or files of that part are incomplete.",
            (
                search(config, "What is the error?", events.HookFailed),
                ask("Which part of the scrapes fails?", query.increase(catalogue.SCRAPE_ERRORS, window)),
                ask("Are spans lost?", query.increase(catalogue.SPANS_LOST, window)),
            ),
            (
                Step("A file cannot be written: fix its permissions, or free space on its disk."),
                Step("`otlp`, `push`: the collector or gateway is not reachable. Check its address and credentials."),
                Step("`otlp` with a 404 from Tempo, which takes no metrics: set `OTEL_METRICS_EXPORTER=none`."),
                Step(f"`{_SCRAPE}`: metrics are missing, and alerts on them cannot fire. The log names the collector."),
                Step("`metrics_server`: its port is in use. The log names the port."),
                Step("Anything else is a defect. Save the log line: it has the type and the text of the error."),
            ),
            "One error of a sink is enough: it may repeat unseen. Normal: none.",
            "Safe while the cause is known and the missing telemetry is not needed.",
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
        description="{{ $labels.metric }} on {{ $labels.instance }} has reached its limit of series: "
        f"{{{{ $value | humanize }}}} samples were counted in the series `_other` over the last "
        f"{config.window(WINDOW)}.",
        dashboard=OVERVIEW,
        runbook=Runbook(
            "A metric reached its limit of label sets.",
            "None. Totals stay exact; the newest keys, providers or sources are counted together.",
            (
                ask("How many series has each metric?", query.series(catalogue.SERIES)),
                search(config, "Which metric reached its limit first?", own.SeriesLimitReached),
            ),
            (
                Step("There are that many components: raise `observability.series_budget`, and restart the service."),
                Step("Keys are made at run time, with an identifier in them: use constant keys."),
            ),
            "The limit protects Prometheus. Normal: far below it.",
            "Safe for some hours: alerts on totals still work.",
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
        summary="Log lines of {{ $labels.event }} are suppressed on {{ $labels.instance }}",
        description="{{ $labels.event }} on {{ $labels.instance }} exceeded its rate limit: {{ $value | humanize }} "
        f"lines were suppressed over the last {config.window(WINDOW)}.",
        dashboard=OVERVIEW,
        runbook=Runbook(
            "An event occurs more often than its rate limit allows lines.",
            "None. The metrics stay exact; the log has fewer lines than there were events.",
            (
                ask(
                    "Which events are logged most?",
                    total(query.rate(catalogue.LOG_EVENTS, window), by=by(config, "event", "level")),
                ),
                ask("Which events are suppressed?", query.rate(catalogue.LOG_EVENTS_SUPPRESSED, window)),
            ),
            (
                Step("Find out why the event occurs so often: that is the incident, this alert is a consequence."),
                Step("The rate is expected: raise the limit of the event in `observability.log_limits`."),
            ),
            "Any suppressed line is counted. Normal: none.",
            "Safe at any time.",
        ),
    )
