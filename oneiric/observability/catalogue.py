"""The catalogue: every metric, log event and span, bound to the event or state type that feeds it.

This is data, and the only place where a telemetry name is written. Sinks are compiled from it; rules, dashboards and
reference tables are generated from it.
"""

from __future__ import annotations

from typing import get_args

from oneiric.core import events
from oneiric.observability import events as own
from oneiric.observability.model import Catalogue, Count, Gone, Label, Log, Metric, Observe, Read, Signal

DOMAIN = Label("domain", open=True)
KEY = Label("key", open=True)
PROVIDER = Label("provider", open=True)
SOURCE = Label("source", open=True)
SINK = Label(
    "sink",
    (
        "prometheus",
        "log",
        "tracing",
        "metrics_server",
        "otlp",
        "push",
        "activity_store",
        "lifecycle_status",
        "remote_status",
        "runtime_health",
        "settings",
        "plugins",
        "supervisor",
    ),
    open=True,
)
METRIC = Label("metric")
RESOLUTIONS = Metric(
    "oneiric_resolution_total",
    "counter",
    "Resolutions attempted, whether or not a provider was selected.",
    (DOMAIN, KEY, PROVIDER),
    stability="plan",
)
RESOLUTION_DURATION = Metric(
    "oneiric_resolution_duration_seconds",
    "histogram",
    "Time a resolution took.",
    (DOMAIN, KEY),
    buckets=(
        0.00001,
        0.000025,
        0.00005,
        0.0001,
        0.00025,
        0.0005,
        0.001,
        0.0025,
        0.005,
        0.01,
        0.025,
        0.05,
        0.1,
        0.25,
        0.5,
        1.0,
    ),
    stability="plan",
)
RESOLUTION_FAILURES = Metric(
    "oneiric_resolution_failures_total",
    "counter",
    "Resolutions that selected nothing.",
    (DOMAIN, KEY, Label.of(events.ResolutionFailed, "reason")),
    part_of=RESOLUTIONS,
)
CANDIDATES = Metric(
    "oneiric_resolver_candidates",
    "gauge",
    "Registered candidates, active (winning their key) or shadowed.",
    (DOMAIN, Label("state", ("active", "shadowed"))),
    merge="max",
)
REGISTRATIONS = Metric(
    "oneiric_resolver_registrations_total",
    "counter",
    "Candidates registered.",
    (DOMAIN, Label.of(events.Registered, "origin")),
)

SWAPS = Metric(
    "oneiric_lifecycle_swap_total",
    "counter",
    "Swaps attempted; an activation is a swap from nothing.",
    (DOMAIN, KEY, Label("outcome", ("success", "failed"))),
    stability="plan",
)
SWAP_DURATION = Metric(
    "oneiric_lifecycle_swap_duration_ms",
    "histogram",
    "Time a swap took, in milliseconds.",
    (DOMAIN, KEY),
    buckets=(
        5,
        10,
        25,
        50,
        100,
        250,
        500,
        1000,
        2500,
        5000,
        10000,
        15000,
        30000,
        45000,
        60000,
        120000,
        300000,
    ),
    stability="plan",
)
SWAP_FAILURES = Metric(
    "oneiric_lifecycle_swap_failures_total",
    "counter",
    "Swaps that failed.",
    (DOMAIN, KEY, Label("reason", get_args(events.SwapFailure))),
    part_of=SWAPS,
)
ROLLBACKS = Metric(
    "oneiric_lifecycle_rollbacks_total",
    "counter",
    "Failed swaps after which the previous, still open, instance serves on.",
    (DOMAIN, KEY),
    part_of=SWAPS,
)
SWAPS_IN_PROGRESS = Metric("oneiric_lifecycle_swaps_in_progress", "gauge", "Swaps that run now.", (DOMAIN,))
HEALTH_CHECKS = Metric(
    "oneiric_lifecycle_health_checks_total",
    "counter",
    "Health checks made.",
    (DOMAIN, KEY, Label.of(events.HealthCheck, "phase")),
    moved_by="probe",
)
HEALTH_CHECK_FAILURES = Metric(
    "oneiric_lifecycle_health_check_failures_total",
    "counter",
    "Health checks, in a swap or a probe, that answered false, raised or timed out.",
    (DOMAIN, KEY),
    stability="plan",
    part_of=HEALTH_CHECKS,
    moved_by="probe",
)
HEALTH_STATUS = Metric(
    "oneiric_lifecycle_health_status", "gauge", "Whether the last health check passed.", (DOMAIN, KEY), merge="min"
)
LAST_HEALTH_CHECK = Metric(
    "oneiric_lifecycle_last_health_check_timestamp_seconds",
    "gauge",
    "When the last health check ended.",
    (DOMAIN, KEY),
    fold="min",
    merge="max",
    moved_by="probe",
)
COMPONENTS = Metric(
    "oneiric_lifecycle_components",
    "gauge",
    "Components by the state of their last activation.",
    (DOMAIN, Label("state", ("ready", "activating", "failed"))),
)
INSTANCES = Metric("oneiric_lifecycle_instances", "gauge", "Instances alive.", (DOMAIN,))
ACTIVE = Metric(
    "oneiric_lifecycle_active_info",
    "gauge",
    "The provider that serves now; always 1.",
    (DOMAIN, KEY, PROVIDER),
    merge="max",
)
CLEANUP_FAILURES = Metric(
    "oneiric_lifecycle_cleanup_failures_total",
    "counter",
    "Failures to close an instance, and failures of hooks after a swap was decided.",
    (DOMAIN,),
)

PAUSES = Metric(
    "oneiric_activity_pause_events_total",
    "counter",
    "Transitions into and out of pause.",
    (DOMAIN, Label("state", ("paused", "resumed"))),
    stability="plan",
)
DRAINS = Metric(
    "oneiric_activity_drain_events_total",
    "counter",
    "Transitions into and out of draining.",
    (DOMAIN, Label("state", ("draining", "cleared"))),
    stability="plan",
)
PAUSED_COMPONENTS = Metric(
    "oneiric_activity_paused_components", "gauge", "Components paused now.", (DOMAIN,), merge="max"
)
DRAINING_COMPONENTS = Metric(
    "oneiric_activity_draining_components", "gauge", "Components draining now.", (DOMAIN,), merge="max"
)
OLDEST_PAUSE = Metric(
    "oneiric_activity_oldest_pause_timestamp_seconds",
    "gauge",
    "When the pause that lasts longest began; 0 when nothing is paused.",
    (DOMAIN,),
    fold="oldest",
    merge="oldest",
)
BLOCKED = Metric(
    "oneiric_activity_blocked_total",
    "counter",
    "Work refused because its component is paused or draining.",
    (DOMAIN, Label.of(events.WorkBlocked, "reason")),
)
ACTIVITY_SUSPICIONS = Metric(
    "oneiric_activity_suspicions_total",
    "counter",
    "Times that the file of pauses and drains was found not to be what it was.",
    (Label.of(events.ActivityStateSuspect, "reason"),),
)
ACTIVITY_SUSPECT = Metric(
    "oneiric_activity_state_suspect",
    "gauge",
    "Whether the pauses and drains wait for somebody to decide whose account of them is right.",
    merge="max",
)
ACTIVITY_DEGRADED = Metric(
    "oneiric_activity_store_degraded",
    "gauge",
    "Whether pauses and drains cannot be changed, or have no second witness.",
    (Label("problem", ("unwritable", "unwitnessed")),),
    merge="max",
)

ACTIVITY_REVISION = Metric(
    "oneiric_activity_revision",
    "gauge",
    "Changes of the pauses and drains shared by all replicas that are in force here, 0 where none are known.",
    merge="min",
)

SYNCS = Metric(
    "oneiric_remote_sync_total",
    "counter",
    "Synchronisations with a remote source.",
    (SOURCE, Label("outcome", ("success", "failed", "skipped"))),
    stability="plan",
    moved_by="sync",
)
SYNC_DURATION = Metric(
    "oneiric_remote_sync_duration_seconds",
    "histogram",
    "Time a synchronisation took, fetch and verification included.",
    (SOURCE,),
    buckets=(0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0),
    stability="plan",
    moved_by="sync",
)
SYNC_FAILURES = Metric(
    "oneiric_remote_sync_failures_total",
    "counter",
    "Synchronisations that failed.",
    (SOURCE, Label("reason", get_args(events.SyncFailure))),
    part_of=SYNCS,
    moved_by="sync",
)
CONSECUTIVE_FAILURES = Metric(
    "oneiric_remote_sync_consecutive_failures",
    "gauge",
    "Synchronisations that failed since the last success.",
    (SOURCE,),
    merge="max",
)
LAST_SUCCESS = Metric(
    "oneiric_remote_sync_last_success_timestamp_seconds",
    "gauge",
    "When the source was last synchronised, restarts included.",
    (SOURCE,),
    fold="min",
    merge="max",
    moved_by="sync",
)
LAST_ATTEMPT = Metric(
    "oneiric_remote_sync_last_attempt_timestamp_seconds",
    "gauge",
    "When a synchronisation with the source last began.",
    (SOURCE,),
    fold="min",
    merge="max",
    moved_by="sync",
)
SYNC_INTERVAL = Metric(
    "oneiric_remote_sync_interval_seconds",
    "gauge",
    "Time between synchronisations; 0 when the source is not refreshed.",
    (SOURCE,),
    fold="min",
    merge="max",
)
LOOP_RUNNING = Metric(
    "oneiric_remote_sync_loop_running",
    "gauge",
    "Whether the loop that refreshes the source lives.",
    (SOURCE,),
    merge="max",
)
SIGNATURES = Metric(
    "oneiric_remote_signature_verifications_total",
    "counter",
    "Manifest signatures verified, or found absent.",
    (SOURCE, Label("result", ("valid", "invalid", "expired", "unsigned"))),
    moved_by="sync",
)
MANIFEST_EXPIRY = Metric(
    "oneiric_remote_manifest_expiry_timestamp_seconds",
    "gauge",
    "When the manifest in force expires.",
    (SOURCE,),
    fold="min",
    merge="min",
)
MANIFEST_ENTRIES = Metric(
    "oneiric_remote_manifest_entries",
    "gauge",
    "Entries of the manifest in force, registered or skipped.",
    (SOURCE, Label("state", ("registered", "skipped"))),
    merge="max",
)
DIGEST_CHECKS = Metric(
    "oneiric_remote_digest_checks_total",
    "counter",
    "SHA-256 comparisons.",
    stability="plan",
)
DIGEST_MISMATCHES = Metric(
    "oneiric_remote_digest_mismatches_total",
    "counter",
    "SHA-256 comparisons that disagreed.",
    (SOURCE,),
    part_of=DIGEST_CHECKS,
)
DOWNLOADS = Metric(
    "oneiric_remote_artifact_downloads_total",
    "counter",
    "Artifacts asked for.",
    (SOURCE, Label("result", ("downloaded", "cache_hit", "failed"))),
)
DOWNLOAD_BYTES = Metric(
    "oneiric_remote_artifact_download_bytes_total",
    "counter",
    "Bytes of the artifacts downloaded.",
    (SOURCE,),
)
CIRCUIT_OPEN = Metric(
    "oneiric_remote_circuit_open", "gauge", "Whether the source's circuit breaker is open.", (SOURCE,), merge="max"
)
RETRIES = Metric(
    "oneiric_remote_retries_total",
    "counter",
    "Requests made again after a failure that may pass.",
    (SOURCE, Label.of(events.RetryScheduled, "operation")),
)

CACHE_SIZE = Metric("oneiric_cache_size_bytes", "gauge", "Size of the artifact cache at its last scan.", merge="max")
CACHE_LIMIT = Metric("oneiric_cache_limit_bytes", "gauge", "Size over which artifacts are evicted.", merge="max")
CACHE_ARTIFACTS = Metric("oneiric_cache_artifacts", "gauge", "Artifacts in the cache at its last scan.", merge="max")
CACHE_FILESYSTEM_SIZE = Metric(
    "oneiric_cache_filesystem_size_bytes", "gauge", "Size of the file system that holds the cache.", merge="max"
)
CACHE_FILESYSTEM_AVAIL = Metric(
    "oneiric_cache_filesystem_avail_bytes",
    "gauge",
    "Space available on the file system that holds the cache.",
    merge="min",
    part_of=CACHE_FILESYSTEM_SIZE,
)
CACHE_SCAN = Metric(
    "oneiric_cache_scan_timestamp_seconds", "gauge", "When the cache was last scanned.", merge="max", moved_by="scan"
)
CACHE_EVICTIONS = Metric(
    "oneiric_cache_evictions_total",
    "counter",
    "Artifacts evicted from the cache.",
    (Label.of(events.CacheEvicted, "reason"),),
)

RUNTIME_READY = Metric(
    "oneiric_runtime_ready",
    "gauge",
    "Whether the service is ready: started, its sources synchronised once, everything active that must run.",
    merge="min",
)
RUNTIME_REQUIRED = Metric(
    "oneiric_runtime_required_components",
    "gauge",
    "Components that must run, active or missing.",
    (Label("state", ("active", "missing")),),
    merge="max",
)
RELOADS = Metric(
    "oneiric_runtime_reloads_total",
    "counter",
    "Reloads of the settings.",
    (Label("outcome", ("success", "failed")),),
)
SECRETS_REFRESHES = Metric(
    "oneiric_runtime_secrets_refreshes_total",
    "counter",
    "Refreshes of the secrets, the preparation of their provider at the start included.",
    (Label("outcome", ("success", "failed")),),
)
SELECTION_SWAPS = Metric(
    "oneiric_runtime_selection_swaps_total",
    "counter",
    "Swaps that a changed selection called for; held while the key is paused or drains.",
    (DOMAIN, Label("outcome", ("success", "failed", "held"))),
)
CONTROL_REQUESTS = Metric(
    "oneiric_control_requests_total",
    "counter",
    "Changes asked for through the control socket.",
    (Label.of(events.ControlRequest, "command"), Label("outcome", ("success", "failed", "denied"))),
)

BUILD = Metric(
    "oneiric_build_info",
    "gauge",
    "What runs here; always 1.",
    (Label("version"), Label("python"), Label("implementation")),
    merge="max",
)
LOG_EVENTS = Metric(
    "oneiric_log_events_total",
    "counter",
    "Log events handed to the logging set-up.",
    (Label("event"), Label.of(own.LogWritten, "level")),
)
LOG_EVENTS_SUPPRESSED = Metric(
    "oneiric_log_events_suppressed_total",
    "counter",
    "Log events dropped by the rate limit.",
    (Label("event"),),
    part_of=LOG_EVENTS,
)
HOOK_ERRORS = Metric(
    "oneiric_observability_hook_errors_total",
    "counter",
    "Errors contained in telemetry sinks and other parts that must never stop the runtime.",
    (SINK,),
)
SCRAPE_DURATION = Metric(
    "oneiric_observability_scrape_duration_seconds", "gauge", "Time the last scrape took to collect.", merge="own"
)
SCRAPE_ERRORS = Metric(
    "oneiric_observability_scrape_errors_total",
    "counter",
    "Collectors that failed in a scrape.",
    (Label("collector", open=True),),
)
SERIES = Metric("oneiric_observability_series", "gauge", "Label sets of a metric.", (METRIC,), merge="max")
SERIES_DROPPED = Metric(
    "oneiric_observability_series_dropped_total",
    "counter",
    "Samples folded because their metric reached its series budget.",
    (METRIC,),
)
SPANS_LOST = Metric(
    "oneiric_observability_spans_lost_total",
    "counter",
    "Ended spans that could not be exported.",
    (Label.of(own.SpansLost, "reason"),),
)

COMPONENT = ("domain", "key", "provider")

CATALOGUE = Catalogue(
    (
        Signal(
            events.Resolved,
            area="resolver",
            metrics=(Count(RESOLUTIONS), Observe(RESOLUTION_DURATION)),
            logs=(
                Log(
                    "resolver-decision",
                    "debug",
                    ("candidates", "shadowed", "duration_ms"),
                    const={"decision": "resolved"},
                ),
            ),
            span="oneiric.resolver.decision",
            within=COMPONENT,
        ),
        Signal(
            events.ResolutionFailed,
            area="resolver",
            metrics=(Count(RESOLUTIONS), Observe(RESOLUTION_DURATION), Count(RESOLUTION_FAILURES)),
            logs=(
                Log(
                    "resolver-decision",
                    "warning",
                    ("reason", "candidates", "shadowed", "duration_ms"),
                    const={"decision": "failed"},
                ),
            ),
            span="oneiric.resolver.decision",
        ),
        Signal(
            events.Registered,
            area="resolver",
            metrics=(Count(REGISTRATIONS),),
            logs=(Log("candidate-registered", "debug", ("priority", "stack_level", "origin")),),
            known=COMPONENT,
        ),
        Signal(
            events.Unregistered,
            area="resolver",
            gone=(
                Gone(COMPONENT, when="provider_gone", gauges=False),  # its instance may serve on
                Gone(("domain", "key"), when="key_gone"),
            ),
        ),
        Signal(
            events.CandidateCount,
            area="resolver",
            metrics=(
                Read(CANDIDATES, "active", const={"state": "active"}),
                Read(CANDIDATES, "shadowed", const={"state": "shadowed"}),
            ),
        ),
        Signal(
            events.Swap,
            area="lifecycle",
            metrics=(
                Count(SWAPS, on=("success",), const={"outcome": "success"}),
                Count(SWAPS, on=("failed", "cancelled"), const={"outcome": "failed"}),
                Observe(SWAP_DURATION, scale=1000.0),
                Count(SWAP_FAILURES, on=("failed", "cancelled")),
            ),
            logs=(
                Log("swap-started", "debug", ("previous_provider",), on=("started",)),
                Log("swap-complete", "info", ("previous_provider", "duration_ms", "forced"), on=("success",)),
                Log("swap-failed", "error", ("reason", "duration_ms"), on=("failed", "cancelled")),
            ),
            span="oneiric.lifecycle.swap",
        ),
        Signal(
            events.RolledBack,
            area="lifecycle",
            metrics=(Count(ROLLBACKS),),
            logs=(Log("swap-rollback", "warning", ("restored_provider",)),),
        ),
        Signal(
            events.CleanupFailed,
            area="lifecycle",
            metrics=(Count(CLEANUP_FAILURES),),
            logs=(Log("swap-cleanup-failed", "warning"),),
        ),
        Signal(
            events.HealthCheck,
            area="lifecycle",
            metrics=(Count(HEALTH_CHECKS, on=("success", "failed")), Count(HEALTH_CHECK_FAILURES, on=("failed",))),
            logs=(Log("health-check-failed", "warning", ("phase", "check"), on=("failed",)),),
            span="oneiric.lifecycle.health_check",
        ),
        Signal(
            events.HealthRecovered,
            area="lifecycle",
            logs=(Log("health-check-recovered", "info", ("down_seconds",)),),
        ),
        Signal(
            events.LifecycleCount,
            area="lifecycle",
            metrics=(
                Read(SWAPS_IN_PROGRESS, "swaps_in_progress"),
                Read(INSTANCES, "instances"),
                Read(COMPONENTS, "ready", const={"state": "ready"}),
                Read(COMPONENTS, "activating", const={"state": "activating"}),
                Read(COMPONENTS, "failed", const={"state": "failed"}),
            ),
        ),
        Signal(
            events.ComponentState,
            area="lifecycle",
            metrics=(Read(HEALTH_STATUS, "healthy"), Read(LAST_HEALTH_CHECK, "checked_at"), Read(ACTIVE)),
        ),
        Signal(
            events.Paused,
            area="activity",
            metrics=(Count(PAUSES, const={"state": "paused"}),),
            logs=(Log("domain-paused", "info", ("note",)),),
        ),
        Signal(
            events.Resumed,
            area="activity",
            metrics=(Count(PAUSES, const={"state": "resumed"}),),
            logs=(Log("domain-resumed", "info", ("note",)),),
        ),
        Signal(
            events.DrainStarted,
            area="activity",
            metrics=(Count(DRAINS, const={"state": "draining"}),),
            logs=(Log("domain-draining", "info", ("note",)),),
        ),
        Signal(
            events.DrainCleared,
            area="activity",
            metrics=(Count(DRAINS, const={"state": "cleared"}),),
            logs=(Log("domain-drain-cleared", "info", ("note",)),),
        ),
        Signal(
            events.WorkBlocked,
            area="activity",
            metrics=(Count(BLOCKED),),
            logs=(Log("domain-activity-blocked", "warning", ("reason",), limited=True),),
        ),
        Signal(
            events.ActivityCount,
            area="activity",
            metrics=(
                Read(PAUSED_COMPONENTS, "paused"),
                Read(DRAINING_COMPONENTS, "draining"),
                Read(OLDEST_PAUSE, "oldest_pause"),
            ),
        ),
        Signal(
            events.ActivityStateSuspect,
            area="activity",
            metrics=(Count(ACTIVITY_SUSPICIONS),),
            logs=(Log("activity-state-suspect", "error", ("reason", "quarantine", "held")),),
        ),
        Signal(
            events.ActivityStateRecovered,
            area="activity",
            logs=(Log("activity-state-recovered", "warning", ("account", "held")),),
        ),
        Signal(
            events.ActivityStoreState,
            area="activity",
            metrics=(
                Read(ACTIVITY_SUSPECT, "suspect"),
                Read(ACTIVITY_DEGRADED, "unwritable", const={"problem": "unwritable"}),
                Read(ACTIVITY_DEGRADED, "unwitnessed", const={"problem": "unwitnessed"}),
            ),
        ),
        Signal(events.ActivityRevision, area="activity", metrics=(Read(ACTIVITY_REVISION, "revision"),)),
        Signal(events.SourceAdded, area="remote", known=("source",)),
        Signal(events.SourceRemoved, area="remote", gone=(Gone(("source",)),)),
        Signal(
            events.RemoteSync,
            area="remote",
            metrics=(
                Count(SYNCS, on=("success",), const={"outcome": "success"}),
                Count(SYNCS, on=("failed",), const={"outcome": "failed"}),
                Count(SYNCS, on=("skipped",), const={"outcome": "skipped"}),
                Observe(SYNC_DURATION, on=("success", "failed")),
                Count(SYNC_FAILURES, on=("failed",)),
            ),
            logs=(
                Log("remote-sync-started", "debug", ("source",), on=("started",)),
                Log(
                    "remote-sync-complete",
                    "info",
                    ("source", "registered", "skipped", "duration_ms", "digest_checks", "artifacts"),
                    on=("success",),
                ),
                Log(
                    "remote-sync-error",
                    "error",
                    ("source", "reason", "host", "consecutive_failures"),
                    on=("failed",),
                ),
            ),
            span="oneiric.remote.sync",
        ),
        Signal(
            events.CircuitOpened,
            area="remote",
            logs=(Log("remote-sync-circuit-open", "warning", ("source", "retry_after_seconds")),),
        ),
        Signal(
            events.EntryRejected,
            area="remote",
            logs=(Log("remote-entry-invalid", "warning", ("source", "reason")),),
        ),
        Signal(
            events.SignatureVerified,
            area="remote",
            metrics=(Count(SIGNATURES, const={"result": "valid"}),),
            logs=(Log("manifest-signature-verified", "info", ("source", "algorithm", "key_id")),),
        ),
        Signal(
            events.SignatureInvalid,
            area="remote",
            metrics=(Count(SIGNATURES, const={"result": "invalid"}),),
            logs=(Log("manifest-signature-invalid", "error", ("source", "algorithm", "key_id")),),
        ),
        Signal(
            events.SignatureExpired,
            area="remote",
            metrics=(Count(SIGNATURES, const={"result": "expired"}),),
            logs=(Log("manifest-signature-invalid", "error", ("source", "algorithm", "key_id")),),
        ),
        Signal(
            events.ManifestUnsigned,
            area="remote",
            metrics=(Count(SIGNATURES, const={"result": "unsigned"}),),
            logs=(Log("manifest-unsigned", "warning", ("source", "algorithm", "key_id")),),
        ),
        Signal(events.DigestMatched, area="remote", metrics=(Count(DIGEST_CHECKS),)),
        Signal(
            events.DigestMismatched,
            area="remote",
            metrics=(Count(DIGEST_CHECKS), Count(DIGEST_MISMATCHES)),
            logs=(Log("artifact-digest-mismatch", "error", ("source",)),),
        ),
        Signal(
            events.ArtifactFetch,
            area="remote",
            metrics=(Count(DOWNLOADS, on=("failed",), const={"result": "failed"}),),
            span="oneiric.remote.artifact_fetch",
        ),
        Signal(
            events.ArtifactDownloaded,
            area="remote",
            metrics=(Count(DOWNLOADS, const={"result": "downloaded"}), Count(DOWNLOAD_BYTES, amount="bytes")),
            logs=(Log("artifact-downloaded", "info", ("source", "bytes")),),
        ),
        Signal(
            events.ArtifactCacheHit,
            area="remote",
            metrics=(Count(DOWNLOADS, const={"result": "cache_hit"}),),
            logs=(
                Log(
                    "artifact-cache-hit",
                    "debug",
                    ("source", "bytes"),
                    unused=f"of level debug: {DOWNLOADS.name} counts them",
                ),
            ),
        ),
        Signal(events.RetryScheduled, area="remote", metrics=(Count(RETRIES),)),
        Signal(
            events.SourceState,
            area="remote",
            metrics=(
                Read(CONSECUTIVE_FAILURES, "consecutive_failures"),
                Read(LAST_SUCCESS, "last_success"),
                Read(LAST_ATTEMPT, "last_attempt"),
                Read(SYNC_INTERVAL, "interval"),
                Read(LOOP_RUNNING, "loop_running"),
                Read(MANIFEST_EXPIRY, "manifest_expiry"),
                Read(MANIFEST_ENTRIES, "registered", const={"state": "registered"}),
                Read(MANIFEST_ENTRIES, "skipped", const={"state": "skipped"}),
                Read(CIRCUIT_OPEN, "circuit_open"),
            ),
        ),
        Signal(
            events.CacheUsageHigh,
            area="cache",
            logs=(Log("cache-usage-high", "warning", ("used_ratio",)),),
        ),
        Signal(
            events.CacheEvicted,
            area="cache",
            metrics=(Count(CACHE_EVICTIONS, amount="artifacts"),),
            logs=(Log("cache-evicted", "info", ("artifacts", "bytes")),),
        ),
        Signal(events.CacheScanFailed, area="cache", logs=(Log("cache-scan-failed", "warning"),)),
        Signal(
            events.CacheState,
            area="cache",
            metrics=(
                Read(CACHE_SIZE, "size_bytes"),
                Read(CACHE_LIMIT, "limit_bytes"),
                Read(CACHE_ARTIFACTS, "artifacts"),
                Read(CACHE_FILESYSTEM_SIZE, "filesystem_size_bytes"),
                Read(CACHE_FILESYSTEM_AVAIL, "filesystem_avail_bytes"),
                Read(CACHE_SCAN, "scanned_at"),
            ),
        ),
        Signal(
            events.RuntimeReady,
            area="runtime",
            logs=(Log("runtime-ready", "info", ("required", "active")),),
        ),
        Signal(
            events.RuntimeStarting,
            area="runtime",
            logs=(
                Log(
                    "runtime-starting",
                    "info",
                    ("required", "active"),
                    unused=f"the progress of a long start, for who waits for it; {RUNTIME_REQUIRED.name} has it, too",
                ),
            ),
        ),
        Signal(
            events.RuntimeRecovered,
            area="runtime",
            logs=(
                Log(
                    "runtime-recovered",
                    "warning",
                    ("previous_pid", "last_seen_at", "paused", "draining"),
                    unused="what was kept, for who looks why a process ended; that it did, a restart shows",
                ),
            ),
        ),
        Signal(events.RuntimeStopping, area="runtime", logs=(Log("runtime-stopping", "info", ("reason",)),)),
        Signal(
            events.ComponentMissing,
            area="runtime",
            logs=(Log("component-missing", "error", limited=True),),
        ),
        Signal(
            events.RuntimeState,
            area="runtime",
            metrics=(
                Read(RUNTIME_READY, "ready"),
                Read(RUNTIME_REQUIRED, "active", const={"state": "active"}),
                Read(RUNTIME_REQUIRED, "missing", const={"state": "missing"}),
            ),
        ),
        Signal(
            events.Reload,
            area="runtime",
            metrics=(
                Count(RELOADS, on=("success", "skipped"), const={"outcome": "success"}),
                Count(RELOADS, on=("failed", "cancelled"), const={"outcome": "failed"}),
            ),
            logs=(
                Log("settings-reloaded", "info", ("origin", "changed", "restart", "duration_ms"), on=("success",)),
                Log("settings-reload-failed", "error", ("origin", "reason"), on=("failed", "cancelled")),
            ),
        ),
        Signal(
            events.SecretsRefresh,
            area="runtime",
            metrics=(
                Count(SECRETS_REFRESHES, on=("success",), const={"outcome": "success"}),
                Count(SECRETS_REFRESHES, on=("failed",), const={"outcome": "failed"}),
            ),
            logs=(
                Log("secrets-refreshed", "info", ("origin", "renewed", "duration_ms"), on=("success",)),
                Log("secrets-refresh-failed", "error", ("origin", "reason"), on=("failed",)),
            ),
        ),
        Signal(
            events.SelectionSwap,
            area="runtime",
            metrics=(
                Count(SELECTION_SWAPS, on=("success",), const={"outcome": "success"}),
                Count(SELECTION_SWAPS, on=("failed", "cancelled"), const={"outcome": "failed"}),
            ),
            logs=(
                Log("selection-swap-triggered", "info", ("duration_ms",), on=("success",)),
                Log("selection-swap-error", "error", ("duration_ms",), on=("failed", "cancelled")),
            ),
        ),
        Signal(
            events.SelectionSwapHeld,
            area="runtime",
            metrics=(Count(SELECTION_SWAPS, const={"outcome": "held"}),),
            logs=(Log("selection-swap-delayed", "warning", ("reason",)),),
        ),
        Signal(
            events.ControlRequest,
            area="control",
            metrics=(
                Count(CONTROL_REQUESTS, on=("success",), const={"outcome": "success"}),
                Count(CONTROL_REQUESTS, on=("failed", "cancelled"), const={"outcome": "failed"}),
            ),
            logs=(
                Log("control-request", "info", ("command", "uid", "pid", "duration_ms"), on=("success",)),
                Log(
                    "control-request-failed", "warning", ("command", "uid", "pid", "reason"), on=("failed", "cancelled")
                ),
            ),
        ),
        Signal(
            events.ControlDenied,
            area="control",
            metrics=(Count(CONTROL_REQUESTS, const={"outcome": "denied"}),),
            logs=(Log("control-denied", "warning", ("command", "uid", "pid", "right")),),
        ),
        Signal(
            own.MetricsServerStarted,
            area="observability",
            logs=(Log("metrics-server-started", "info", ("address", "port")),),
        ),
        Signal(
            own.MetricsServerFailed,
            area="observability",
            metrics=(Count(HOOK_ERRORS, const={"sink": "metrics_server"}),),
            logs=(Log("metrics-server-failed", "error", ("address", "port")),),
        ),
        Signal(
            own.MetricsServerJoined,
            area="observability",
            logs=(
                Log(
                    "metrics-server-joined",
                    "info",
                    ("address", "port", "hint"),
                    unused="where to look, for who starts several processes",
                ),
            ),
        ),
        Signal(
            own.MetricsServerExposed,
            area="observability",
            logs=(
                Log(
                    "metrics-server-exposed",
                    "warning",
                    ("address", "port", "missing"),
                    unused="a warning about the settings, for who starts a process",
                ),
            ),
        ),
        Signal(
            own.Attached,
            area="observability",
            logs=(Log("observability-attached", "info", ("sink",)),),
            known=("sink",),
        ),
        Signal(
            events.HookFailed,
            area="observability",
            metrics=(Count(HOOK_ERRORS),),
            logs=(Log("observability-hook-error", "error", ("sink",), limited=True),),
        ),
        Signal(
            own.SeriesLimitReached,
            area="observability",
            logs=(Log("series-limit-reached", "warning", ("metric",)),),
        ),
        Signal(own.SeriesFolded, area="observability", metrics=(Count(SERIES_DROPPED, amount="samples"),)),
        Signal(own.SpansLost, area="observability", metrics=(Count(SPANS_LOST, amount="spans"),)),
        Signal(own.SeriesCount, area="observability", metrics=(Read(SERIES, "count"),)),
        Signal(own.LogWritten, area="observability", metrics=(Count(LOG_EVENTS),)),
        Signal(own.LogSuppressed, area="observability", metrics=(Count(LOG_EVENTS_SUPPRESSED),)),
        Signal(
            own.ScrapeFailed,
            area="observability",
            metrics=(Count(SCRAPE_ERRORS),),
            logs=(Log("observability-hook-error", "error", const={"sink": "scrape"}, limited=True),),
        ),
        Signal(own.ScrapeState, area="observability", metrics=(Read(SCRAPE_DURATION, "duration"),)),
        Signal(own.BuildState, area="observability", metrics=(Read(BUILD),)),
    ),
)
"""Every signal of Oneiric."""
