"""The alert about the artifact cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.core import events
from oneiric.monitoring.alerts.common import MINUTE, OVERVIEW, ask, promql, search
from oneiric.monitoring.logql import lines
from oneiric.monitoring.promql import NOW, scalar
from oneiric.monitoring.rules import Alert, Group, Runbook, Step
from oneiric.observability import catalogue

if TYPE_CHECKING:
    from oneiric.monitoring.config import BundleConfig


def cache(config: BundleConfig) -> Group:
    """Return the alert on the space that the cache takes, of its own limit or of the file system."""
    query = promql(config)
    of_limit = query.series(catalogue.CACHE_SIZE) / (query.series(catalogue.CACHE_LIMIT) > 0)
    used = scalar(1) - query.series(catalogue.CACHE_FILESYSTEM_AVAIL) / query.series(catalogue.CACHE_FILESYSTEM_SIZE)
    ratio = config.cache_usage_ratio
    alert = Alert(
        "OneiricCacheDiskUsageHigh",
        severity="warning",
        team="infrastructure",
        expr=(of_limit > ratio) | (used > ratio),
        hold=5 * MINUTE,
        summary="The artifact cache of {{ $labels.instance }} is nearly full",
        description="{{ $value | humanizePercentage }} of the cache's limit, or of the file system it lies on, is used "
        f"(threshold {ratio:.0%}).",
        dashboard=OVERVIEW,
        runbook=Runbook(
            "The cache is near its own limit (`cache_max_bytes`), or the disk below it is nearly full.",
            "At its limit, the cache evicts artifacts, which are fetched again when needed. On a full disk no artifact "
            "and no state can be written.",
            (
                ask("How much of the limit?", of_limit),
                ask("How much of the file system?", used),
                ask("How old are these figures?", NOW - query.series(catalogue.CACHE_SCAN)),
                ask("How many artifacts are there?", query.series(catalogue.CACHE_ARTIFACTS)),
                ask("Are artifacts evicted?", query.rate(catalogue.CACHE_EVICTIONS, config.window(5 * MINUTE))),
                search("What did the cache say?", lines(config, events.CacheUsageHigh)),
                Step("What fills the disk?", "df -h", "bash"),
            ),
            (
                Step("The cache is at its limit and evicts what is still needed: raise `cache_max_bytes`."),
                Step("Old artifacts stay: set `cache_max_age`, so that they go by themselves."),
                Step("Something else fills the disk: make room there, or give the cache a file system of its own."),
            ),
        ),
    )
    return Group("oneiric-cache", (alert,))
