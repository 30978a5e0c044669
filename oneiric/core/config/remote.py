"""The settings of remote sources, and of the secrets that they need."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from oneiric.core.config.logging import PathText  # noqa: TC001 - pydantic reads it at run time
from oneiric.core.config.section import Section

DEFAULT_CACHE_DIR = ".oneiric_cache"
MAX_SECONDS = 366 * 86_400.0
"""Longest time any setting may name, in seconds."""

_MIB = 1024 * 1024
_GIB = 1024 * _MIB

SourceName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
"""The stable label of a remote source."""
Seconds = Annotated[float, Field(ge=0, le=MAX_SECONDS)]
PositiveSeconds = Annotated[float, Field(gt=0, le=MAX_SECONDS)]
Bytes = Annotated[int, Field(ge=1, le=1024 * _GIB)]


class SecretsConfig(Section):
    """Where secrets come from: the inline map, then the adapter at (domain, key).

    Attributes:
        domain: The domain of the component that knows secrets.
        key: Its key.
        provider: Its provider, activated at the start; None: one that is active already.
        inline: Secrets by id, looked up first; use it for tests only.
        cache_ttl_seconds: Seconds that a secret from the component is kept.
        refresh_interval: Seconds after which every secret that is kept is asked for again, in the background; None:
            when its time is over, or at a reload. The last good one stays in force while the component fails.
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    domain: str = "adapter"
    key: str = "secrets"
    provider: str | None = None
    inline: dict[str, str] = Field(default={}, repr=False)
    cache_ttl_seconds: Seconds = 600.0
    refresh_interval: Annotated[float, Field(ge=1, le=MAX_SECONDS)] | None = None


class RemoteAuthConfig(Section):
    """The credential sent with a manifest request; the token itself or the id of a secret.

    Attributes:
        header_name: The header that carries it.
        secret_id: The id of the secret to send, where ``token`` is not set.
        token: What to send, such as ``Bearer`` and a token; prefer ``secret_id``.
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    header_name: str = "Authorization"
    secret_id: str | None = None
    token: str | None = Field(default=None, repr=False)


class RemoteSourceConfig(Section):
    """One remote source of manifests: times in seconds, sizes in bytes.

    Attributes:
        name: The stable label of the source in metrics and logs.
        enabled: Whether to synchronise with it.
        manifest_url: Where its manifest is; it may carry user name and password.
        cache_dir: Where artifacts and state are kept, unless the top-level ``cache_dir`` is set.
        verify_tls: Whether to check the certificates of servers.
        auth: The credential sent with a manifest request.
        signature_required: Whether to refuse a manifest without a valid signature.
        signature_threshold: How many trusted keys must have signed it.
        signature_max_age_seconds: Longest time since it was signed; None: any.
        signature_require_expiry: Whether to refuse a signed manifest that never expires.
        refresh_interval: Seconds between synchronisations; None or 0 disables them.
        timeout: Seconds that one request may take.
        max_retries: Further attempts after a request that failed and may succeed later.
        retry_base_delay: Seconds before the first further attempt; each next one waits twice as long.
        retry_max_delay: Longest wait before a further attempt, in seconds.
        retry_jitter: Share of a wait by which it is shortened or lengthened at random.
        circuit_breaker_threshold: Failed synchronisations in a row after which no further one is tried for a while.
        circuit_breaker_reset: That while, in seconds.
        allow_file_uris: Whether a manifest, or an artifact, may be a local file.
        allowed_file_uri_roots: Directories that such files must be in; empty: any, as long as the manifest is a
            local file too.
        allow_private_hosts: Whether redirects and artifacts may lead to private addresses of other hosts than the
            manifest's.
        latency_budget_ms: Longest that the start of a runtime waits for the first synchronisation, in milliseconds.
        max_manifest_bytes: Largest manifest.
        max_entries: Most entries of a manifest.
        max_artifact_bytes: Largest artifact.
        cache_max_bytes: Most that the cache keeps, and that the artifacts of one manifest may have in all.
        cache_max_age: Seconds an unused artifact is kept; None keeps it until the size limit.
        cache_scan_interval: Seconds between measurements of the cache.
        cache_high_ratio: Share of ``cache_max_bytes`` from which usage counts as high.
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    name: SourceName = "remote"
    enabled: bool = False
    manifest_url: str | None = Field(default=None, repr=False)  # may carry a credential
    cache_dir: PathText = DEFAULT_CACHE_DIR
    verify_tls: bool = True
    auth: RemoteAuthConfig = RemoteAuthConfig()
    signature_required: bool = False
    signature_threshold: int = Field(default=1, ge=1, le=100)
    signature_max_age_seconds: Seconds | None = None
    signature_require_expiry: bool = False
    refresh_interval: Seconds | None = 300.0
    timeout: PositiveSeconds = 30.0
    max_retries: int = Field(default=3, ge=0, le=100)
    retry_base_delay: Seconds = 1.0
    retry_max_delay: Seconds = 30.0
    retry_jitter: float = Field(default=0.25, ge=0, le=10)
    circuit_breaker_threshold: int = Field(default=5, ge=1, le=1_000_000)
    circuit_breaker_reset: Seconds = 60.0
    allow_file_uris: bool = False
    allowed_file_uri_roots: list[PathText] = []
    allow_private_hosts: bool = False
    latency_budget_ms: float = Field(default=5000.0, ge=0, le=MAX_SECONDS * 1000)
    max_manifest_bytes: int = Field(default=_MIB, ge=1, le=_GIB)
    max_entries: int = Field(default=10_000, ge=1, le=1_000_000)
    max_artifact_bytes: Bytes = 256 * _MIB
    cache_max_bytes: Bytes = 5 * _GIB
    cache_max_age: PositiveSeconds | None = None
    cache_scan_interval: Annotated[float, Field(ge=1, le=MAX_SECONDS)] = 60.0
    cache_high_ratio: float = Field(default=0.8, gt=0, le=1)
