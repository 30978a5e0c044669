"""The settings: their models, where they come from and what is wrong with them."""

from oneiric.core.config.activity import ActivityConfig
from oneiric.core.config.domains import (
    SUPPORTED_DOMAINS,
    create_layer_selector,
    get_domain_settings,
    is_supported_domain,
)
from oneiric.core.config.environment import ALIASES, NESTING, OTHERS, field_variables, prefix_of
from oneiric.core.config.export import OtlpSettings, PushSettings
from oneiric.core.config.files import SettingsError, Versions, file_versions, require_content, settled_versions
from oneiric.core.config.loading import (
    apply_profile_with_fallback,
    apply_runtime_profile,
    load_settings,
    read_again,
    resolver_settings_from_config,
    setting_origins,
    settings_files,
)
from oneiric.core.config.logging import (
    DEFAULT_FILE_SIZE,
    LoggingConfig,
    LoggingSinkConfig,
    LogLimitsConfig,
    LogQueueConfig,
)
from oneiric.core.config.models import OneiricSettings
from oneiric.core.config.notes import TEXTS, Note
from oneiric.core.config.paths import (
    cache_directory,
    control_socket_path,
    domain_activity_path,
    domain_activity_witness_path,
    lifecycle_snapshot_path,
    resolve_cache_dir_path,
    runtime_health_path,
    runtime_observability_path,
    shared_activity_witness_path,
    state_directory,
    state_place,
    workflow_checkpoint_path,
)
from oneiric.core.config.reference import example_file, settings_page
from oneiric.core.config.remote import DEFAULT_CACHE_DIR, RemoteAuthConfig, RemoteSourceConfig, SecretsConfig
from oneiric.core.config.secrets import SecretsHook
from oneiric.core.config.secrets_cache import SecretValueCache
from oneiric.core.config.sections import (
    AppConfig,
    LayerSettings,
    LifecycleConfig,
    ObservabilitySettings,
    OneiricMCPConfig,
    PluginsConfig,
    RuntimePathsConfig,
    RuntimeProfileConfig,
    RuntimeSupervisorConfig,
    split_address,
)
from oneiric.core.config.server import MetricsServerSettings
from oneiric.core.config.service import ControlConfig, RuntimeConfig, split_component
from oneiric.core.resolution import ResolverSettings

__all__ = [
    "ALIASES",
    "DEFAULT_CACHE_DIR",
    "DEFAULT_FILE_SIZE",
    "NESTING",
    "OTHERS",
    "SUPPORTED_DOMAINS",
    "TEXTS",
    "ActivityConfig",
    "AppConfig",
    "ControlConfig",
    "LayerSettings",
    "LifecycleConfig",
    "LogLimitsConfig",
    "LogQueueConfig",
    "LoggingConfig",
    "LoggingSinkConfig",
    "MetricsServerSettings",
    "Note",
    "ObservabilitySettings",
    "OneiricMCPConfig",
    "OneiricSettings",
    "OtlpSettings",
    "PluginsConfig",
    "PushSettings",
    "RemoteAuthConfig",
    "RemoteSourceConfig",
    "ResolverSettings",
    "RuntimeConfig",
    "RuntimePathsConfig",
    "RuntimeProfileConfig",
    "RuntimeSupervisorConfig",
    "SecretValueCache",
    "SecretsConfig",
    "SecretsHook",
    "SettingsError",
    "Versions",
    "apply_profile_with_fallback",
    "apply_runtime_profile",
    "cache_directory",
    "control_socket_path",
    "create_layer_selector",
    "domain_activity_path",
    "domain_activity_witness_path",
    "example_file",
    "field_variables",
    "file_versions",
    "get_domain_settings",
    "is_supported_domain",
    "lifecycle_snapshot_path",
    "load_settings",
    "prefix_of",
    "read_again",
    "require_content",
    "resolve_cache_dir_path",
    "resolver_settings_from_config",
    "runtime_health_path",
    "runtime_observability_path",
    "setting_origins",
    "settings_files",
    "settings_page",
    "settled_versions",
    "shared_activity_witness_path",
    "split_address",
    "split_component",
    "state_directory",
    "state_place",
    "workflow_checkpoint_path",
]
