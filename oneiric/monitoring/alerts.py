"""Every alert, with its runbook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.monitoring.promql import PromQL, total
from oneiric.monitoring.rules import Alert, Group, Runbook, Step
from oneiric.observability import catalogue

if TYPE_CHECKING:
    from oneiric.monitoring.config import BundleConfig

MINUTE = 60.0


def promql(config: BundleConfig) -> PromQL:
    """Return what makes expressions over the series of the configured job."""
    matchers = {"job": config.job, **config.matchers}
    return PromQL({name: f'="{value}"' for name, value in matchers.items()}, config.matchers)


def alert_groups(config: BundleConfig) -> tuple[Group, ...]:
    """Return the alerts for *config*, by subject."""
    return (_swaps(config),)


def _swaps(config: BundleConfig) -> Group:
    query = promql(config)
    failures = total(query.rate(catalogue.SWAP_FAILURES, config.window(5 * MINUTE)), by=("job", "instance")) * MINUTE
    return Group(
        "oneiric-lifecycle",
        (
            Alert(
                "OneiricSwapFailures",
                severity="critical",
                team="providers",
                expr=failures > config.swap_failures_per_minute,
                hold=0,
                summary="Swaps fail on {{ $labels.instance }}",
                description="{{ $value | humanize }} swaps a minute fail.",
                dashboard="oneiric-lifecycle",
                runbook=Runbook("Swaps fail.", "The previous provider serves on.", (Step("Look."),), (Step("Mend."),)),
            ),
        ),
    )
