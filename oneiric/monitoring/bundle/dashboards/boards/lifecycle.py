"""Panels about swaps, health, pauses and drains."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.monitoring.bundle.dashboards.model import Panel, Query
from oneiric.monitoring.bundle.dashboards.scope import QUANTILES, RATE, YES, above
from oneiric.monitoring.promql import NOW, scalar, total
from oneiric.observability import catalogue

if TYPE_CHECKING:
    from oneiric.monitoring.bundle.dashboards.scope import Scope


def serving(scope: Scope) -> Panel:
    """Return who served when."""
    serves = total(scope.series(catalogue.ACTIVE), by=("domain", "key", "provider"))
    return Panel(
        "Active providers",
        "Who serves now, who served before, on how many instances?",
        "states",
        "short",
        (Query(serves, "{{domain}}/{{key}}: {{provider}}"),),
        width=24,
        height=10,
    )


def health_table(scope: Scope) -> Panel:
    """Return every component with its provider and how it is."""
    labels = ("instance", "domain", "key")
    healthy = total(scope.series(catalogue.HEALTH_STATUS), by=labels, operator="min")
    checked = total(scope.series(catalogue.LAST_HEALTH_CHECK), by=labels, operator="max")
    active = total(scope.series(catalogue.ACTIVE), by=(*labels, "provider"), operator="max")
    return Panel(
        "Components",
        "Which components are unwell, and who serves there?",
        "table",
        "s",
        (Query(healthy, "Healthy", "short", YES), Query(NOW - checked, "Last check"), Query(active, "")),
        alerts=("OneiricComponentUnhealthy",),
        width=12,
        height=9,
    )


def health(scope: Scope) -> Panel:
    """Return since when components are healthy or not."""
    healthy = total(scope.series(catalogue.HEALTH_STATUS), by=("domain", "key"), operator="min")
    return Panel(
        "Health",
        "Since when is a component unwell?",
        "states",
        "bool_yes_no",
        (Query(healthy, "{{domain}}/{{key}}"),),
        words={0: ("unhealthy", "red"), 1: ("healthy", "green")},
        alerts=("OneiricComponentUnhealthy",),
        width=12,
        height=9,
    )


def swaps(scope: Scope) -> Panel:
    """Return swaps by outcome."""
    return Panel(
        "Swaps, by outcome",
        "What changed, and when?",
        "bars",
        "short",
        (Query(scope.counted(catalogue.SWAPS, "outcome"), "{{outcome}}"),),
        stacked=True,
    )


def swap_failures(scope: Scope) -> Panel:
    """Return failed swaps by domain, with the threshold of their alert."""
    return Panel(
        "Failed swaps a minute, by domain",
        "Where do swaps fail?",
        "lines",
        "short",
        (Query(scope.a_minute(catalogue.SWAP_FAILURES, "domain"), "{{domain}}"),),
        limits=above(scope.config.swap_failures_per_minute),
        alerts=("OneiricSwapFailures",),
    )


def swap_reasons(scope: Scope) -> Panel:
    """Return failed swaps by reason."""
    return Panel(
        "Failed swaps a minute, by reason",
        "Why do swaps fail?",
        "lines",
        "short",
        (Query(scope.a_minute(catalogue.SWAP_FAILURES, "reason", seen=True), "{{reason}}"),),
        stacked=True,
    )


def rollbacks(scope: Scope) -> Panel:
    """Return rollbacks by component."""
    return Panel(
        "Rollbacks",
        "What was rolled back?",
        "bars",
        "short",
        (Query(scope.counted(catalogue.ROLLBACKS, "domain", "key", seen=True), "{{domain}}/{{key}}"),),
        alerts=("OneiricRollbackBurst",),
        stacked=True,
    )


def swap_duration(scope: Scope) -> Panel:
    """Return the percentiles of the time a swap takes."""
    queries = tuple(
        Query(expr, f"p{share * 100:g}")
        for share, expr in zip(QUANTILES, scope.quantiles(catalogue.SWAP_DURATION), strict=True)
    )
    return Panel(
        "Swap duration",
        "Do swaps take longer than they did?",
        "lines",
        "ms",
        queries,
        limits=above(scope.config.swap_slow_seconds * 1000),
        alerts=("OneiricSwapSlow",),
    )


def swap_map(scope: Scope) -> Panel:
    """Return how the time that swaps take is distributed."""
    return Panel(
        "Swaps by duration",
        "Is a swap slow now and then, or always?",
        "heatmap",
        "ms",
        (Query(scope.buckets(catalogue.SWAP_DURATION), "{{le}}"),),
        alerts=("OneiricSwapSlow",),
    )


def under_way(scope: Scope) -> Panel:
    """Return the row of operations under way and instances alive."""
    return Panel(
        "Swaps under way and instances alive",
        "Does a swap hang, or do instances pile up?",
        "lines",
        "short",
        (
            Query(total(scope.series(catalogue.SWAPS_IN_PROGRESS), by=("domain",)), "{{domain}} swaps"),
            Query(total(scope.series(catalogue.INSTANCES), by=("domain",)), "{{domain}} instances"),
        ),
    )


def components(scope: Scope) -> Panel:
    """Return components by the state of their last activation."""
    return Panel(
        "Components, by state",
        "Could something not be activated?",
        "lines",
        "short",
        (Query(total(scope.series(catalogue.COMPONENTS), by=("state",)), "{{state}}"),),
        stacked=True,
    )


def check_failures(scope: Scope) -> Panel:
    """Return failed health checks by domain, with the threshold of their alert."""
    return Panel(
        "Failed health checks a minute, by domain",
        "Where do health checks fail?",
        "lines",
        "short",
        (Query(scope.a_minute(catalogue.HEALTH_CHECK_FAILURES, "domain"), "{{domain}}"),),
        limits=above(scope.config.health_check_failures_per_minute),
        alerts=("OneiricHealthCheckFailures",),
    )


def checks(scope: Scope) -> Panel:
    """Return how many health checks are made, and which share fails."""
    failed = total(scope.rate(catalogue.HEALTH_CHECK_FAILURES, RATE))
    share = failed / total(scope.rate(catalogue.HEALTH_CHECKS, RATE))
    return Panel(
        "Health checks that pass",
        "What share of the checks passes?",
        "lines",
        "percentunit",
        (Query(scalar(1) - share, "passed"),),
        highest=1,
    )


def check_rates(scope: Scope) -> Panel:
    """Return how many health checks are made in swaps and in between."""
    return Panel(
        "Health checks a minute, by phase",
        "Are checks made at all?",
        "lines",
        "short",
        (Query(scope.a_minute(catalogue.HEALTH_CHECKS, "phase"), "{{phase}}"),),
        stacked=True,
    )


def transitions(scope: Scope) -> Panel:
    """Return when something was paused, resumed, drained or cleared."""
    return Panel(
        "Pauses and drains",
        "Who switched what off and on, and when?",
        "bars",
        "short",
        (
            Query(scope.counted(catalogue.PAUSES, "domain", "state", seen=True), "{{domain}} {{state}}"),
            Query(scope.counted(catalogue.DRAINS, "domain", "state", seen=True), "{{domain}} {{state}}"),
            Query(scope.counted(catalogue.ACTIVITY_SUSPICIONS, "reason"), "suspect: {{reason}}"),
        ),
        stacked=True,
    )


def inactive(scope: Scope) -> Panel:
    """Return how many components are paused or draining."""
    return Panel(
        "Components paused or draining",
        "Is something switched off now?",
        "lines",
        "short",
        (
            Query(total(scope.series(catalogue.PAUSED_COMPONENTS), by=("domain",)), "{{domain}} paused"),
            Query(total(scope.series(catalogue.DRAINING_COMPONENTS), by=("domain",)), "{{domain}} draining"),
        ),
    )


def certain(scope: Scope) -> Panel:
    """Return whether it is known what is paused."""
    suspect = total(scope.series(catalogue.ACTIVITY_SUSPECT), by=("instance",), operator="max")
    degraded = total(scope.series(catalogue.ACTIVITY_DEGRADED), by=("instance", "problem"), operator="max")
    return Panel(
        "State of pauses and drains",
        "Is it certain what is paused, can it be changed, and is there a second witness?",
        "states",
        "bool_yes_no",
        (Query(suspect, "{{instance}} suspect"), Query(degraded, "{{instance}} {{problem}}")),
        words={0: ("no", "green"), 1: ("yes", "red")},
        alerts=("OneiricActivityStateSuspect",),
    )


def revisions(scope: Scope) -> Panel:
    """Return how far each replica is with the pauses that they share."""
    return Panel(
        "Revision of shared pauses",
        "Does every replica know the latest pauses?",
        "lines",
        "short",
        (Query(total(scope.series(catalogue.ACTIVITY_REVISION), by=("instance",), operator="min"), "{{instance}}"),),
        alerts=("OneiricReplicaLags",),
    )


def oldest_pause(scope: Scope) -> Panel:
    """Return how long the oldest pause has lasted."""
    since = scope.series(catalogue.OLDEST_PAUSE)
    lasting = total((NOW - (since > 0)) | since.equal(0), by=("domain",), operator="max")
    return Panel(
        "Oldest pause",
        "Was a pause forgotten?",
        "lines",
        "s",
        (Query(lasting, "{{domain}}"),),
        limits=above(scope.config.pause_forgotten_seconds),
        alerts=("OneiricPauseForgotten",),
    )


def blocked(scope: Scope) -> Panel:
    """Return how much work is refused."""
    return Panel(
        "Work refused a minute",
        "Who suffers from a pause or a drain?",
        "lines",
        "short",
        (Query(scope.a_minute(catalogue.BLOCKED, "domain", "reason", seen=True), "{{domain}} {{reason}}"),),
        stacked=True,
    )


def cleanups(scope: Scope) -> Panel:
    """Return failures to clean up."""
    return Panel(
        "Failed clean-ups",
        "Do replaced instances stay open?",
        "bars",
        "short",
        (Query(scope.counted(catalogue.CLEANUP_FAILURES, "domain"), "{{domain}}"),),
        stacked=True,
    )
