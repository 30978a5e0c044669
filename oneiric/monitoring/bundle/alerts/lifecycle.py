"""Alerts about swaps, health and pauses."""

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
    growth,
    promql,
    search,
    stem,
)
from oneiric.monitoring.logql import lines
from oneiric.monitoring.promql import NOW, changes, total
from oneiric.monitoring.rules import Alert, Group, Record, Runbook, Step
from oneiric.observability import catalogue

if TYPE_CHECKING:
    from oneiric.monitoring.config import BundleConfig
    from oneiric.monitoring.promql import Expr

WINDOW = 5 * MINUTE
SLOW_WINDOW = 10 * MINUTE
BURST_WINDOW = 15 * MINUTE
SLOW_SWAPS = f"instance_domain_key:{stem(catalogue.SWAPS)}_slow:total"
"""Swaps that took longer than the threshold, ever; kept by a recording rule."""


def lifecycle(config: BundleConfig) -> Group:
    """Return the alerts on swaps, health checks and pauses."""
    makers = (_swap_failures, _swap_slow, _rollbacks, _health_failures, _unhealthy, _forgotten_pause)
    record = Record(SLOW_SWAPS, _slow(config))
    return Group("oneiric-lifecycle", (record, *(make(config) for make in makers)))


def lifecycle_records(config: BundleConfig) -> Group:
    """Return the recording rules of the lifecycle, by domain."""
    query, labels = promql(config), by(config, "domain", "outcome")
    swaps = total(query.rate(catalogue.SWAPS, config.window(WINDOW)), by=labels)
    return Group("oneiric-lifecycle-records", (Record(f"job_domain_outcome:{stem(catalogue.SWAPS)}:rate5m", swaps),))


def _swap_failures(config: BundleConfig) -> Alert:
    query, window = promql(config), config.window(WINDOW)
    failures = query.rate(catalogue.SWAP_FAILURES, window)
    return Alert(
        "OneiricSwapFailures",
        severity="critical",
        team="providers",
        expr=total(failures, by=by(config, "domain")) * MINUTE > config.swap_failures_per_minute,
        hold=0,
        looks_back=WINDOW,
        summary="Swaps of domain {{ $labels.domain }} fail",
        description="{{ $value | humanize }} swaps a minute of domain {{ $labels.domain }} fail "
        f"(threshold {config.swap_failures_per_minute:g}).",
        inhibits=("OneiricRollbackBurst",),
        dashboard=LIFECYCLE,
        runbook=Runbook(
            "New providers cannot take over.",
            "Where there was a provider before, it serves on; where there was none, nothing serves.",
            (
                ask_which("Which keys, and why?", total(failures, by=by(config, "domain", "key", "reason")) * MINUTE),
                ask("Who serves now?", query.series(catalogue.ACTIVE)),
                search("What failed?", lines(config, events.Swap, "failed")),
                search("What did the health checks say?", lines(config, events.HealthCheck, on="failed")),
            ),
            (
                Step("`health`: the new provider starts but is not well: mend its settings or what it depends on."),
                Step("`factory`: it cannot be made: mend the import path, the settings or its start."),
                Step("`timeout`: find out what waits, or raise `lifecycle.activation_timeout` or `.health_timeout`."),
                Step("`no_candidate`: nothing is registered under that name: see OneiricResolutionFailures."),
                Step("Something swaps again and again: stop it; one failed swap is no reason for the next."),
            ),
        ),
    )


def _swap_slow(config: BundleConfig) -> Alert:
    window, keys = config.window(SLOW_WINDOW), by(config, "instance", "domain", "key")
    query = promql(config)
    return Alert(
        "OneiricSwapSlow",
        severity="warning",
        team="providers",
        expr=growth(config, query.recorded(SLOW_SWAPS, _slow(config)), SLOW_WINDOW, "instance", "domain", "key") > 0,
        hold=0,
        looks_back=SLOW_WINDOW,
        summary="A swap of {{ $labels.domain }}/{{ $labels.key }} took long",
        description="On {{ $labels.instance }} a swap of {{ $labels.domain }}/{{ $labels.key }} took more than "
        f"{config.swap_slow_seconds:g} s.",
        dashboard=LIFECYCLE,
        runbook=Runbook(
            "One swap at least was over the threshold, whether it succeeded or failed.",
            "While a swap runs, the previous provider serves; the component is not renewed for as long.",
            (
                ask(
                    "How many swaps run now?", total(query.series(catalogue.SWAPS_IN_PROGRESS), by=by(config, "domain"))
                ),
                ask_which(
                    "How long did the swaps of each key take, on average?",
                    total(query.rate(catalogue.SWAP_DURATION, window, suffix="_sum"), by=keys)
                    / total(query.rate(catalogue.SWAP_DURATION, window, suffix="_count"), by=keys),
                ),
                search("Which swap was it? `duration_ms` tells.", lines(config, events.Swap, on="success")),
                search("Or one that failed in the end?", lines(config, events.Swap, on="failed")),
                search("Which has begun and not ended? (level debug)", lines(config, events.Swap, on="started")),
            ),
            (
                Step("The factory loads or connects: let it start in the background, or prepare what it needs."),
                Step("The health check waits for something: give it a deadline of its own."),
                Step("It is meant to take that long: export the bundle with a higher `swap_slow_seconds`."),
            ),
        ),
    )


def _rollbacks(config: BundleConfig) -> Alert:
    burst = growth(config, promql(config).series(catalogue.ROLLBACKS), BURST_WINDOW, "domain", "key")
    return Alert(
        "OneiricRollbackBurst",
        severity="warning",
        team="providers",
        expr=burst >= config.rollbacks_burst_count,
        hold=0,
        looks_back=BURST_WINDOW,
        summary="Swaps of {{ $labels.domain }}/{{ $labels.key }} are rolled back again and again",
        description='{{ $value | printf "%.0f" }} swaps of {{ $labels.domain }}/{{ $labels.key }} were rolled back '
        f"(threshold {config.rollbacks_burst_count}).",
        dashboard=LIFECYCLE,
        runbook=Runbook(
            "Somebody or something goes on to try a provider that does not work.",
            "The previous provider serves on; each attempt costs a start and a stop.",
            (
                ask("Who serves now?", promql(config).series(catalogue.ACTIVE)),
                search("What was restored, and when?", lines(config, events.RolledBack)),
                search("Why did the swaps fail?", lines(config, events.Swap, on="failed")),
            ),
            (
                Step("Stop whatever asks for the swaps: a watcher, a deployment, a manifest that comes again."),
                Step("Mend the provider by what its failed swaps say, then swap once."),
            ),
        ),
    )


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
        description="{{ $value | humanize }} health checks a minute of domain {{ $labels.domain }} fail "
        f"(threshold {config.health_check_failures_per_minute:g}).",
        inhibits=("OneiricComponentUnhealthy",),
        dashboard=LIFECYCLE,
        runbook=Runbook(
            "Checks answer false, raise, or take too long, in swaps or in the probes in between.",
            "The components concerned may not do their work.",
            (
                ask_which("Which components?", total(failures, by=by(config, "domain", "key")) * MINUTE),
                ask("Which are unhealthy now?", query.series(catalogue.HEALTH_STATUS).equal(0)),
                ask(
                    "What share of the checks fails?",
                    total(failures, by=by(config, "domain"))
                    / total(query.rate(catalogue.HEALTH_CHECKS, window), by=by(config, "domain")),
                ),
                search("What did they say?", lines(config, events.HealthCheck, on="failed")),
            ),
            (
                Step("What the component depends on is down: mend that; the check will pass by itself."),
                Step("The check takes too long: give it less to do, or raise `lifecycle.health_timeout`."),
                Step("The component is broken: swap to another provider."),
            ),
        ),
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
        description="On {{ $labels.instance }} {{ $labels.domain }}/{{ $labels.key }} has not passed a check for "
        f"{config.unhealthy_seconds / MINUTE:g} minutes, or has failed {FLAPPING_CHANGES // 2} times within "
        f"{config.window_seconds(FLAPPING_WINDOW) / MINUTE:g}.",
        dashboard=LIFECYCLE,
        runbook=Runbook(
            "Every check since then failed, the last one too; or it is well and unwell by turns.",
            "The component serves, but says of itself that it cannot.",
            (
                ask("When was it last checked?", NOW - promql(config).series(catalogue.LAST_HEALTH_CHECK)),
                search("What do the checks say?", lines(config, events.HealthCheck, on="failed")),
                search("Has it recovered in between?", lines(config, events.HealthRecovered)),
            ),
            (
                Step("Mend what it depends on, or swap to another provider."),
                Step(
                    "Nobody needs it: pause it, so that no work waits for it; it is checked still: silence this alert."
                ),
            ),
        ),
    )


def _forgotten_pause(config: BundleConfig) -> Alert:
    since = promql(config).series(catalogue.OLDEST_PAUSE)
    return Alert(
        "OneiricPauseForgotten",
        severity="warning",
        team="platform",
        expr=NOW - (since > 0) > config.pause_forgotten_seconds,
        hold=0,
        summary="A component of domain {{ $labels.domain }} has been paused for long",
        description="On {{ $labels.instance }} a component of domain {{ $labels.domain }} has been paused for "
        "{{ $value | humanizeDuration }} "
        f"(threshold {config.pause_forgotten_seconds / HOUR:g} h).",
        dashboard=LIFECYCLE,
        runbook=Runbook(
            "Somebody paused a component and has not resumed it.",
            "Its work is refused all the while.",
            (
                ask("How many are paused?", promql(config).series(catalogue.PAUSED_COMPONENTS) > 0),
                ask_which("Is work refused?", promql(config).rate(catalogue.BLOCKED, config.window(WINDOW))),
                search("Who paused what, and what for? `note` tells.", lines(config, events.Paused)),
                search("Whose work is refused?", lines(config, events.WorkBlocked)),
            ),
            (
                Step("The reason is gone: resume it, `bridge.set_paused(key, paused=False)`."),
                Step("It stays paused on purpose: silence this alert in Alertmanager until then."),
            ),
        ),
    )


def _slow(config: BundleConfig) -> Expr:
    return promql(config).above(catalogue.SWAP_DURATION, config.swap_slow_seconds * 1000)
