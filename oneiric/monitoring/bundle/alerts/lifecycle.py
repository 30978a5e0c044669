"""Alerts about swaps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.core import events
from oneiric.monitoring.bundle.alerts.common import (
    LIFECYCLE,
    MINUTE,
    ask,
    ask_which,
    by,
    command,
    growth,
    promql,
    search,
    stem,
)
from oneiric.monitoring.bundle.alerts.health import health
from oneiric.monitoring.promql import total
from oneiric.monitoring.rules import Alert, Group, Record, Runbook, Step
from oneiric.observability import catalogue

if TYPE_CHECKING:
    from oneiric.monitoring.config import BundleConfig
    from oneiric.monitoring.promql import Expr, PromQL

WINDOW = 5 * MINUTE
SLOW_WINDOW = 10 * MINUTE
BURST_WINDOW = 15 * MINUTE
SLOW_SWAPS = f"instance_domain_key:{stem(catalogue.SWAPS)}_slow:total"
"""Swaps that took longer than the threshold, ever; kept by a recording rule."""


def lifecycle(config: BundleConfig) -> Group:
    """Return the alerts on swaps, health checks and pauses."""
    record = Record(SLOW_SWAPS, _slow(config))
    swaps = (_swap_failures(config), _swap_slow(config), _rollbacks(config))
    return Group("oneiric-lifecycle", (record, *swaps, *health(config)))


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
        description="Swaps of domain {{ $labels.domain }} fail: {{ $value | humanize }} a minute over the last "
        f"{config.window(WINDOW)} (threshold {config.swap_failures_per_minute:g}).",
        inhibits=("OneiricRollbackBurst",),
        dashboard=LIFECYCLE,
        runbook=_failures_runbook(config, failures),
    )


def _failures_runbook(config: BundleConfig, failures: Expr) -> Runbook:
    return Runbook(
        "New providers cannot take over.",
        "Users keep the previous provider. A component that had none is not available.",
        (
            ask_which("Which keys fail, and why?", total(failures, by=by(config, "domain", "key", "reason")) * MINUTE),
            ask("Which provider serves each key now?", promql(config).series(catalogue.ACTIVE)),
            search(config, "What error does each failed swap report?", events.Swap, "failed"),
            search(config, "What did the health checks report?", events.HealthCheck, "failed"),
        ),
        (
            command(
                "`health`: the new provider starts, but its health check fails. Fix its settings or what it "
                "depends on, then check it.",
                "oneiric health --probe",
            ),
            command(
                "`factory`: the provider cannot be created. Fix the import path, its settings or its start-up "
                "code. This shows which factory is used:",
                "oneiric explain KEY --domain DOMAIN",
            ),
            Step(
                "`timeout`: find out what the provider waits for, or raise `lifecycle.activation_timeout` or "
                "`lifecycle.health_timeout`, and restart the service."
            ),
            Step("`no_candidate`: no provider is registered under that name. Go to OneiricResolutionFailures."),
            command(
                "A new version of a provider caused it: select the previous provider again.",
                "oneiric swap KEY --domain DOMAIN --provider PREVIOUS",
            ),
            Step("A job or script repeats the swap: stop it. A swap that failed fails again until its cause is fixed."),
        ),
        "A provider that cannot start now and then is normal during a rollout, one a minute and more is not. "
        "Normal: none.",
        "Safe during a planned rollout, as long as the previous providers serve.",
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
        summary="A swap of {{ $labels.domain }}/{{ $labels.key }} was slow",
        description="A swap of {{ $labels.domain }}/{{ $labels.key }} on {{ $labels.instance }} took more than "
        f"{config.swap_slow_seconds:g} s, within the last {config.window(SLOW_WINDOW)}.",
        dashboard=LIFECYCLE,
        runbook=_swap_slow_runbook(config, keys, query, window),
    )


def _swap_slow_runbook(config: BundleConfig, keys: tuple[str, ...], query: PromQL, window: str) -> Runbook:
    return Runbook(
        "At least one swap took longer than the threshold, whether it succeeded or failed.",
        "Users keep the previous provider until the swap ends.",
        (
            ask(
                "How many swaps are in progress now?",
                total(query.series(catalogue.SWAPS_IN_PROGRESS), by=by(config, "domain")),
            ),
            ask_which(
                "How long do the swaps of each key take, on average?",
                total(query.rate(catalogue.SWAP_DURATION, window, suffix="_sum"), by=keys)
                / total(query.rate(catalogue.SWAP_DURATION, window, suffix="_count"), by=keys),
            ),
            search(config, "Which swap was slow? See `duration_ms`.", events.Swap, "success"),
            search(config, "Did a slow swap fail in the end?", events.Swap, "failed"),
            search(config, "Which swap has begun and not ended? (level debug)", events.Swap, "started"),
        ),
        (
            Step("The factory loads data or opens connections: move that work out of the factory."),
            Step("The health check waits for another service: give the check a deadline of its own."),
            command(
                "The provider needs this long: raise the threshold of the alert, and load the rules again.",
                "oneiric monitoring export --set swap_slow_seconds=60 --out BUNDLE",
            ),
        ),
        "The threshold is the setting `swap_slow_seconds`. Normal: a swap takes milliseconds to a few seconds, "
        "most of it in the provider's own start.",
        "Safe while the swaps succeed.",
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
        summary="Swaps of {{ $labels.domain }}/{{ $labels.key }} are rolled back repeatedly",
        description="Swaps of {{ $labels.domain }}/{{ $labels.key }} were rolled back "
        f'{{{{ $value | printf "%.0f" }}}} times over the last {config.window(BURST_WINDOW)} '
        f"(threshold {config.rollbacks_burst_count}).",
        dashboard=LIFECYCLE,
        runbook=Runbook(
            "Somebody or something keeps trying a provider that does not work.",
            "Users keep the previous provider. Each attempt costs a start and a stop.",
            (
                ask("Which provider serves now?", promql(config).series(catalogue.ACTIVE)),
                search(config, "Which provider was restored, and when?", events.RolledBack),
                search(config, "Why did the swaps fail?", events.Swap, "failed"),
            ),
            (
                Step("Stop what requests the swaps: a deployment, a script, a selection that is saved repeatedly."),
                command(
                    "Fix the provider by the errors of its failed swaps, then swap once.",
                    "oneiric swap KEY --domain DOMAIN --provider NEW",
                ),
            ),
            "One rollback protects users and needs no alert; several of one key mean that something repeats a "
            "failure. Normal: none.",
            "Safe while the previous provider serves and somebody works on the new one.",
        ),
    )


def _slow(config: BundleConfig) -> Expr:
    return promql(config).above(catalogue.SWAP_DURATION, config.swap_slow_seconds * 1000)
