"""Panels about remote sources: their synchronisation, signatures and artifacts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.monitoring.bundle.dashboards.model import Panel, Query
from oneiric.monitoring.bundle.dashboards.scope import QUANTILES, RATE, YES, above, below
from oneiric.monitoring.promql import NOW, total
from oneiric.observability import catalogue

if TYPE_CHECKING:
    from oneiric.monitoring.bundle.dashboards.scope import Scope
    from oneiric.monitoring.promql import Expr
    from oneiric.observability.model import Metric


def sources(scope: Scope) -> Panel:
    """Return every source with all that is known of it."""
    config = scope.config
    return Panel(
        "Sources",
        "Which source is in trouble, and how?",
        "table",
        "s",
        (
            Query(
                _of_source(scope, catalogue.CONSECUTIVE_FAILURES),
                "Failed in a row",
                "short",
                limits=above(config.sync_consecutive_failures),
            ),
            Query(NOW - _of_source(scope, catalogue.LAST_SUCCESS), "Last success"),
            Query(NOW - _of_source(scope, catalogue.LAST_ATTEMPT), "Last attempt"),
            Query(_of_source(scope, catalogue.SYNC_INTERVAL), "Interval"),
            Query(_of_source(scope, catalogue.LOOP_RUNNING), "Refreshed", "short", {0: ("no", "text"), 1: YES[1]}),
            Query(
                _of_source(scope, catalogue.CIRCUIT_OPEN),
                "Circuit",
                "short",
                {0: ("closed", "green"), 1: ("open", "red")},
            ),
            Query(
                _of_source(scope, catalogue.MANIFEST_EXPIRY) - NOW,
                "Expires in",
                limits=below(config.manifest_expiry_seconds),
            ),
        ),
        alerts=("OneiricRemoteSyncFailures", "OneiricRemoteSyncLoopDead"),
        descending=True,
        width=24,
    )


def age(scope: Scope) -> Panel:
    """Return how long ago each source was synchronised."""
    return Panel(
        "Age of the last successful sync",
        "How old is what a source brought?",
        "lines",
        "s",
        (Query(NOW - total(scope.series(catalogue.LAST_SUCCESS), by=("source",), operator="min"), "{{source}}"),),
        alerts=("OneiricRemoteSyncStale",),
    )


def staleness(scope: Scope) -> Panel:
    """Return how many intervals ago each source was synchronised."""
    interval = scope.series(catalogue.SYNC_INTERVAL) > 0
    intervals = (NOW - scope.series(catalogue.LAST_SUCCESS)) / interval
    return Panel(
        "Intervals since the last successful sync",
        "Is a source stale?",
        "lines",
        "short",
        (Query(total(intervals, by=("source",), operator="max"), "{{source}}"),),
        limits=above(scope.config.sync_stale_intervals),
        alerts=("OneiricRemoteSyncStale",),
    )


def syncs(scope: Scope) -> Panel:
    """Return synchronisations by outcome."""
    return Panel(
        "Syncs a minute, by outcome",
        "Do syncs succeed?",
        "lines",
        "short",
        (Query(scope.a_minute(catalogue.SYNCS, "outcome"), "{{outcome}}"),),
        stacked=True,
    )


def reasons(scope: Scope) -> Panel:
    """Return failed synchronisations by source and reason."""
    return Panel(
        "Failed syncs a minute, by reason",
        "Why do syncs fail?",
        "lines",
        "short",
        (Query(scope.a_minute(catalogue.SYNC_FAILURES, "source", "reason", seen=True), "{{source}} {{reason}}"),),
        alerts=("OneiricRemoteSyncFailures",),
    )


def in_a_row(scope: Scope) -> Panel:
    """Return how often in a row each source failed."""
    failed = total(scope.series(catalogue.CONSECUTIVE_FAILURES), by=("source",), operator="max")
    return Panel(
        "Failed syncs in a row, by source",
        "Does a source recover by itself?",
        "lines",
        "short",
        (Query(failed, "{{source}}"),),
        limits=above(scope.config.sync_consecutive_failures),
        alerts=("OneiricRemoteSyncFailures",),
    )


def duration(scope: Scope) -> Panel:
    """Return the percentiles of the time a synchronisation takes."""
    queries = tuple(
        Query(expr, f"p{share * 100:g}")
        for share, expr in zip(QUANTILES, scope.quantiles(catalogue.SYNC_DURATION), strict=True)
    )
    return Panel("Sync duration", "Do syncs take longer than they did?", "lines", "s", queries)


def duration_map(scope: Scope) -> Panel:
    """Return how the time that synchronisations take is distributed."""
    return Panel(
        "Syncs by duration",
        "Is a sync slow now and then, or always?",
        "heatmap",
        "s",
        (Query(scope.buckets(catalogue.SYNC_DURATION), "{{le}}"),),
    )


def retries(scope: Scope) -> Panel:
    """Return how often requests were made again."""
    return Panel(
        "Retries a minute",
        "Does the network fail now and then?",
        "lines",
        "short",
        (Query(scope.a_minute(catalogue.RETRIES, "source", "operation"), "{{source}} {{operation}}"),),
        stacked=True,
    )


def circuit(scope: Scope) -> Panel:
    """Return when each source's circuit was open."""
    opened = total(scope.series(catalogue.CIRCUIT_OPEN), by=("source",), operator="max")
    return Panel(
        "Circuit breakers",
        "When was a source not even tried?",
        "states",
        "bool_yes_no",
        (Query(opened, "{{source}}"),),
        words={0: ("closed", "green"), 1: ("open", "red")},
        width=12,
    )


def loops(scope: Scope) -> Panel:
    """Return when each source was refreshed by itself."""
    lives = total(scope.series(catalogue.LOOP_RUNNING), by=("source",), operator="max")
    return Panel(
        "Refresh loops",
        "When was a source not refreshed?",
        "states",
        "bool_yes_no",
        (Query(lives, "{{source}}"),),
        words={0: ("stopped", "text"), 1: ("running", "green")},
        alerts=("OneiricRemoteSyncLoopDead",),
        width=12,
    )


def signatures(scope: Scope) -> Panel:
    """Return the row of the results of signature checks."""
    return Panel(
        "Signatures, by result",
        "Does somebody publish what is not signed rightly?",
        "bars",
        "short",
        (Query(scope.counted(catalogue.SIGNATURES, "source", "result", seen=True), "{{source}} {{result}}"),),
        alerts=("OneiricSignatureInvalid",),
        stacked=True,
    )


def digests(scope: Scope) -> Panel:
    """Return how many digests were compared, and how many disagreed."""
    return Panel(
        "Digests compared",
        "Is an artifact corrupt, or not what was published?",
        "bars",
        "short",
        (
            Query(scope.counted(catalogue.DIGEST_CHECKS), "compared"),
            Query(scope.counted(catalogue.DIGEST_MISMATCHES, "source", seen=True), "{{source}} mismatched"),
        ),
        alerts=("OneiricDigestMismatch",),
    )


def expiry(scope: Scope) -> Panel:
    """Return how long the manifests in force are still valid."""
    left = total(scope.series(catalogue.MANIFEST_EXPIRY), by=("source",), operator="min") - NOW
    return Panel(
        "Manifest expires in",
        "When must a manifest be signed anew?",
        "lines",
        "s",
        (Query(left, "{{source}}"),),
        limits=below(scope.config.manifest_expiry_seconds),
        alerts=("OneiricManifestExpiring",),
    )


def entries(scope: Scope) -> Panel:
    """Return how many entries of the manifests are in force."""
    known = total(scope.series(catalogue.MANIFEST_ENTRIES), by=("source", "state"), operator="max")
    return Panel(
        "Manifest entries",
        "Were entries skipped?",
        "lines",
        "short",
        (Query(known, "{{source}} {{state}}"),),
    )


def downloads(scope: Scope) -> Panel:
    """Return the row of the results of artifact requests."""
    return Panel(
        "Artifacts asked for, by result",
        "Do artifacts arrive, and does the cache serve?",
        "bars",
        "short",
        (Query(scope.counted(catalogue.DOWNLOADS, "result"), "{{result}}"),),
        stacked=True,
    )


def bandwidth(scope: Scope) -> Panel:
    """Return how much is downloaded."""
    return Panel(
        "Artifacts downloaded",
        "How much is downloaded?",
        "lines",
        "Bps",
        (Query(total(scope.rate(catalogue.DOWNLOAD_BYTES, RATE), by=("source",)), "{{source}}"),),
        stacked=True,
    )


def _of_source(scope: Scope, metric: Metric) -> Expr:
    return total(scope.series(metric), by=("instance", "source"), operator="max")
