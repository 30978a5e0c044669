"""What Prometheus sees of instances in operation: every series that an alert looks at, through restarts and outages."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, TypeAlias

from timelines import DAY, NONE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Values: TypeAlias = "float | Sequence[float]"
Series: TypeAlias = dict[str, str]
INTERVAL = 15
"""Seconds between scrapes."""
WELL, DOWN, GONE, BLIND = "u", "d", ".", "?"
"""What is so of a target at a scrape: it answers, it does not, it is no target, or there is no Prometheus."""
STALE = "stale"
ADAPTER = {"domain": "adapter", "key": "cache"}
SHOP = {"source": "shop"}
WORK = ("resolutions", "quick_resolutions", "all_resolutions", "timed_resolutions")
"""What grows with every resolution."""


def grown(samples: int, steps: Mapping[int, float], *, start: float = 0) -> list[float]:
    """Return a counter that grows from *start* by *steps* at their samples."""
    return [start + total for total in accumulate(steps.get(sample, 0.0) for sample in range(samples))]


def busy(samples: int, step: float) -> list[float]:
    """Return a counter that grows by *step* all the time."""
    return list(accumulate(step for _ in range(samples)))


def scraped(life: str, values: Values) -> str:
    """Return the samples of a series with *values* of a target with this *life*."""
    listed = [values] * len(life) if isinstance(values, int | float) else values
    seen, before = [], GONE
    for state, value in zip(life, listed, strict=True):
        ends = before == WELL and state in {DOWN, GONE}
        seen.append(f"{value:.10g}" if state == WELL else STALE if ends else NONE)
        before = before if state == BLIND else state
    return " ".join(seen)


def reachable(life: str) -> str:
    """Return the samples of ``up`` of a target with this *life*."""
    seen, before = [], GONE
    for state in life:
        ends = state == GONE and before != GONE
        seen.append({WELL: "1", DOWN: "0"}.get(state, STALE if ends else NONE))
        before = before if state == BLIND else state
    return " ".join(seen)


def instance(life: str, name: str, /, **changed: Values | None) -> Series:
    """Return every series of an instance with this *life*: all is well but what is *changed*; None is left out."""
    return instance_of("oneiric", life, name, **changed)


def instance_of(job: str, life: str, name: str, /, **changed: Values | None) -> Series:
    """Return the series of an instance as of *job*."""
    target = {"job": job, "instance": name}
    values = _all_is_well(len(life)) | changed
    series = {
        selector(metric, target | labels): scraped(life, value)
        for word, metric, labels in _SERIES
        if (value := values[word]) is not None
    }
    return {selector("up", target): reachable(life), **series}


def selector(metric: str, labels: Mapping[str, str]) -> str:
    """Return the text of a series."""
    matchers = ", ".join(f'{name}="{value}"' for name, value in labels.items())
    return f"{metric}{{{matchers}}}"


def _all_is_well(samples: int) -> dict[str, Values | None]:
    work, turns = busy(samples, 20), [sample - sample % 20 for sample in range(samples)]
    return {
        **dict.fromkeys(("build", "swaps", "quick_swaps", "loop", "healthy"), 1),
        **dict.fromkeys(WORK, work),
        **dict.fromkeys(("unresolved", "failed_swaps", "rollbacks", "failed_checks", "failed_syncs", "failures"), 0),
        **dict.fromkeys(("mismatches", "invalid", "hook_errors", "paused_since"), 0),
        **dict.fromkeys(("dropped", "suppressed", "scrape_errors"), None),
        "memory": 10**8,
        "interval": 300,
        "syncs": [turn / 20 + 1 for turn in turns],
        "synced_at": [turn * INTERVAL for turn in turns],
        "expires": 30 * DAY,
        "cached": 10,
        "cache_limit": 100,
        "disk": 1000,
        "disk_left": 900,
    }


_DURATION = "oneiric_resolution_duration_seconds"
_SWAPPING = "oneiric_lifecycle_swap_duration_ms"
_SERIES: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("build", "oneiric_build_info", {"version": "1"}),
    ("memory", "process_resident_memory_bytes", {}),
    ("resolutions", "oneiric_resolution_total", {**ADAPTER, "provider": "redis"}),
    ("unresolved", "oneiric_resolution_failures_total", {**ADAPTER, "reason": "no_candidate"}),
    ("quick_resolutions", f"{_DURATION}_bucket", {**ADAPTER, "le": "0.1"}),
    ("all_resolutions", f"{_DURATION}_bucket", {**ADAPTER, "le": "+Inf"}),
    ("timed_resolutions", f"{_DURATION}_count", ADAPTER),
    ("quick_swaps", f"{_SWAPPING}_bucket", {**ADAPTER, "le": "30000.0"}),
    ("swaps", f"{_SWAPPING}_count", ADAPTER),
    ("failed_swaps", "oneiric_lifecycle_swap_failures_total", {**ADAPTER, "reason": "health"}),
    ("rollbacks", "oneiric_lifecycle_rollbacks_total", ADAPTER),
    ("failed_checks", "oneiric_lifecycle_health_check_failures_total", ADAPTER),
    ("healthy", "oneiric_lifecycle_health_status", ADAPTER),
    ("paused_since", "oneiric_activity_oldest_pause_timestamp_seconds", {"domain": "adapter"}),
    ("syncs", "oneiric_remote_sync_total", {**SHOP, "outcome": "success"}),
    ("failed_syncs", "oneiric_remote_sync_total", {**SHOP, "outcome": "failed"}),
    ("failures", "oneiric_remote_sync_consecutive_failures", SHOP),
    ("synced_at", "oneiric_remote_sync_last_success_timestamp_seconds", SHOP),
    ("interval", "oneiric_remote_sync_interval_seconds", SHOP),
    ("loop", "oneiric_remote_sync_loop_running", SHOP),
    ("expires", "oneiric_remote_manifest_expiry_timestamp_seconds", SHOP),
    ("mismatches", "oneiric_remote_digest_mismatches_total", SHOP),
    ("invalid", "oneiric_remote_signature_verifications_total", {**SHOP, "result": "invalid"}),
    ("cached", "oneiric_cache_size_bytes", {}),
    ("cache_limit", "oneiric_cache_limit_bytes", {}),
    ("disk", "oneiric_cache_filesystem_size_bytes", {}),
    ("disk_left", "oneiric_cache_filesystem_avail_bytes", {}),
    ("hook_errors", "oneiric_observability_hook_errors_total", {"sink": "log"}),
    ("scrape_errors", "oneiric_observability_scrape_errors_total", {"collector": "RemoteSource"}),
    ("dropped", "oneiric_observability_series_dropped_total", {"metric": "oneiric_resolution_total"}),
    ("suppressed", "oneiric_log_events_suppressed_total", {"event": "domain-activity-blocked"}),
)
REMOTE = ("syncs", "failed_syncs", "failures", "synced_at", "interval", "loop", "expires", "mismatches", "invalid")
"""What there is of a source only."""
LONG_AGO = {
    "unresolved": 5000,
    "swaps": 9,
    "quick_swaps": 8,
    "failed_swaps": 90,
    "rollbacks": 40,
    "failed_checks": 400,
    "mismatches": 1,
    "invalid": 1,
    "hook_errors": 3,
    "scrape_errors": 9,
    "dropped": 7,
    "suppressed": 7,
}
"""Counts of faults that are over long since, but of which the process still tells."""
