"""What every alert is judged on: series that stay just below its threshold, go just above it, and come back.

Each timeline has three parts of equal length. At the end of the first the alert is silent, at the end of the second it
fires, and in the third it is silent again as soon as its runbook says.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

MINUTE, HOUR, DAY = 60, 3600, 86_400
NONE = "_"
"""No sample."""


@dataclass(frozen=True)
class Timeline:
    """The series that an alert is judged on.

    Attributes:
        series: The values of each series, by selector; a sample every *interval* seconds.
        part: Samples in each of the three parts.
        labels: The labels of the alert that fires, beside its severity and team.
        summary: What it says.
        description: What it says at length.
        interval: Seconds between samples.
        evaluation: Seconds between evaluations.
    """

    series: Mapping[str, str]
    part: int
    labels: Mapping[str, str]
    summary: str
    description: str
    interval: int = 30
    evaluation: int = 30


def growing(part: int, *steps: float, start: float = 0) -> str:
    """Return a counter that grows by each of *steps* a sample, for *part* samples each."""
    grown = accumulate((step for step in steps for _ in range(part)), initial=start)
    return " ".join(f"{value:.10g}" for value in list(grown)[1:])


def held(part: int, *values: float | str) -> str:
    """Return a gauge that has each of *values* for *part* samples."""
    return " ".join(str(value) for value in values for _ in range(part))


def once(part: int, *amounts: float) -> str:
    """Return a counter that grows by each of *amounts* at the last sample but one of each part."""
    steps = [amount if sample == part - 2 else 0 for amount in amounts for sample in range(part)]
    return " ".join(f"{value:.10g}" for value in accumulate(steps))


A = {"job": "oneiric", "instance": "a:9464"}
ADAPTER = {"job": "oneiric", "domain": "adapter"}
SHOP = {**A, "source": "shop"}


def _name(metric: str, /, **labels: str) -> str:
    every = {**A, **labels}
    return f"{metric}{{{', '.join(f'{name}={value!r}' for name, value in every.items())}}}".replace("'", '"')


def _two_keys(metric: str, /, part: int, *steps: float, **labels: str) -> dict[str, str]:
    """Return two series of one domain that each have half of *steps*."""
    values = growing(part, *(step / 2 for step in steps))
    return {_name(metric, domain="adapter", key=key, **labels): values for key in ("cache", "queue")}


def _buckets(part: int, steps: tuple[float, ...], below: tuple[float, ...], bound: str, beyond: str) -> dict[str, str]:
    """Return a histogram of resolutions: of *steps* a sample, *below* are within *bound* and all within *beyond*."""
    labels = {"domain": "adapter", "key": "cache"}
    name = "oneiric_resolution_duration_seconds"
    return {
        _name(f"{name}_bucket", **labels, le=bound): growing(part, *below),
        _name(f"{name}_bucket", **labels, le=beyond): growing(part, *steps),
        _name(f"{name}_bucket", **labels, le="+Inf"): growing(part, *steps),
        _name(f"{name}_count", **labels): growing(part, *steps),
    }


def _slow_swaps(part: int, quick: float, slow: tuple[float, ...]) -> dict[str, str]:
    """Return a histogram of swaps, *quick* of which a sample are within 30 seconds, *slow* in each part are not."""
    labels = {"domain": "adapter", "key": "cache"}
    name = "oneiric_lifecycle_swap_duration_ms"
    within = [sum(values) for values in zip(_numbers(growing(part, *(quick for _ in slow))), strict=True)]
    every = [a + b for a, b in zip(within, _numbers(once(part, *slow)), strict=True)]
    return {
        _name(f"{name}_bucket", **labels, le="30000.0"): " ".join(f"{value:.10g}" for value in within),
        _name(f"{name}_count", **labels): " ".join(f"{value:.10g}" for value in every),
    }


def _numbers(values: str) -> list[float]:
    return [float(value) for value in values.split()]


def _burning(part: int, total: float, *shares: float) -> dict[str, str]:
    """Return resolutions of which the *shares* fail."""
    failed = growing(part, *(total * share for share in shares))
    return {
        _name("oneiric_resolution_total", domain="adapter", key="cache", provider="none"): growing(
            part, *(total for _ in shares)
        ),
        _name("oneiric_resolution_failures_total", domain="adapter", key="cache", reason="no_candidate"): failed,
    }


def _syncs(part: int, total: float, *shares: float) -> dict[str, str]:
    """Return synchronisations of which the *shares* fail; skipped ones do not count."""
    name = "oneiric_remote_sync_total"
    return {
        _name(name, source="shop", outcome="failed"): growing(part, *(total * share for share in shares)),
        _name(name, source="shop", outcome="success"): growing(part, *(total * (1 - share) for share in shares)),
        _name(name, source="shop", outcome="skipped"): growing(part, *(total * 5 for _ in shares)),
    }


def _burn(
    objective: str, burn: str, *, interval: int, evaluation: int, part: int, share: float, said: tuple[str, str, str]
) -> Timeline:
    """Return the timeline of one burn alert: the *share* that fails is just below what is allowed, then just above."""
    shares = (share * 0.97, share * 1.03, 0.0)
    resolution = objective == "Resolution"
    series = _burning(part, 1000, *shares) if resolution else _syncs(part, 100, *shares)
    failed, over, allowed = said
    what = "Resolutions" if resolution else "Synchronisations with remote sources"
    target = 0.999 if resolution else 0.99
    return Timeline(
        series,
        part,
        {"job": "oneiric"},
        f"{what} fail too often: the error budget burns "
        f"{'faster than' if burn == '1' else f'{burn} times as fast as'} allowed",
        f"{what} fail: {failed} over {over}, and they still do. The objective of {target} allows {allowed}.",
        interval,
        evaluation,
    )


P = 24
"""Samples in a part, 12 minutes: longer than the windows of most alerts, and what they wait."""
Q = 40
"""Samples in a part, 20 minutes: longer than a window of 15 minutes."""

TIMELINES: dict[str, Timeline] = {
    "OneiricTargetDown": Timeline(
        {_name("up"): held(P, 1, 0, 1)},
        P,
        A,
        "a:9464 cannot be scraped",
        "Prometheus has not been able to scrape /metrics of a:9464 for 60 s, or has lost it 3 times within 15 minutes.",
    ),
    "OneiricMetricsMissing": Timeline(
        {_name("up"): held(P, 1, 1, 1), _name("oneiric_build_info"): held(P, 1, NONE, 1)},
        P,
        A,
        "No metrics of Oneiric from a:9464",
        "a:9464 has exposed no metrics of the runtime for five minutes.",
    ),
    "OneiricNotReady": Timeline(
        {_name("oneiric_runtime_ready"): held(P, 1, 0, 1)},
        P,
        A,
        "a:9464 is not ready",
        "a:9464 has not been ready for 5 minutes: a component that must run is not active, or no manifest of a "
        "remote source is in force.",
    ),
    "OneiricReloadFailed": Timeline(
        {_name("oneiric_runtime_reloads_total", outcome="failed"): once(Q, 0, 1, 0)},
        Q,
        A,
        "a:9464 could not reload its settings",
        "A reload of the settings of a:9464 failed within the last 15 minutes.",
    ),
    "OneiricSecretsStale": Timeline(
        {_name("oneiric_runtime_secrets_refreshes_total", outcome="failed"): once(Q, 0, 1, 0)},
        Q,
        A,
        "a:9464 could not refresh its secrets",
        "A refresh of secrets of a:9464 failed within the last 15 minutes.",
    ),
    "OneiricResolutionFailures": Timeline(
        _two_keys("oneiric_resolution_failures_total", P, 4.98, 5.02, 0, reason="no_candidate"),
        P,
        ADAPTER,
        "Resolutions of domain adapter fail",
        "Resolutions of domain adapter find no provider: 10.04 a minute over the last 5m (threshold 10).",
    ),
    "OneiricResolutionLatencyHigh": Timeline(
        _buckets(P, (100, 100, 100), (99.1, 98.9, 99.1), "0.1", "0.25"),
        P,
        ADAPTER,
        "Resolutions of domain adapter are slow",
        "The 99th percentile of the latency of resolutions of domain adapter is 113.6ms over the last 5m (threshold "
        "0.1 s, with at least 100 resolutions).",
    ),
    "OneiricSwapFailures": Timeline(
        _two_keys("oneiric_lifecycle_swap_failures_total", P, 2.48, 2.52, 0, reason="health"),
        P,
        ADAPTER,
        "Swaps of domain adapter fail",
        "Swaps of domain adapter fail: 5.04 a minute over the last 5m (threshold 5).",
    ),
    "OneiricSwapSlow": Timeline(
        _slow_swaps(P, 7, (0, 1, 0)),
        P,
        {**A, "domain": "adapter", "key": "cache"},
        "A swap of adapter/cache was slow",
        "A swap of adapter/cache on a:9464 took more than 30 s, within the last 10m.",
    ),
    "OneiricRollbackBurst": Timeline(
        {_name("oneiric_lifecycle_rollbacks_total", domain="adapter", key="cache"): once(Q, 2, 3, 0)},
        Q,
        {**ADAPTER, "key": "cache"},
        "Swaps of adapter/cache are rolled back repeatedly",
        "Swaps of adapter/cache were rolled back 3 times over the last 15m (threshold 3).",
    ),
    "OneiricHealthCheckFailures": Timeline(
        _two_keys("oneiric_lifecycle_health_check_failures_total", P, 1.48, 1.52, 0),
        P,
        ADAPTER,
        "Health checks of domain adapter fail",
        "Health checks of domain adapter fail: 3.04 a minute over the last 5m (threshold 3).",
    ),
    "OneiricComponentUnhealthy": Timeline(
        {_name("oneiric_lifecycle_health_status", domain="adapter", key="cache"): held(P, 1, 0, 1)},
        P,
        {**A, "domain": "adapter", "key": "cache"},
        "adapter/cache is unhealthy",
        "adapter/cache on a:9464 has not passed a health check for 5 minutes, or has become unhealthy 3 times within "
        "15 minutes.",
    ),
    "OneiricPauseForgotten": Timeline(
        {_name("oneiric_activity_oldest_pause_timestamp_seconds", domain="adapter"): held(230, 1, 1, 0)},
        230,
        {**A, "domain": "adapter"},
        "A component of domain adapter has been paused for a long time",
        "A component of domain adapter on a:9464 has been paused for 7h 38m 59s (threshold 4 h).",
        60,
        60,
    ),
    "OneiricActivityStateSuspect": Timeline(
        {_name("oneiric_activity_state_suspect"): held(Q, 0, 1, 0)},
        Q,
        A,
        "The state of pauses on a:9464 is suspect",
        "The stored pauses and drains of a:9464 are not what the service wrote. Somebody must decide which account is "
        "right.",
    ),
    "OneiricReplicaLags": Timeline(
        {
            _name("oneiric_activity_revision"): held(Q, 3, 3, 4),
            _name("oneiric_activity_revision", instance="b:9464"): held(Q, 3, 4, 4),
        },
        Q,
        A,
        "a:9464 does not know the latest pauses",
        "a:9464 has not followed the shared database of pauses and drains for 2 minutes.",
    ),
    "OneiricRemoteSyncFailures": Timeline(
        {_name("oneiric_remote_sync_consecutive_failures", source="shop"): held(P, 2, 3, 0)},
        P,
        SHOP,
        "Source shop cannot be synchronised",
        "The last 3 synchronisations of a:9464 with shop failed (threshold 3).",
    ),
    "OneiricRemoteSyncStale": Timeline(
        {
            _name("oneiric_remote_sync_last_success_timestamp_seconds", source="shop"): held(P, 0, 0, 1440),
            _name("oneiric_remote_sync_interval_seconds", source="shop"): held(P, 180, 180, 180),
        },
        P,
        SHOP,
        "Source shop is stale",
        "a:9464 last synchronised with shop 23m 30s ago (more than 4 intervals).",
    ),
    "OneiricRemoteSyncLoopDead": Timeline(
        {
            _name("oneiric_remote_sync_loop_running", source="shop"): held(P, 1, 0, 1),
            _name("oneiric_remote_sync_interval_seconds", source="shop"): held(P, 180, 180, 180),
        },
        P,
        SHOP,
        "The refresh loop of source shop has stopped",
        "The loop that refreshes shop on a:9464 has not been running for 60 s.",
    ),
    "OneiricDigestMismatch": Timeline(
        {_name("oneiric_remote_digest_mismatches_total", source="shop"): once(Q, 0, 1, 0)},
        Q,
        SHOP,
        "An artifact of source shop is not what its manifest says",
        "An artifact of shop on a:9464 had a SHA-256 digest other than the one in its manifest, within the last 15m.",
    ),
    "OneiricSignatureInvalid": Timeline(
        {
            _name("oneiric_remote_signature_verifications_total", source="shop", result="invalid"): once(Q, 0, 1, 0),
            _name("oneiric_remote_signature_verifications_total", source="shop", result="expired"): once(Q, 9, 0, 9),
        },
        Q,
        SHOP,
        "The manifest of source shop has no valid signature",
        "A manifest of shop was refused on a:9464 within the last 15m: no trusted key signed it.",
    ),
    "OneiricManifestExpiring": Timeline(
        {
            _name("oneiric_remote_manifest_expiry_timestamp_seconds", source="shop"): held(
                P, DAY + 720, DAY + 720, 2 * DAY
            )
        },
        P,
        SHOP,
        "The manifest of source shop expires soon",
        "The manifest of shop on a:9464 expires in 23h 48m 30s (threshold 24 h).",
    ),
    "OneiricCacheDiskUsageHigh": Timeline(
        {
            _name("oneiric_cache_size_bytes"): held(P, 80, 81, 80),
            _name("oneiric_cache_limit_bytes"): held(P, 100, 100, 100),
            _name("oneiric_cache_filesystem_size_bytes"): held(P, 1000, 1000, 1000),
            _name("oneiric_cache_filesystem_avail_bytes"): held(P, 900, 900, 900),
        },
        P,
        A,
        "The artifact cache of a:9464 is nearly full",
        "The artifact cache of a:9464 uses 81% of its limit or of its file system, for 300 s (threshold 80%).",
    ),
    "OneiricMemoryHigh": Timeline(
        {_name("process_resident_memory_bytes"): held(P, 2**30, 2**30 + 1, 2**30)},
        P,
        A,
        "a:9464 uses much memory",
        "The process of a:9464 uses 1GiB of memory, for 300 s (threshold 1024 MiB).",
    ),
    "OneiricHookErrors": Timeline(
        {_name("oneiric_observability_hook_errors_total", sink="log"): once(Q, 0, 1, 0)},
        Q,
        {**A, "sink": "log"},
        "log reports errors on a:9464",
        "log on a:9464 reported 1 errors over the last 15m.",
    ),
    "OneiricSeriesDropped": Timeline(
        {
            _name("oneiric_observability_series_dropped_total", metric="oneiric_resolution_total"): (
                f"{held(2 * Q - 2, NONE)} {held(Q + 2, 7)}"
            )
        },
        Q,
        {**A, "metric": "oneiric_resolution_total"},
        "oneiric_resolution_total has too many series on a:9464",
        "oneiric_resolution_total on a:9464 has reached its limit of series: 7 samples were counted in the series "
        "`_other` over the last 15m.",
    ),
    "OneiricLogEventsSuppressed": Timeline(
        {
            _name("oneiric_log_events_suppressed_total", event="domain-activity-blocked"): (
                f"{held(2 * Q - 2, NONE)} {held(Q + 2, 7)}"
            )
        },
        Q,
        {**A, "event": "domain-activity-blocked"},
        "Log lines of domain-activity-blocked are suppressed on a:9464",
        "domain-activity-blocked on a:9464 exceeded its rate limit: 7 lines were suppressed over the last 15m.",
    ),
    "OneiricResolutionBudgetBurn1h": _burn(
        "Resolution", "14.4", interval=90, evaluation=180, part=80, share=0.0144, said=("1.483%", "one hour", "0.001")
    ),
    "OneiricResolutionBudgetBurn6h": _burn(
        "Resolution", "6", interval=300, evaluation=600, part=108, share=0.006, said=("0.618%", "6 hours", "0.001")
    ),
    "OneiricResolutionBudgetBurn1d": _burn(
        "Resolution", "3", interval=1200, evaluation=2400, part=180, share=0.003, said=("0.309%", "24 hours", "0.001")
    ),
    "OneiricResolutionBudgetBurn3d": _burn(
        "Resolution", "1", interval=1800, evaluation=3600, part=240, share=0.001, said=("0.103%", "3 days", "0.001")
    ),
    "OneiricSyncBudgetBurn1h": _burn(
        "Sync", "14.4", interval=90, evaluation=180, part=80, share=0.144, said=("14.83%", "one hour", "0.01")
    ),
    "OneiricSyncBudgetBurn6h": _burn(
        "Sync", "6", interval=300, evaluation=600, part=108, share=0.06, said=("6.18%", "6 hours", "0.01")
    ),
    "OneiricSyncBudgetBurn1d": _burn(
        "Sync", "3", interval=1200, evaluation=2400, part=180, share=0.03, said=("3.09%", "24 hours", "0.01")
    ),
    "OneiricSyncBudgetBurn3d": _burn(
        "Sync", "1", interval=1800, evaluation=3600, part=240, share=0.01, said=("1.03%", "3 days", "0.01")
    ),
}
"""The timeline of every alert but the dead-man's switch, which never stops."""
