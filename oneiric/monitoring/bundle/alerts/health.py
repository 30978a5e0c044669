"""Alerts about health checks and pauses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.core import events
from oneiric.monitoring.bundle.alerts.common import (
    FLAPPING_CHANGES,
    FLAPPING_WINDOW,
    HOUR,
    LIFECYCLE,
    MINUTE,
    ask,
    ask_which,
    by,
    command,
    promql,
    search,
)
from oneiric.monitoring.promql import NOW, changes, total
from oneiric.monitoring.rules import Alert, Runbook, Step
from oneiric.observability import catalogue

if TYPE_CHECKING:
    from oneiric.monitoring.config import BundleConfig
    from oneiric.monitoring.promql import Expr, PromQL

WINDOW = 5 * MINUTE


def health(config: BundleConfig) -> tuple[Alert, ...]:
    """Return the alerts on health checks and pauses."""
    return (_health_failures(config), _unhealthy(config), _forgotten_pause(config))


def _health_failures(config: BundleConfig) -> Alert:
    query, window = promql(config), config.window(WINDOW)
    failures = query.rate(catalogue.HEALTH_CHECK_FAILURES, window)
    return Alert(
        "OneiricHealthCheckFailures",
        severity="critical",
        team="providers",
        expr=total(failures, by=by(config, "domain")) * MINUTE > config.health_check_failures_per_minute,
        hold=0,
        looks_back=WINDOW,
        summary="Health checks of domain {{ $labels.domain }} fail",
        description="Health checks of domain {{ $labels.domain }} fail: {{ $value | humanize }} a minute over the last "
        f"{config.window(WINDOW)} (threshold {config.health_check_failures_per_minute:g}).",
        inhibits=("OneiricComponentUnhealthy",),
        dashboard=LIFECYCLE,
        runbook=_health_failures_runbook(config, failures, query, window),
    )


def _health_failures_runbook(config: BundleConfig, failures: Expr, query: PromQL, window: str) -> Runbook:
    return Runbook(
        "Health checks return false, raise an error or time out, during swaps or in the periodic probes.",
        "Requests that need these components may fail.",
        (
            ask_which("Which components fail?", total(failures, by=by(config, "domain", "key")) * MINUTE),
            ask("Which are unhealthy now?", query.series(catalogue.HEALTH_STATUS).equal(0)),
            ask(
                "Which share of the checks fails?",
                total(failures, by=by(config, "domain"))
                / total(query.rate(catalogue.HEALTH_CHECKS, window), by=by(config, "domain")),
            ),
            search(config, "What do the checks report?", events.HealthCheck, "failed"),
        ),
        (
            command(
                "A service that the component depends on is down: restore that service. The check passes again at "
                "the next probe; this probes now:",
                "oneiric health --probe",
            ),
            Step("The check times out: make it do less, or raise `lifecycle.health_timeout` and restart the service."),
            command(
                "The component itself is broken: swap to another provider.",
                "oneiric swap KEY --domain DOMAIN --provider OTHER",
            ),
        ),
        "Probes run at `observability.probe_interval`, so one broken component fails a few checks a minute. "
        "Normal: none.",
        "Safe while a dependency is down for planned maintenance.",
    )


def _unhealthy(config: BundleConfig) -> Alert:
    status, labels = promql(config).series(catalogue.HEALTH_STATUS), by(config, "instance", "domain", "key")
    unsteady = total(changes(status, config.window(FLAPPING_WINDOW)), by=labels, operator="max")
    return Alert(
        "OneiricComponentUnhealthy",
        severity="warning",
        team="providers",
        expr=total(status, by=labels, operator="min").equal(0) | (unsteady >= FLAPPING_CHANGES),
        hold=config.unhealthy_seconds,
        looks_back=FLAPPING_WINDOW,
        summary="{{ $labels.domain }}/{{ $labels.key }} is unhealthy",
        description="{{ $labels.domain }}/{{ $labels.key }} on {{ $labels.instance }} has not passed a health check "
        f"for {config.unhealthy_seconds / MINUTE:g} minutes, or has become unhealthy {FLAPPING_CHANGES // 2} times "
        f"within {config.window_seconds(FLAPPING_WINDOW) / MINUTE:g} minutes.",
        dashboard=LIFECYCLE,
        runbook=_unhealthy_runbook(config),
    )


def _unhealthy_runbook(config: BundleConfig) -> Runbook:
    return Runbook(
        "All recent health checks failed, or the component alternates between healthy and unhealthy.",
        "The component still serves requests, and they may fail.",
        (
            ask(
                "How many seconds ago was it last checked?",
                NOW - promql(config).series(catalogue.LAST_HEALTH_CHECK),
            ),
            search(config, "What do the checks report?", events.HealthCheck, "failed"),
            search(config, "Did it recover in between?", events.HealthRecovered),
        ),
        (
            command(
                "Restore the service that it depends on, then probe it.",
                "oneiric health --probe",
            ),
            command(
                "Or swap to another provider.",
                "oneiric swap KEY --domain DOMAIN --provider OTHER",
            ),
            command(
                "Nobody needs it at present: pause it, so that work is refused at once. Undo with `oneiric "
                "resume`. Its checks go on, so silence this alert.",
                'oneiric pause KEY --domain DOMAIN --note "unhealthy, see ticket"',
            ),
        ),
        "The delay leaves a restart of a dependency unnoticed. Normal: every component passes every check.",
        "Safe while the component is paused or its dependency is under maintenance.",
    )


def _forgotten_pause(config: BundleConfig) -> Alert:
    since = promql(config).series(catalogue.OLDEST_PAUSE)
    return Alert(
        "OneiricPauseForgotten",
        severity="warning",
        team="platform",
        expr=NOW - (since > 0) > config.pause_forgotten_seconds,
        hold=0,
        summary="A component of domain {{ $labels.domain }} has been paused for a long time",
        description="A component of domain {{ $labels.domain }} on {{ $labels.instance }} has been paused for "
        f"{{{{ $value | humanizeDuration }}}} (threshold {config.pause_forgotten_seconds / HOUR:g} h).",
        dashboard=LIFECYCLE,
        runbook=Runbook(
            "Somebody paused a component and has not resumed it.",
            "Work for this component is refused.",
            (
                ask("How many are paused?", promql(config).series(catalogue.PAUSED_COMPONENTS) > 0),
                ask_which(
                    "How much work is refused, a second?", promql(config).rate(catalogue.BLOCKED, config.window(WINDOW))
                ),
                search(config, "What was paused, and why? See `note`.", events.Paused),
                search(config, "Which work is refused?", events.WorkBlocked),
            ),
            (
                command("The reason has gone: resume the component.", "oneiric resume KEY --domain DOMAIN"),
                Step("It stays paused on purpose: silence this alert until the planned end."),
            ),
            "A pause is meant for minutes to hours. The threshold is the setting `pause_forgotten_seconds`. Normal: "
            "none is older.",
            "Safe for as long as the pause is planned.",
        ),
    )
