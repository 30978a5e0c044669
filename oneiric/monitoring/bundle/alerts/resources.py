"""Alerts about what the runtime takes of its machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.core import events
from oneiric.monitoring.bundle.alerts.common import MINUTE, OVERVIEW, ask, command, promql, search
from oneiric.monitoring.promql import NOW, scalar
from oneiric.monitoring.rules import Alert, Group, Runbook, Step
from oneiric.observability import catalogue

HUNDREDS = 500
"""Series of one metric from which on it is worth a look."""

if TYPE_CHECKING:
    from oneiric.monitoring.config import BundleConfig
    from oneiric.monitoring.promql import Expr, PromQL


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
        description="The artifact cache of {{ $labels.instance }} uses {{ $value | humanizePercentage }} of its limit "
        f"or of its file system, for {config.seconds(5 * MINUTE):g} s (threshold {ratio:.0%}).",
        dashboard=OVERVIEW,
        runbook=_cache_runbook(config, of_limit, query, used),
    )


def _cache_runbook(config: BundleConfig, of_limit: Expr, query: PromQL, used: Expr) -> Runbook:
    return Runbook(
        "The cache is near its own limit (`remote.cache_max_bytes`), or its file system is nearly full.",
        "None yet. At its limit the cache evicts artifacts, which are downloaded again when needed. On a full "
        "disk no artifact and no state can be written.",
        (
            ask("Which share of the limit is used?", of_limit),
            ask("Which share of the file system is used?", used),
            ask("How many seconds old are these figures?", NOW - query.series(catalogue.CACHE_SCAN)),
            ask("How many artifacts are there?", query.series(catalogue.CACHE_ARTIFACTS)),
            ask(
                "How many artifacts are evicted, a second?",
                query.rate(catalogue.CACHE_EVICTIONS, config.window(5 * MINUTE)),
            ),
            search(config, "When was it nearly full for the first time?", events.CacheUsageHigh),
            search(config, "What was evicted?", events.CacheEvicted),
            search(config, "Could it not be measured?", events.CacheScanFailed),
            command("What fills the cache, and what the file system?", "oneiric cache status; df -h"),
        ),
        (
            command(
                "Old artifacts fill it: see what would be removed, then remove it. Active artifacts and the state "
                "stay; what is needed later is downloaded again.",
                "oneiric cache clean --dry-run && oneiric cache clean",
            ),
            Step("It evicts what is still needed: raise `remote.cache_max_bytes`, and restart the service."),
            Step("Old artifacts stay too long: set `remote.cache_max_age`."),
            Step("Something else fills the disk: free space, or give the cache a file system of its own."),
        ),
        "The threshold is the setting `cache_usage_ratio`. Normal: below it, as evictions keep the cache there.",
        "Safe while the file system has room.",
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
        summary="{{ $labels.instance }} uses much memory",
        description="The process of {{ $labels.instance }} uses {{ $value | humanize1024 }}B of memory, for "
        f"{config.seconds(5 * MINUTE):g} s (threshold {config.memory_bytes / 2**20:.0f} MiB).",
        dashboard=OVERVIEW,
        runbook=_memory_runbook(config, query),
    )


def _memory_runbook(config: BundleConfig, query: PromQL) -> Runbook:
    return Runbook(
        "The resident memory of the process is above the threshold, which should be well below its limit.",
        "None yet. Near its limit the process is slow, and is then killed.",
        (
            ask(
                "Does it grow steadily, or did it jump? See the graph.",
                query.foreign("process_resident_memory_bytes"),
            ),
            ask("How many instances of components are alive?", query.series(catalogue.INSTANCES)),
            ask(
                "Do clean-ups of instances fail?",
                query.increase(catalogue.CLEANUP_FAILURES, config.window(15 * MINUTE)),
            ),
            ask("Which metrics have very many series?", query.series(catalogue.SERIES) > HUNDREDS),
            search(config, "Which instance was not closed?", events.CleanupFailed),
        ),
        (
            Step("It is near its limit now: restart the service with a higher limit, then look for the cause."),
            command(
                "It jumped with a swap: the new provider needs more. Swap back, or raise the limit.",
                "oneiric swap KEY --domain DOMAIN --provider PREVIOUS",
            ),
            Step("The number of instances grows: fix the provider whose instances are not closed."),
            Step("It grows and the instances do not: a provider leaks. Profile the process, then restart it."),
        ),
        "The threshold is the setting `memory_bytes`; set it to about 80 % of the limit of the unit or container. "
        "Normal: constant after the first minutes.",
        "Safe while the memory is constant and below the limit.",
    )
