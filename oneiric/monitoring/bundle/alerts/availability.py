"""Alerts about whether anything can be seen at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.monitoring.bundle.alerts.common import (
    FLAPPING_CHANGES,
    FLAPPING_WINDOW,
    MINUTE,
    OVERVIEW,
    ask,
    command,
    promql,
    search,
)
from oneiric.monitoring.config import MINIMUM_SAMPLES
from oneiric.monitoring.promql import Expr, absent, changes, labelled
from oneiric.monitoring.rules import Alert, Group, Runbook, Step
from oneiric.observability import catalogue
from oneiric.observability import events as own

if TYPE_CHECKING:
    from oneiric.monitoring.config import BundleConfig


_INSTANCE = "{{ $labels.instance }}"


def availability(config: BundleConfig) -> Group:
    """Return the alerts on targets, metrics and the alerting itself."""
    return Group("oneiric-availability", (_target_down(config), _metrics_missing(config), _watchdog(config)))


def _target_down(config: BundleConfig) -> Alert:
    query, window = promql(config), config.window(FLAPPING_WINDOW)
    minutes = config.window_seconds(FLAPPING_WINDOW) / MINUTE
    up, hold = query.up(), max(MINUTE, MINIMUM_SAMPLES * config.scrape_interval_seconds / config.time_scale)
    return Alert(
        "OneiricTargetDown",
        severity="critical",
        team="platform",
        expr=up.equal(0) | (changes(up, window) >= FLAPPING_CHANGES),
        hold=hold,
        looks_back=FLAPPING_WINDOW,
        summary=f"{_INSTANCE} cannot be scraped",
        description=f"Prometheus has not been able to scrape {config.metrics_path} of {_INSTANCE} for "
        f"{config.seconds(hold):g} s, or has lost it {FLAPPING_CHANGES // 2} times within {minutes:g} minutes.",
        dashboard=OVERVIEW,
        runbook=_target_down_runbook(config, up),
    )


def _target_down_runbook(config: BundleConfig, up: Expr) -> Runbook:
    return Runbook(
        f"Prometheus cannot read `{config.metrics_path}`: the process has ended, its metrics server does not "
        "listen, or the network or the credentials in between are wrong.",
        "The instance may be down. If it runs, nothing monitors it.",
        (
            ask("Which instances are down (0), and which are up (1)?", up),
            command("Does the service run? Run this on its host.", "oneiric status"),
            command("Does it answer on its own host? See the first line.", _curl(config)),
            Step("In Prometheus, *Status, Targets* shows the error of the last scrape."),
            search(config, "Did the metrics server fail to listen?", own.MetricsServerFailed),
            search(config, "Where does it listen? Prometheus must scrape that address.", own.MetricsServerStarted),
        ),
        (
            command("The process has ended: start it again, and read its last errors.", "oneiric logs --level error"),
            command(
                "It restarts repeatedly: the last lines before each start show why.", "oneiric logs --level warning"
            ),
            Step("The process runs but does not listen: `metrics-server-failed` above names the reason."),
            Step("It answers on its own host: fix the firewall, the address or the list of targets."),
            Step("It answers 401 or 403: fix the credentials in Prometheus' scrape configuration."),
        ),
        "A restart takes less than the delay. Normal: 1 for every instance.",
        "Safe during a planned restart or removal of the instance.",
    )


def _metrics_missing(config: BundleConfig) -> Alert:
    query = promql(config)
    up, build = query.up(), query.series(catalogue.BUILD)
    silent = up.equal(1).matched("unless", build, on=("job", "instance"))
    return Alert(
        "OneiricMetricsMissing",
        severity="critical",
        team="platform",
        expr=silent | absent(up),
        hold=5 * MINUTE,
        summary="No metrics of Oneiric from {{ or $labels.instance $labels.job }}",
        description="{{ or $labels.instance $labels.job }} has exposed no metrics of the runtime for five minutes.",
        dashboard=OVERVIEW,
        runbook=Runbook(
            "A target answers, but without the runtime's metrics; or the job has no target at all.",
            "Unknown: no other alert can fire.",
            (
                ask("Are there targets? An empty result means that none is configured or discovered.", up),
                command("What does the address answer?", _curl(config)),
                search(config, "Was the telemetry attached?", own.Attached),
            ),
            (
                Step("The service is scaled to zero on purpose: silence this alert until it runs again."),
                Step(
                    "There is no target: fix the target list or the discovery. The job must be named as in the rules."
                ),
                Step("Another program answers: fix the target list or `observability.metrics_address`."),
                command(
                    "The runtime answers without its metrics: `observability.enabled` is false. Set it to true, and "
                    "restart the service.",
                    "oneiric settings show observability",
                ),
            ),
            "Five minutes cover a start. Normal: every target exposes `oneiric_build_info`.",
            "Safe only while the service is stopped on purpose.",
        ),
    )


def _watchdog(config: BundleConfig) -> Alert:
    return Alert(
        "OneiricWatchdog",
        severity="info",
        team="platform",
        expr=labelled(Expr("vector(1)"), "job", config.job),
        hold=0,
        summary="Alerting works",
        description="This alert always fires. Its receiver must raise an alarm when the notices stop.",
        dashboard=OVERVIEW,
        runbook=Runbook(
            "Prometheus evaluates rules, and Alertmanager sends notices. The alert always fires. Act when it stops.",
            "While it is missing, no alert reaches anybody.",
            (
                command("Does Prometheus answer?", f"curl -sS {config.prometheus_url}/-/healthy"),
                command("Does Alertmanager answer?", f"curl -sS {config.alertmanager_url}/-/healthy"),
            ),
            (
                Step("Restart the server that does not answer."),
                Step("Both answer: read Alertmanager's log for the notices that it could not deliver."),
            ),
            "It has no threshold. Normal: it fires all the time.",
            "Never: nothing else reports that alerting has failed.",
        ),
    )


def _curl(config: BundleConfig) -> str:
    return f"curl -sSi --max-time 10 http://{config.targets[0]}{config.metrics_path} | sed -n 1,20p"
