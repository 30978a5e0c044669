"""The settings: every section, its fields, defaults and bounds."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    StringConstraints,
    model_validator,
)

from oneiric.core._candidates import KeyName, ProviderName  # noqa: TC001 - pydantic reads it at run time
from oneiric.core._settings_export import OtlpSettings, PushSettings
from oneiric.core._settings_logging import LoggingConfig, LogLimitsConfig, PathText
from oneiric.core._settings_server import MetricsServerSettings
from oneiric.core._settings_shared import SharedSettings

DEFAULT_CACHE_DIR = ".oneiric_cache"
MAX_SERIES_BUDGET = 1_000_000
MAX_SECONDS = 366 * 86_400.0
"""Longest time any setting may name, in seconds."""

_MIB = 1024 * 1024
_GIB = 1024 * _MIB
_ADDRESS = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+(?:%[\w.-]+)?)\]|(?P<host>[A-Za-z0-9._-]+)):(?P<port>[0-9]{1,5})")
_MAX_PORT = 65_535


def split_address(address: str) -> tuple[str, int]:
    """Return host and port of ``host:port`` or ``[IPv6]:port``; ValueError says what is right."""
    match = _ADDRESS.fullmatch(address)
    if match is None or int(match["port"]) > _MAX_PORT:
        raise ValueError(f"must be host:port, an IPv6 host in brackets, with a port from 0 to {_MAX_PORT}")
    return match["v6"] or match["host"], int(match["port"])


def _checked_address(address: str) -> str:
    split_address(address)
    return address


SourceName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
"""The stable label of a remote source."""
Seconds = Annotated[float, Field(ge=0, le=MAX_SECONDS)]
PositiveSeconds = Annotated[float, Field(gt=0, le=MAX_SECONDS)]
Bytes = Annotated[int, Field(ge=1, le=1024 * _GIB)]


class _Section(BaseModel):
    model_config = ConfigDict(allow_inf_nan=False)


class AppConfig(_Section):
    """What the application calls itself."""

    name: str = "oneiric"
    environment: str = "dev"
    debug: bool = False


class LayerSettings(_Section):
    """One domain: which provider is selected for a key, and what each provider is given."""

    selections: dict[KeyName, ProviderName] = {}
    provider_settings: dict[str, dict[str, Any]] = {}
    options: dict[str, Any] = {}


class SecretsConfig(_Section):
    """Where secrets come from: the inline map, then the adapter at (domain, key)."""

    model_config = ConfigDict(hide_input_in_errors=True)

    domain: str = "adapter"
    key: str = "secrets"
    provider: str | None = None
    inline: dict[str, str] = Field(default={}, repr=False)
    cache_ttl_seconds: Seconds = 600.0
    refresh_interval: Annotated[float, Field(ge=1, le=MAX_SECONDS)] | None = None


class RemoteAuthConfig(_Section):
    """The credential sent with a manifest request; the token itself or the id of a secret."""

    model_config = ConfigDict(hide_input_in_errors=True)

    header_name: str = "Authorization"
    secret_id: str | None = None
    token: str | None = Field(default=None, repr=False)


class RemoteSourceConfig(_Section):
    """One remote source of manifests: times in seconds, sizes in bytes.

    Attributes:
        name: The stable label of the source in metrics and logs.
        refresh_interval: Seconds between synchronisations; None or 0 disables them.
        cache_max_age: Seconds an unused artifact is kept; None keeps it until the size limit.
        allow_private_hosts: Whether redirects and artifacts may lead to private addresses of other hosts than the
            manifest's.
        cache_max_bytes: Most that the cache keeps, and that the artifacts of one manifest may have in all.
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


class LifecycleConfig(_Section):
    """Limits of a swap: times in seconds, of which 0 means none, and numbers.

    Attributes:
        sync_in_thread: Run synchronous factories and health checks in threads, where they can be timed out.
        max_hanging_calls: Synchronous factories and checks that run in threads at a time; further ones wait, and are
            refused once so many timed out and still hang.
        max_swap_samples: Durations of swaps kept for each component.
    """

    activation_timeout: Seconds = 30.0
    health_timeout: Seconds = 5.0
    cleanup_timeout: Seconds = 10.0
    hook_timeout: Seconds = 5.0
    shield_tasks: bool = True
    sync_in_thread: bool = True
    max_hanging_calls: int = Field(default=32, ge=1, le=10_000)
    max_swap_samples: int = Field(default=20, ge=0, le=1000)


class PluginsConfig(_Section):
    """Which entry-point groups are loaded."""

    auto_load: bool = False
    entry_points: list[str] = []


class RuntimeProfileConfig(_Section):
    """What a profile switches on."""

    name: str = "default"
    watchers_enabled: bool = True
    remote_enabled: bool = True
    inline_manifest_only: bool = False
    supervisor_enabled: bool = True


class RuntimePathsConfig(_Section):
    """Where state lies, if not in the cache directory."""

    workflow_checkpoints_enabled: bool = True
    workflow_checkpoints_path: PathText | None = None
    domain_activity_path: PathText | None = None


class RuntimeSupervisorConfig(_Section):
    """How often the activity store is polled for changes by other processes, in seconds."""

    enabled: bool = True
    poll_interval: Annotated[float, Field(ge=0.1, le=MAX_SECONDS)] = 2.0


class ObservabilitySettings(_Section):
    """What the runtime tells of itself, and where.

    Attributes:
        metrics_address: ``host:port`` (``[::1]:9464``) the metrics are served at; port 0 takes a free one.
        server: What bounds and protects the server of the metrics.
        series_budget: Label sets one metric may have before further ones are folded together.
        log_rate_limit_seconds: At most one line per event name and this time, for rate-limited events.
        log_limits: How often any log event is written.
        probe_interval: Seconds between health probes of active instances; None disables them.
    """

    enabled: bool = True
    metrics_server: bool = True
    metrics_address: Annotated[str, AfterValidator(_checked_address)] = "127.0.0.1:9464"
    server: MetricsServerSettings = MetricsServerSettings()
    series_budget: int = Field(default=2000, ge=1, le=MAX_SERIES_BUDGET)
    log_rate_limit_seconds: Seconds = 1.0
    log_limits: LogLimitsConfig = LogLimitsConfig()
    tracing: bool = True
    otlp: OtlpSettings = OtlpSettings()
    push: PushSettings = PushSettings()
    shared: SharedSettings = SharedSettings()
    probe_interval: PositiveSeconds | None = 30.0


class OneiricMCPConfig(_Section):
    """What MCP servers built on the runtime read; further fields are theirs."""

    model_config = ConfigDict(extra="allow")

    http_port: int = Field(default=8000, ge=0, le=_MAX_PORT)
    http_host: str = "127.0.0.1"
    enable_http_transport: bool = True
    debug: bool = False
    environment: str = "development"
    cache_dir: PathText = DEFAULT_CACHE_DIR


class OneiricSettings(_Section):
    """All settings of one runtime; further top-level keys belong to the application and are kept.

    Attributes:
        remotes: Further remote sources; the mapping key is the source's name.
    """

    model_config = ConfigDict(extra="allow", hide_input_in_errors=True)

    config_dir: PathText | None = None
    cache_dir: PathText | None = None
    app: AppConfig = AppConfig()
    adapters: LayerSettings = LayerSettings()
    services: LayerSettings = LayerSettings()
    tasks: LayerSettings = LayerSettings()
    events: LayerSettings = LayerSettings()
    workflows: LayerSettings = LayerSettings()
    actions: LayerSettings = LayerSettings()
    secrets: SecretsConfig = SecretsConfig()
    remote: RemoteSourceConfig = RemoteSourceConfig()
    remotes: dict[SourceName, RemoteSourceConfig] = {}
    logging: LoggingConfig = LoggingConfig()
    lifecycle: LifecycleConfig = LifecycleConfig()
    plugins: PluginsConfig = PluginsConfig()
    profile: RuntimeProfileConfig = RuntimeProfileConfig()
    runtime_paths: RuntimePathsConfig = RuntimePathsConfig()
    runtime_supervisor: RuntimeSupervisorConfig = RuntimeSupervisorConfig()
    observability: ObservabilitySettings = ObservabilitySettings()

    _problems: tuple[str, ...] = PrivateAttr(default=())

    @property
    def problems(self) -> tuple[str, ...]:
        """What was left out while these settings were loaded, and why; empty when all was read."""
        return self._problems

    @model_validator(mode="after")
    def _name_remotes(self) -> OneiricSettings:
        for name, source in self.remotes.items():
            if name == self.remote.name:
                raise ValueError(f"remotes.{name} must differ from remote.name, which is {name!r} too")
            if "name" in source.model_fields_set and source.name != name:
                raise ValueError(f"remotes.{name}.name must be {name!r} or left out, not {source.name!r}")
            source.name = name
        return self
