"""Alerts about what the runtime takes of its machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.core import events
from oneiric.monitoring.bundle.alerts.common import MINUTE, OVERVIEW, ask, promql, search
from oneiric.monitoring.logql import lines
from oneiric.monitoring.promql import NOW, scalar
from oneiric.monitoring.rules import Alert, Group, Runbook, Step
from oneiric.observability import catalogue

HUNDREDS = 500
"""Series of one metric from which on it is worth a look."""

if TYPE_CHECKING:
    from oneiric.monitoring.config import BundleConfig


def resources(config: BundleConfig) -> Group:
    """Return the alerts on disk and memory."""
    return Group("oneiric-resources", (_cache(config), _memory(config)))


def _cache(config: BundleConfig) -> Alert:
    query = promql(config)
    of_limit = query.series(catalogue.CACHE_SIZE) / (query.series(catalogue.CACHE_LIMIT) > 0)
    used = scalar(1) - query.series(catalogue.CACHE_FILESYSTEM_AVAIL) / query.series(catalogue.CACHE_FILESYSTEM_SIZE)
    ratio = config.cache_usage_ratio
    return Alert(
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
                search("When was it nearly full for the first time?", lines(config, events.CacheUsageHigh)),
                search("What was evicted?", lines(config, events.CacheEvicted)),
                search("Could it not be measured?", lines(config, events.CacheScanFailed)),
                Step("What fills the disk?", "df -h", "bash"),
            ),
            (
                Step("The cache is at its limit and evicts what is still needed: raise `cache_max_bytes`."),
                Step("Old artifacts stay: set `cache_max_age`, so that they go by themselves."),
                Step("Something else fills the disk: make room there, or give the cache a file system of its own."),
            ),
        ),
    )


def _memory(config: BundleConfig) -> Alert:
    query = promql(config)
    memory = query.foreign("process_resident_memory_bytes")
    return Alert(
        "OneiricMemoryHigh",
        severity="warning",
        team="platform",
        expr=memory > config.memory_bytes,
        hold=5 * MINUTE,
        summary="{{ $labels.instance }} takes much memory",
        description="The process behind {{ $labels.instance }} takes {{ $value | humanize1024 }}B "
        f"(threshold {config.memory_bytes / 2**20:.0f} MiB).",
        dashboard=OVERVIEW,
        runbook=Runbook(
            "The resident memory of the process is over the threshold, which should be well below its limit.",
            "Near its limit the process is slow, and then killed.",
            (
                ask("Does it grow steadily, or did it jump?", query.foreign("process_resident_memory_bytes")),
                ask("How many instances are alive?", query.series(catalogue.INSTANCES)),
                ask("Do cleanups fail?", query.increase(catalogue.CLEANUP_FAILURES, config.window(15 * MINUTE))),
                ask("Has a metric very many series?", query.series(catalogue.SERIES) > HUNDREDS),
                search("What was not closed?", lines(config, events.CleanupFailed)),
            ),
            (
                Step("It jumped with a swap: the new provider needs that much; swap back, or give the process more."),
                Step("Instances grow and nobody closes them: clean up what is not needed."),
                Step("It grows and the instances do not: a leak in a provider; profile the process, then restart it."),
                Step("It is near its limit now: restart it with a higher one, and look for the cause afterwards."),
            ),
        ),
    )
