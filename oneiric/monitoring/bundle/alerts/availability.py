"""Alerts about whether anything can be seen at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.monitoring.bundle.alerts.common import (
    FLAPPING_CHANGES,
    FLAPPING_WINDOW,
    MINUTE,
    OVERVIEW,
    ask,
    promql,
    search,
)
from oneiric.monitoring.config import MINIMUM_SAMPLES
from oneiric.monitoring.logql import lines
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
        description=f"Prometheus has not reached {config.metrics_path} of {_INSTANCE} for {config.seconds(hold):g} s, "
        f"or has lost it {FLAPPING_CHANGES // 2} times within {minutes:g} minutes.",
        dashboard=OVERVIEW,
        runbook=Runbook(
            f"Prometheus cannot read `{config.metrics_path}`: the process is gone, its metrics server does not listen, "
            "or the network or the credentials between the two are wrong.",
            "Nothing of this instance is watched, and perhaps nothing of it runs.",
            (
                ask("Which instances are concerned, and are there some that are not?", up),
                Step("Ask from the machine itself: what is the first line?", _curl(config), "bash"),
                Step("Prometheus' page *Status, Targets* shows the error of the last scrape."),
                search("Could its server not listen?", lines(config, own.MetricsServerFailed)),
                search("Where does it listen? Prometheus must ask there.", lines(config, own.MetricsServerStarted)),
            ),
            (
                Step("No process: start it again, and read its last log lines for why it ended."),
                Step("It comes and goes: something ends it and starts it again; its last lines before that say why."),
                Step("The process runs but does not listen: its log says why it could not."),
                Step("It answers on the machine itself: mend the firewall, the address or the target list."),
                Step("It answers 401 or 403: the credentials in the scrape configuration are not those of the server."),
            ),
        ),
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
        description="{{ or $labels.instance $labels.job }} has had none of the runtime's metrics for five minutes.",
        dashboard=OVERVIEW,
        runbook=Runbook(
            "A target answers, but not with the runtime's metrics; or the job has no target at all.",
            "Every other alert is blind.",
            (
                ask("Are there targets? An empty answer means that none is configured or discovered.", up),
                Step("What does the address answer?", _curl(config), "bash"),
                search("Was the telemetry attached?", lines(config, own.Attached)),
            ),
            (
                Step("It is scaled to zero on purpose: silence this alert for as long, or leave one running."),
                Step("No target: mend the target list or the discovery; the job's name must be the rules' one."),
                Step("Another program answers: mend the target list or `observability.metrics_address`."),
                Step("The runtime answers without its metrics: `observability.enabled` is false there."),
            ),
        ),
    )


def _watchdog(config: BundleConfig) -> Alert:
    return Alert(
        "OneiricWatchdog",
        severity="info",
        team="platform",
        expr=labelled(Expr("vector(1)"), "job", config.job),
        hold=0,
        summary="The alerting works",
        description="This alert fires always. Who receives it must raise an alarm when it stops.",
        dashboard=OVERVIEW,
        runbook=Runbook(
            "Prometheus evaluates rules and Alertmanager passes notices on. It always fires; its absence needs you.",
            "While it is absent no alert reaches anybody.",
            (
                Step("Does Prometheus evaluate?", f"curl -sS {config.prometheus_url}/-/healthy", "bash"),
                Step("Does Alertmanager take alerts?", f"curl -sS {config.alertmanager_url}/-/healthy", "bash"),
            ),
            (Step("Start again what does not answer; then read its log for why a notice could not be delivered."),),
        ),
    )


def _curl(config: BundleConfig) -> str:
    return f"curl -sSi --max-time 10 http://{config.targets[0]}{config.metrics_path} | sed -n 1,20p"
