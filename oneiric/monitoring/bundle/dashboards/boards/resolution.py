"""Panels about resolutions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.monitoring.bundle.alerts import MINUTE
from oneiric.monitoring.bundle.dashboards.model import Panel, Query
from oneiric.monitoring.bundle.dashboards.scope import QUANTILES, RATE, above, below
from oneiric.monitoring.promql import call, quantile, scalar, total
from oneiric.observability import catalogue

if TYPE_CHECKING:
    from oneiric.monitoring.bundle.dashboards.scope import Scope

MOST = "10"
"""How many series a graph of single keys shows."""


def success(scope: Scope) -> Panel:
    """Return the share of resolutions that select a provider."""
    failed = total(scope.rate(catalogue.RESOLUTION_FAILURES, RATE))
    share = scalar(1) - failed / total(scope.rate(catalogue.RESOLUTIONS, RATE))
    return Panel(
        "Resolutions that succeed",
        "Is it failing?",
        "stat",
        "percentunit",
        (Query(share, "success"),),
        limits=below(scope.config.resolution_objective),
        alerts=("OneiricResolutionFailures",),
        width=6,
        height=5,
    )


def slowest(scope: Scope) -> Panel:
    """Return the 99th percentile of all resolutions."""
    return Panel(
        "Resolution latency, 99th percentile",
        "Is it slow?",
        "stat",
        "s",
        (Query(scope.quantiles(catalogue.RESOLUTION_DURATION)[-1], "p99"),),
        limits=above(scope.config.resolution_p99_seconds),
        alerts=("OneiricResolutionLatencyHigh",),
        width=6,
        height=5,
    )


def traffic(scope: Scope) -> Panel:
    """Return how many resolutions there are."""
    return Panel(
        "Resolutions a second, by domain",
        "Is there more or less traffic than usual?",
        "lines",
        "ops",
        (Query(total(scope.rate(catalogue.RESOLUTIONS, RATE), by=("domain",)), "{{domain}}"),),
        stacked=True,
    )


def providers(scope: Scope) -> Panel:
    """Return which providers resolutions select."""
    share = total(scope.in_time_shown(catalogue.RESOLUTIONS, "provider"), by=("provider",))
    return Panel(
        "Providers selected in the time shown",
        "Who serves, and how many get nobody (none)?",
        "gauges",
        "short",
        (Query(share, "{{provider}}"),),
    )


def provider_rates(scope: Scope) -> Panel:
    """Return how the selection of providers changes."""
    rates = total(scope.rate(catalogue.RESOLUTIONS, RATE), by=("provider",))
    return Panel(
        "Resolutions a second, by provider",
        "Did traffic move from one provider to another?",
        "lines",
        "ops",
        (Query(rates, "{{provider}}"),),
        stacked=True,
    )


def latency(scope: Scope) -> Panel:
    """Return the percentiles of the time a resolution takes."""
    queries = tuple(
        Query(expr, f"p{share * 100:g}")
        for share, expr in zip(QUANTILES, scope.quantiles(catalogue.RESOLUTION_DURATION), strict=True)
    )
    return Panel(
        "Resolution latency",
        "Is it slow for some, or for all?",
        "lines",
        "s",
        queries,
        limits=above(scope.config.resolution_p99_seconds),
        alerts=("OneiricResolutionLatencyHigh",),
    )


def latency_map(scope: Scope) -> Panel:
    """Return how the time that resolutions take is distributed."""
    return Panel(
        "Resolutions by duration",
        "Are there two kinds of resolutions, fast and slow?",
        "heatmap",
        "s",
        (Query(scope.buckets(catalogue.RESOLUTION_DURATION), "{{le}}"),),
        width=12,
    )


def slow_keys(scope: Scope) -> Panel:
    """Return the keys whose resolution takes longest."""
    labels = ("domain", "key")
    buckets = total(scope.rate(catalogue.RESOLUTION_DURATION, RATE, suffix="_bucket"), by=(*labels, "le"))
    return Panel(
        "Slowest keys, 99th percentile",
        "Where is it slow?",
        "lines",
        "s",
        (Query(call("topk", quantile(QUANTILES[-1], buckets), MOST), "{{domain}}/{{key}}"),),
        limits=above(scope.config.resolution_p99_seconds),
        width=12,
    )


def failures(scope: Scope) -> Panel:
    """Return failures by domain, with the threshold of their alert."""
    return Panel(
        "Failed resolutions a minute, by domain",
        "Where does it fail, and since when?",
        "lines",
        "short",
        (Query(scope.a_minute(catalogue.RESOLUTION_FAILURES, "domain"), "{{domain}}"),),
        limits=above(scope.config.resolution_failures_per_minute),
        alerts=("OneiricResolutionFailures",),
    )


def reasons(scope: Scope) -> Panel:
    """Return failures by reason."""
    return Panel(
        "Failed resolutions a minute, by reason",
        "Why does it fail?",
        "lines",
        "short",
        (Query(scope.a_minute(catalogue.RESOLUTION_FAILURES, "reason", seen=True), "{{reason}}"),),
        stacked=True,
    )


def failing_keys(scope: Scope) -> Panel:
    """Return the keys that could not be resolved."""
    failed = scope.in_time_shown(catalogue.RESOLUTION_FAILURES, "domain", "key", "reason")
    return Panel(
        "Keys that could not be resolved",
        "Which keys, and why?",
        "table",
        "short",
        (Query(call("topk", failed > 0, "50"), "Failures"),),
        descending=True,
    )


def instances(scope: Scope) -> Panel:
    """Return failures by instance."""
    share = total(scope.rate(catalogue.RESOLUTION_FAILURES, RATE), by=("instance",)) * MINUTE
    return Panel(
        "Failed resolutions a minute, by instance",
        "Is it one instance, or all of them?",
        "lines",
        "short",
        (Query(share, "{{instance}}"),),
    )


def candidates(scope: Scope) -> Panel:
    """Return how many candidates there are to choose from."""
    known = total(scope.series(catalogue.CANDIDATES), by=("domain", "state"))
    return Panel(
        "Candidates registered",
        "Were candidates lost, or shadowed by others?",
        "lines",
        "short",
        (Query(known, "{{domain}} {{state}}"),),
        width=12,
    )


def registrations(scope: Scope) -> Panel:
    """Return where new candidates come from."""
    return Panel(
        "Registrations, by origin",
        "What was registered anew, and by whom?",
        "bars",
        "short",
        (Query(scope.counted(catalogue.REGISTRATIONS, "origin"), "{{origin}}"),),
        stacked=True,
        width=12,
    )
