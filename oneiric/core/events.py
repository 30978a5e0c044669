"""What the runtime reports of itself: typed, flat, immutable facts, operations and states.

The runtime makes these records and hands them to :class:`oneiric.core.observers.Observers`; it knows no metric, log
or span name. Three kinds exist:

* an :class:`Event` is an instant, named by a past participle (``Resolved``, ``RolledBack``);
* an :class:`Operation` takes time, is named by a noun (``Swap``) and ends with a :class:`Finished`;
* a :class:`State` is read when somebody looks (at scrape time), never pushed.

Every field is a flat scalar, bounded and already redacted where the record is made: never an argument, payload, token
or full URL. Durations are seconds, timestamps are seconds since the Unix epoch, sizes are bytes.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Outcome = Literal["success", "failed", "skipped", "cancelled"]
"""How an operation ended; ``cancelled`` is an outcome, not an error."""

Miss = Literal["no_candidate", "provider_not_found", "capability_mismatch"]
"""Why no candidate of a key is selected."""

SelectionFailure = Literal[Miss, "error"]
"""Why a resolution selects nothing."""

Origin = Literal["local_pkg", "remote_manifest", "entry_point", "manual"]
"""Where a candidate was found."""

SwapFailure = Literal["no_candidate", "factory", "health", "timeout", "hook", "cancelled", "other"]
"""Why a swap fails: the reason in its :class:`Finished`."""

SyncFailure = Literal[
    "network",
    "http_status",
    "timeout",
    "signature",
    "expired",
    "replay",
    "digest",
    "parse",
    "path",
    "too_large",
    "other",
]
"""Why a synchronisation fails: the reason in its :class:`Finished`."""

SuspectReason = Literal["damaged", "emptied", "removed", "replaced", "restored", "rows_lost"]
"""What happened to a file of pauses and drains that cannot be what it was."""

ControlCommand = Literal[
    "list",
    "explain",
    "swap",
    "activity",
    "activity-recover",
    "pause",
    "resume",
    "drain",
    "status",
    "health",
    "remote-status",
    "remote-sync",
    "action-invoke",
    "metrics",
    "cache-status",
    "cache-clean",
    "plugins",
    "reload",
]
"""What can be asked of a service through its control socket."""


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Something that happened; the base of everything that can be observed."""


class Operation(Event, frozen=True, kw_only=True, gc=False):
    """Something that takes time; reported when it starts, and again, completed, in :class:`Finished`."""


class State(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Something that is so at the instant it is read; a field that is None has no value now."""


class Finished(msgspec.Struct, frozen=True, kw_only=True):
    """How an operation ended; every sink reads these same values.

    Attributes:
        operation: The operation with all fields its body filled in.
        outcome: How it ended.
        reason: Enumerated cause when it did not succeed, else "".
        duration: Seconds, measured once.
        error_type: Class name of the error, or "".
        error: Redacted text of the error, at most 512 characters, or "".
    """

    operation: Operation
    outcome: Outcome
    reason: str = ""
    duration: float = 0.0
    error_type: str = ""
    error: str = ""


class Resolved(Event, frozen=True, kw_only=True, gc=False):
    """A resolution selected a provider.

    ``candidates`` counts those considered for the key, ``shadowed`` the ones of them not selected.
    """

    domain: str
    key: str
    provider: str
    duration: float
    candidates: int
    shadowed: int


class ResolutionFailed(Event, frozen=True, kw_only=True, gc=False):
    """A resolution selected nothing; ``provider`` is always "none"."""

    domain: str
    key: str
    reason: SelectionFailure
    duration: float
    candidates: int = 0
    shadowed: int = 0
    provider: str = "none"
    error_type: str = ""
    error: str = ""


class Registered(Event, frozen=True, kw_only=True, gc=False):
    """A candidate was registered."""

    domain: str
    key: str
    provider: str
    origin: Origin
    priority: int
    stack_level: int


class Unregistered(Event, frozen=True, kw_only=True, gc=False):
    """A candidate was removed.

    ``provider_gone``: no other candidate of this provider remains for the key; ``key_gone``: none of any provider.
    """

    domain: str
    key: str
    provider: str
    provider_gone: bool
    key_gone: bool


class CandidateCount(State, frozen=True, kw_only=True, gc=False):
    """How many candidates of a domain are active (win their key) and shadowed."""

    domain: str
    active: int
    shadowed: int


class Swap(Operation, frozen=True, kw_only=True, gc=False):
    """A provider takes over a key; an activation is a swap from nothing (``previous_provider`` "none").

    Reasons: :data:`SwapFailure`.
    """

    domain: str
    key: str
    provider: str = "none"
    previous_provider: str = "none"
    forced: bool = False


class RolledBack(Event, frozen=True, kw_only=True, gc=False):
    """A swap to ``provider`` failed and the previous, still open, instance serves on."""

    domain: str
    key: str
    provider: str
    restored_provider: str


class CleanupFailed(Event, frozen=True, kw_only=True, gc=False):
    """Work after a swap was decided failed: closing an instance, a cleanup hook or a post-swap hook."""

    domain: str
    key: str
    provider: str
    error_type: str
    error: str


class HealthCheck(Operation, frozen=True, kw_only=True, gc=False):
    """One check of one instance; ``phase`` is swap or probe, ``check`` names what was called.

    Outcome failed means it answered false, raised, timed out or did not answer a bool.
    """

    domain: str
    key: str
    provider: str
    phase: Literal["swap", "probe"]
    check: str


class HealthRecovered(Event, frozen=True, kw_only=True, gc=False):
    """A component is healthy again after ``down_seconds`` seconds."""

    domain: str
    key: str
    provider: str
    down_seconds: float


class LifecycleCount(State, frozen=True, kw_only=True, gc=False):
    """What the lifecycle manager holds of a domain."""

    domain: str
    swaps_in_progress: int
    instances: int
    ready: int
    activating: int
    failed: int


class ComponentState(State, frozen=True, kw_only=True, gc=False):
    """One component: who serves (None: nobody), and the last health check (None: never checked)."""

    domain: str
    key: str
    provider: str | None = None
    healthy: bool | None = None
    checked_at: float | None = None


class Paused(Event, frozen=True, kw_only=True, gc=False):
    """A component went from accepting work to paused."""

    domain: str
    key: str
    note: str = ""


class Resumed(Event, frozen=True, kw_only=True, gc=False):
    """A component is no longer paused."""

    domain: str
    key: str
    note: str = ""


class DrainStarted(Event, frozen=True, kw_only=True, gc=False):
    """A component began to drain."""

    domain: str
    key: str
    note: str = ""


class DrainCleared(Event, frozen=True, kw_only=True, gc=False):
    """A component no longer drains."""

    domain: str
    key: str
    note: str = ""


class WorkBlocked(Event, frozen=True, kw_only=True, gc=False):
    """Work was refused because the component is paused (which wins) or draining."""

    domain: str
    key: str
    reason: Literal["paused", "draining"]


class ActivityCount(State, frozen=True, kw_only=True, gc=False):
    """How many components of a domain are paused and draining; ``oldest_pause`` is 0 when none is paused."""

    domain: str
    paused: int
    draining: int
    oldest_pause: float


class ActivityStateSuspect(Event, frozen=True, kw_only=True, gc=False):
    """The file of pauses and drains is not what it was; what was known stays in force until somebody decides.

    ``quarantine`` is the name that the file has now, "" where there was none; ``held`` counts the pauses and drains
    that are in force.
    """

    reason: SuspectReason
    quarantine: str
    held: int


class ActivityStateRecovered(Event, frozen=True, kw_only=True, gc=False):
    """Somebody decided whose account of the pauses and drains is right; ``held`` are in force since then."""

    account: Literal["database", "witness"]
    held: int


class ActivityStoreState(State, frozen=True, kw_only=True, gc=False):
    """Whether the pauses and drains are certain (not ``suspect``), can be changed, and have a second witness."""

    suspect: bool
    unwritable: bool
    unwitnessed: bool


class ActivityRevision(State, frozen=True, kw_only=True, gc=False):
    """How many changes of the pauses and drains that all replicas share are in force here, 0 where none are known."""

    revision: int


class SourceAdded(Event, frozen=True, kw_only=True, gc=False):
    """A remote source was configured; ``source`` is its stable identifier, known before the first fetch."""

    source: str


class SourceRemoved(Event, frozen=True, kw_only=True, gc=False):
    """A remote source is gone."""

    source: str


class RemoteSync(Operation, frozen=True, kw_only=True, gc=False):
    """One synchronisation with a remote source, fetch and verification included.

    Reasons: :data:`SyncFailure`; for skipped: circuit_open, disabled.
    """

    source: str
    host: str = ""
    registered: int = 0
    skipped: int = 0
    digest_checks: int = 0
    artifacts: int = 0
    consecutive_failures: int = 0


class CircuitOpened(Event, frozen=True, kw_only=True, gc=False):
    """The source's circuit is open: it opened just now, or a sync was skipped because of it."""

    source: str
    retry_after_seconds: float


class EntryRejected(Event, frozen=True, kw_only=True, gc=False):
    """A manifest entry was skipped; ``reason`` is a short slug, ``error`` the explanation."""

    source: str
    reason: str
    domain: str = ""
    key: str = ""
    provider: str = ""
    error: str = ""


class SignatureVerified(Event, frozen=True, kw_only=True, gc=False):
    """A manifest signature is valid."""

    source: str
    algorithm: str
    key_id: str = ""


class SignatureInvalid(Event, frozen=True, kw_only=True, gc=False):
    """No trusted key verifies the manifest."""

    source: str
    algorithm: str
    key_id: str = ""
    error_type: str = ""
    error: str = ""


class SignatureExpired(Event, frozen=True, kw_only=True, gc=False):
    """The signature is valid, but the manifest's validity is over or not yet begun."""

    source: str
    algorithm: str
    key_id: str = ""
    error_type: str = ""
    error: str = ""


class ManifestUnsigned(Event, frozen=True, kw_only=True, gc=False):
    """A manifest carries no signature, whether that was accepted or not."""

    source: str
    algorithm: str = "none"
    key_id: str = ""


class DigestMatched(Event, frozen=True, kw_only=True, gc=False):
    """A SHA-256 comparison agreed."""

    source: str


class DigestMismatched(Event, frozen=True, kw_only=True, gc=False):
    """A SHA-256 comparison disagreed; ``error`` begins with "SHA256 mismatch"."""

    source: str
    error: str
    error_type: str = ""


class ArtifactFetch(Operation, frozen=True, kw_only=True, gc=False):
    """One artifact is brought into the cache, or found there."""

    source: str
    bytes: int = 0


class ArtifactDownloaded(Event, frozen=True, kw_only=True, gc=False):
    """An artifact was downloaded, verified and renamed into the cache."""

    source: str
    bytes: int


class ArtifactCacheHit(Event, frozen=True, kw_only=True, gc=False):
    """An artifact was already in the cache and verified there."""

    source: str
    bytes: int


class RetryScheduled(Event, frozen=True, kw_only=True, gc=False):
    """A request failed in a way that may pass, and is made again."""

    source: str
    operation: Literal["manifest", "artifact"]


class SourceState(State, frozen=True, kw_only=True, gc=False):
    """One remote source; ``interval`` is 0 when it is not refreshed, None values are not known yet."""

    source: str
    consecutive_failures: int
    interval: float
    loop_running: bool
    circuit_open: bool
    last_success: float | None = None
    last_attempt: float | None = None
    manifest_expiry: float | None = None
    registered: int | None = None
    skipped: int | None = None


class CacheUsageHigh(Event, frozen=True, kw_only=True, gc=False):
    """The cache crossed its high-usage ratio (0 to 1) of the configured limit or of the file system."""

    used_ratio: float


class CacheEvicted(Event, frozen=True, kw_only=True, gc=False):
    """Artifacts were removed; ``reason``: for the size of all, the age of each, or because somebody asked for it."""

    reason: Literal["size", "age", "request"]
    artifacts: int
    bytes: int


class CacheScanFailed(Event, frozen=True, kw_only=True, gc=False):
    """The background scan of the cache could not finish."""

    error_type: str
    error: str


class CacheState(State, frozen=True, kw_only=True, gc=False):
    """What the last background scan of the artifact cache measured; None before the first one."""

    limit_bytes: int
    size_bytes: int | None = None
    artifacts: int | None = None
    filesystem_size_bytes: int | None = None
    filesystem_avail_bytes: int | None = None
    scanned_at: float | None = None


class RuntimeReady(Event, frozen=True, kw_only=True, gc=False):
    """A service has started: its first synchronisations are over, ``required`` components have to run."""

    required: int
    active: int


class RuntimeStarting(Event, frozen=True, kw_only=True, gc=False):
    """A service is still starting: of ``required`` components that have to run, ``active`` are; once a second."""

    required: int
    active: int


class RuntimeRecovered(Event, frozen=True, kw_only=True, gc=False):
    """A runtime starts on the files of one that ended without stopping, and takes over what it kept.

    ``paused`` and ``draining`` count components, ``previous_pid`` is the process that ended, ``last_seen_at`` when it
    last said that it runs, in ISO 8601.
    """

    previous_pid: int
    last_seen_at: str
    paused: int
    draining: int


class RuntimeStopping(Event, frozen=True, kw_only=True, gc=False):
    """A service stops; ``reason`` is the signal that asked for it, or another short word."""

    reason: str


class ComponentMissing(Event, frozen=True, kw_only=True, gc=False):
    """A component that must run could not be activated, and will be tried again."""

    domain: str
    key: str
    error_type: str
    error: str


class RuntimeState(State, frozen=True, kw_only=True, gc=False):
    """Whether a service is ready, and how many of the components that must run are active."""

    ready: bool
    active: int
    missing: int


class Reload(Operation, frozen=True, kw_only=True, gc=False):
    """The settings are read again and applied; ``changed`` counts those that differ, ``restart`` those left aside.

    Reasons: invalid, failed.
    """

    origin: Literal["signal", "command", "file"]
    changed: int = 0
    restart: int = 0


class SecretsRefresh(Operation, frozen=True, kw_only=True, gc=False):
    """The secrets provider is made ready at the start, or asked again for the ``renewed`` secrets that are kept.

    Skipped where there is no provider, or nothing is kept. Reasons: provider; the last good values stay in force then.
    """

    origin: Literal["start", "interval", "reload"]
    renewed: int = 0


class SelectionSwap(Operation, frozen=True, kw_only=True, gc=False):
    """A changed selection has a key swapped; ``provider`` is "none" where the selection went away."""

    domain: str
    key: str
    provider: str


class SelectionSwapHeld(Event, frozen=True, kw_only=True, gc=False):
    """A changed selection waits: its key is paused, or drains."""

    domain: str
    key: str
    provider: str
    reason: Literal["paused", "draining"]


class ControlRequest(Operation, frozen=True, kw_only=True, gc=False):
    """Somebody has the service change something through its control socket.

    ``uid`` and ``pid`` are those of the process that asked, as the kernel says. Reasons: refused, failed, other.
    """

    command: ControlCommand
    uid: int
    pid: int
    domain: str = ""
    key: str = ""
    provider: str = ""


class ControlDenied(Event, frozen=True, kw_only=True, gc=False):
    """Somebody asked for what he has no right to."""

    command: ControlCommand
    uid: int
    pid: int
    right: Literal["read", "change"]


class HookFailed(Event, frozen=True, kw_only=True, gc=False):
    """An observer, or another part that must never stop the runtime, failed; ``sink`` names which."""

    sink: str
    error_type: str
    error: str
