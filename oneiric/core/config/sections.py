"""The sections of the settings that have no module of their own: fields, defaults and bounds."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
)

from oneiric.core import limits
from oneiric.core.config.export import OtlpSettings, PushSettings
from oneiric.core.config.logging import LogLimitsConfig, PathText
from oneiric.core.config.remote import (
    DEFAULT_CACHE_DIR,
    MAX_SECONDS,
    PositiveSeconds,
    Seconds,
)
from oneiric.core.config.section import Section
from oneiric.core.config.server import MetricsServerSettings
from oneiric.core.config.shared import SharedSettings
from oneiric.core.resolution import KeyName, ProviderName  # noqa: TC001 - pydantic reads it at run time

MAX_SERIES_BUDGET = 1_000_000

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


class AppConfig(Section):
    """What the application calls itself.

    Attributes:
        name: The name of the service in log lines, spans and OTLP, unless ``logging.service_name`` is set; before
            ``OTEL_SERVICE_NAME`` and ``OTEL_RESOURCE_ATTRIBUTES``.
        environment: Where it is deployed, in log lines, spans and OTLP, unless ``logging.environment`` is set. The
            default appears nowhere.
        debug: Whether the application is being debugged.
    """

    name: str = "oneiric"
    environment: str = "dev"
    debug: bool = False


class LayerSettings(Section):
    """One domain: which provider is selected for a key, and what each provider is given.

    Attributes:
        selections: The provider that serves a key, by key; others are chosen by their rank.
        provider_settings: What each provider is given as its settings, by provider.
        options: Options of the domain.
    """

    selections: dict[KeyName, ProviderName] = {}
    provider_settings: dict[str, dict[str, Any]] = {}
    options: dict[str, Any] = {}


class LifecycleConfig(Section):
    """Limits of a swap: times in seconds, of which 0 means none, and numbers.

    Attributes:
        activation_timeout: For a factory to return an instance.
        health_timeout: For one health check.
        cleanup_timeout: For closing one instance.
        hook_timeout: For one asynchronous hook.
        shield_tasks: Let an asynchronous factory or cleanup that timed out go on, and close what it returns.
        sync_in_thread: Run synchronous factories and health checks in threads, where they can be timed out.
        max_hanging_calls: Synchronous factories and checks that run in threads at a time; further ones wait, and are
            refused once so many timed out and still hang.
        max_swap_samples: Durations of swaps kept for each component.
    """

    activation_timeout: Seconds = limits.ACTIVATION_TIMEOUT
    health_timeout: Seconds = limits.HEALTH_TIMEOUT
    cleanup_timeout: Seconds = limits.CLEANUP_TIMEOUT
    hook_timeout: Seconds = limits.HOOK_TIMEOUT
    shield_tasks: bool = True
    sync_in_thread: bool = True
    max_hanging_calls: int = Field(default=limits.MAX_HANGING_CALLS, ge=1, le=10_000)
    max_swap_samples: int = Field(default=limits.MAX_SWAP_SAMPLES, ge=0, le=1000)


class PluginsConfig(Section):
    """Which entry-point groups are loaded.

    Attributes:
        auto_load: Whether to load the usual groups, ``oneiric.adapters`` and the like.
        entry_points: Further groups to load.
    """

    auto_load: bool = False
    entry_points: list[str] = []


class RuntimeProfileConfig(Section):
    """What a profile switches on.

    Attributes:
        name: ``default`` or ``serverless``; ``apply_profile_with_fallback`` applies it, which the application calls.
        watchers_enabled: Whether to watch the settings files and put changed selections to use.
        remote_enabled: Whether a runtime synchronises with remote sources at all.
        inline_manifest_only: Whether to use a manifest in the settings only.
        supervisor_enabled: Whether to notice pauses and drains of other processes, as ``runtime_supervisor`` says.
    """

    name: str = "default"
    watchers_enabled: bool = True
    remote_enabled: bool = True
    inline_manifest_only: bool = False
    supervisor_enabled: bool = True


class RuntimePathsConfig(Section):
    """Where state lies, if not in the state directory.

    Attributes:
        workflow_checkpoints_enabled: Whether workflows keep checkpoints.
        workflow_checkpoints_path: The file of the checkpoints.
        domain_activity_path: The file that keeps pauses and drains; None: ``domain_activity.sqlite`` in the state
            directory.
        domain_activity_witness_path: The file that says what this one must hold, in another directory; None: in
            ``$STATE_DIRECTORY``, or else in the user's XDG state, by the path.
    """

    workflow_checkpoints_enabled: bool = True
    workflow_checkpoints_path: PathText | None = None
    domain_activity_path: PathText | None = None
    domain_activity_witness_path: PathText | None = None


class RuntimeSupervisorConfig(Section):
    """How often the activity store is polled for pauses and drains of other processes.

    A pause holds at once in any case; what a poll brings is that swaps are made that had to wait for its end.

    Attributes:
        enabled: Whether to poll.
        poll_interval: Seconds between polls.
    """

    enabled: bool = True
    poll_interval: Annotated[float, Field(ge=0.1, le=MAX_SECONDS)] = 2.0


class ObservabilitySettings(Section):
    """What the runtime reports of itself, and where.

    Attributes:
        enabled: Whether a runtime attaches telemetry: metrics, logs of events and traces.
        metrics_server: Whether a runtime serves its metrics.
        metrics_address: ``host:port`` (``[::1]:9464``) the metrics are served at; port 0 takes a free one.
        server: What bounds and protects the server of the metrics.
        series_budget: Label sets one metric may have before further ones are folded together.
        log_rate_limit_seconds: At most one line per event name and this time, for rate-limited events.
        log_limits: How often any log event is written.
        tracing: Whether to open spans, once the application has imported OpenTelemetry.
        otlp: Export with the OpenTelemetry protocol.
        push: Leave the metrics on a Pushgateway or in a file.
        shared: Counts of several processes of one service.
        probe_interval: Seconds between health probes of active instances; None disables them.
    """

    enabled: bool = True
    metrics_server: bool = True
    metrics_address: Annotated[str, AfterValidator(_checked_address)] = "127.0.0.1:9464"
    server: MetricsServerSettings = MetricsServerSettings()
    series_budget: int = Field(default=limits.SERIES_BUDGET, ge=limits.MIN_SERIES_BUDGET, le=MAX_SERIES_BUDGET)
    log_rate_limit_seconds: Seconds = limits.LOG_REPEAT_INTERVAL
    log_limits: LogLimitsConfig = LogLimitsConfig()
    tracing: bool = True
    otlp: OtlpSettings = OtlpSettings()
    push: PushSettings = PushSettings()
    shared: SharedSettings = SharedSettings()
    probe_interval: PositiveSeconds | None = 30.0


class OneiricMCPConfig(Section):
    """What MCP servers built on the runtime read; further fields are theirs."""

    model_config = ConfigDict(extra="allow")

    http_port: int = Field(default=8000, ge=0, le=_MAX_PORT)
    http_host: str = "127.0.0.1"
    enable_http_transport: bool = True
    debug: bool = False
    environment: str = "development"
    cache_dir: PathText = DEFAULT_CACHE_DIR
