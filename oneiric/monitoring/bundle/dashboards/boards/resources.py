"""Panels about what the process and its cache use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.monitoring.bundle.dashboards import foreign
from oneiric.monitoring.bundle.dashboards.model import Panel, Query
from oneiric.monitoring.bundle.dashboards.scope import RATE, above
from oneiric.monitoring.promql import NOW, scalar, total
from oneiric.observability import catalogue

if TYPE_CHECKING:
    from oneiric.monitoring.bundle.dashboards.scope import Scope
    from oneiric.monitoring.promql import Expr

CACHE_ALERT = ("OneiricCacheDiskUsageHigh",)


def process(scope: Scope) -> tuple[Panel, ...]:
    """Return the row of what each process uses: processor, memory, files."""
    files = _of(scope.foreign(foreign.OPEN_FILES)) / _of(scope.foreign(foreign.MAX_FILES))
    collections = _of(scope.foreign(foreign.COLLECTIONS, RATE), "sum")
    return (
        Panel(
            "CPU",
            "Is a process short of processor time?",
            "lines",
            "percentunit",
            (Query(_of(scope.foreign(foreign.CPU, RATE)), "{{instance}}"),),
        ),
        Panel(
            "Memory",
            "Does a process eat up memory?",
            "lines",
            "bytes",
            (Query(_of(scope.foreign(foreign.MEMORY)), "{{instance}}"),),
            limits=above(scope.config.memory_bytes),
            alerts=("OneiricMemoryHigh",),
        ),
        Panel(
            "Open files, of those allowed",
            "Does a process run out of file descriptors?",
            "lines",
            "percentunit",
            (Query(files, "{{instance}}"),),
            limits=above(0.8),
        ),
        Panel(
            "Garbage collections a second",
            "Does memory management take the time?",
            "lines",
            "ops",
            (Query(collections, "{{instance}}"),),
        ),
    )


def cache(scope: Scope) -> tuple[Panel, ...]:
    """Return the row of what the artifact cache uses: of its limit, and of its file system."""
    ratio = scope.config.cache_usage_ratio
    size, limit = _of(scope.series(catalogue.CACHE_SIZE)), _of(scope.series(catalogue.CACHE_LIMIT))
    room = _of(scope.series(catalogue.CACHE_FILESYSTEM_AVAIL)) / _of(scope.series(catalogue.CACHE_FILESYSTEM_SIZE))
    return (
        Panel(
            "Cache, of its limit",
            "Is the cache full?",
            "lines",
            "percentunit",
            (Query(size / (limit > 0), "{{instance}}"),),
            limits=above(ratio),
            alerts=CACHE_ALERT,
        ),
        Panel(
            "Disk below the cache, used",
            "Is the disk full?",
            "lines",
            "percentunit",
            (Query(scalar(1) - room, "{{instance}}"),),
            limits=above(ratio),
            alerts=CACHE_ALERT,
            highest=1,
        ),
        Panel(
            "Cache size and limit",
            "How big is the cache, and how big may it be?",
            "lines",
            "bytes",
            (Query(size, "{{instance}} size"), Query(limit, "{{instance}} limit")),
        ),
        Panel(
            "Artifacts in the cache",
            "Does the cache grow?",
            "lines",
            "short",
            (Query(_of(scope.series(catalogue.CACHE_ARTIFACTS)), "{{instance}}"),),
        ),
        Panel(
            "Evictions, by reason",
            "Does the cache lose what is still needed?",
            "bars",
            "short",
            (Query(scope.counted(catalogue.CACHE_EVICTIONS, "reason"), "{{reason}}"),),
            stacked=True,
        ),
        Panel(
            "Age of the cache's figures",
            "Can the figures of the cache be believed?",
            "lines",
            "s",
            (Query(NOW - _of(scope.series(catalogue.CACHE_SCAN)), "{{instance}}"),),
        ),
    )


def _of(series: Expr, operator: str = "max") -> Expr:
    return total(series, by=("instance",), operator=operator)
