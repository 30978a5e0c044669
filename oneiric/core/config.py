"""Settings: the models, and how they are loaded from files and the environment."""

from __future__ import annotations

import difflib
import logging
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from oneiric.core._settings_env import prefix_of, read_environment, variable_name
from oneiric.core._settings_export import OtlpSettings, PushSettings
from oneiric.core._settings_files import Layer, SettingsError, deep_merge, layer_paths, read_settings
from oneiric.core._settings_logging import (
    DEFAULT_FILE_SIZE,
    LoggingConfig,
    LoggingSinkConfig,
    LogLimitsConfig,
    LogQueueConfig,
)
from oneiric.core._settings_models import (
    DEFAULT_CACHE_DIR,
    AppConfig,
    LayerSettings,
    LifecycleConfig,
    ObservabilitySettings,
    OneiricMCPConfig,
    OneiricSettings,
    PluginsConfig,
    RemoteAuthConfig,
    RemoteSourceConfig,
    RuntimePathsConfig,
    RuntimeProfileConfig,
    RuntimeSupervisorConfig,
    SecretsConfig,
    split_address,
)
from oneiric.core._settings_paths import (
    domain_activity_path,
    lifecycle_snapshot_path,
    resolve_cache_dir_path,
    runtime_health_path,
    runtime_observability_path,
    workflow_checkpoint_path,
)
from oneiric.core._settings_secrets import SecretsHook
from oneiric.core._settings_server import MetricsServerSettings
from oneiric.core.domain_settings import SUPPORTED_DOMAINS, get_domain_settings
from oneiric.core.redaction import redact
from oneiric.core.resolution import ResolverSettings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pydantic_core import ErrorDetails

    from oneiric.core.observers import Observers

__all__ = [
    "DEFAULT_CACHE_DIR",
    "DEFAULT_FILE_SIZE",
    "AppConfig",
    "LayerSettings",
    "LifecycleConfig",
    "LogLimitsConfig",
    "LogQueueConfig",
    "LoggingConfig",
    "LoggingSinkConfig",
    "MetricsServerSettings",
    "ObservabilitySettings",
    "OneiricMCPConfig",
    "OneiricSettings",
    "OtlpSettings",
    "PluginsConfig",
    "PushSettings",
    "RemoteAuthConfig",
    "RemoteSourceConfig",
    "ResolverSettings",
    "RuntimePathsConfig",
    "RuntimeProfileConfig",
    "RuntimeSupervisorConfig",
    "SecretsConfig",
    "SecretsHook",
    "SettingsError",
    "apply_profile_with_fallback",
    "apply_runtime_profile",
    "domain_activity_path",
    "lifecycle_snapshot_path",
    "load_settings",
    "resolve_cache_dir_path",
    "resolver_settings_from_config",
    "runtime_health_path",
    "runtime_observability_path",
    "split_address",
    "workflow_checkpoint_path",
]

MAX_VALUE_CHARS = 80
"""Longest value quoted in an error, in characters."""
MAX_PROBLEMS = 20
"""Most errors told at once."""
_MAY_HOLD_A_CREDENTIAL = frozenset({"endpoint", "pushgateway"})  # in a place where no URL has one, if it is wrong
_PROJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def load_settings(
    path: str | os.PathLike[str] | None = None, project_name: str = "oneiric", *, observers: Observers | None = None
) -> OneiricSettings:
    """Load the settings of *project_name*, merged from these layers, weakest first.

    ``settings/<project>.yaml`` (or ``.yml``) and ``settings/local.yaml`` below the current directory, ``config.yaml``
    and ``local.yaml`` in ``$XDG_CONFIG_HOME/<project>``, the environment, and the file *path*, or else the one
    ``<PROJECT>_CONFIG`` names. A wrong value, and a file named explicitly that cannot be understood, raise
    SettingsError. What is left out - a layer file that cannot be understood, a missing explicit file, an unknown
    key - is in :attr:`OneiricSettings.problems` and reported to *observers*, or else to the standard library's logging.
    """
    if not _PROJECT.fullmatch(project_name):
        raise SettingsError(f"project name {project_name!r:.80}: 1 to 64 letters, digits, '.', '_' or '-' expected")
    problems: list[str] = []
    layers = list(_layers(path, project_name, problems))
    merged: dict[str, Any] = {}
    for layer in layers:
        merged = deep_merge(merged, layer.values)
    try:
        settings = OneiricSettings.model_validate(merged)
    except ValidationError as error:
        raise SettingsError(_explain(error, layers, project_name)) from None  # its cause quotes values, maybe secret
    problems += _unknown_keys(merged, OneiricSettings, layers, project_name)
    settings._problems = tuple(problems)  # noqa: SLF001 - only loading may set it
    _report(problems, observers)
    return settings


def resolver_settings_from_config(settings: OneiricSettings) -> ResolverSettings:
    """Return what a resolver needs to know: the selections of each domain that has any."""
    layers = {domain: get_domain_settings(settings, domain) for domain in SUPPORTED_DOMAINS}
    return ResolverSettings(
        selections={domain: dict(layer.selections) for domain, layer in layers.items() if layer.selections}
    )


def apply_runtime_profile(settings: OneiricSettings, name: str | None) -> OneiricSettings:
    """Return a copy of *settings* under the profile *name*: "serverless", or "default" ("", None); else ValueError."""
    copy = settings.model_copy(deep=True)
    match (name or "").strip().lower():
        case "" | "default":
            copy.profile = RuntimeProfileConfig()
        case "serverless":
            copy.profile = RuntimeProfileConfig(
                name="serverless", watchers_enabled=False, remote_enabled=False, inline_manifest_only=True
            )
            for source in (copy.remote, *copy.remotes.values()):
                source.enabled, source.refresh_interval = False, None
        case _:
            raise SettingsError(f"Unknown runtime profile: {name!s:.80}")
    return copy


def apply_profile_with_fallback(settings: OneiricSettings, name: str | None) -> OneiricSettings:
    """Apply the profile *name*, else the configured one if it is not the default, else return the same object."""
    if name:
        return apply_runtime_profile(settings, name)
    if settings.profile.name not in {"", "default"}:
        return apply_runtime_profile(settings, settings.profile.name)
    return settings


def _layers(path: str | os.PathLike[str] | None, project: str, problems: list[str]) -> Iterator[Layer]:
    for layer_path in layer_paths(project, os.environ):
        try:
            yield Layer(str(layer_path), read_settings(layer_path))
        except (SettingsError, FileNotFoundError) as error:
            problems.append(f"{error}; the file is left out")
    yield Layer("", read_environment(project, os.environ, OneiricSettings))
    if explicit := path or os.environ.get(f"{prefix_of(project)}CONFIG"):
        explicit_path = Path(explicit).expanduser()
        try:
            yield Layer(str(explicit_path), read_settings(explicit_path))
        except FileNotFoundError:
            problems.append(f"{explicit_path}: does not exist; the settings go without it")


def _explain(error: ValidationError, layers: Sequence[Layer], project: str) -> str:
    problems = error.errors(include_url=False)
    lines = [_explain_one(problem, layers, project) for problem in problems[:MAX_PROBLEMS]]
    if len(problems) > MAX_PROBLEMS:
        lines.append(f"and {len(problems) - MAX_PROBLEMS} more")
    return "; ".join(lines)


def _explain_one(problem: ErrorDetails, layers: Sequence[Layer], project: str) -> str:
    loc = tuple(str(part) for part in problem["loc"] if part != "[key]")
    message = problem["msg"].removeprefix("Value error, ")
    if not loc:
        return message
    return f"{_origin(loc, layers, project)}{_assignment(loc, problem['input'])}: {message}"


def _assignment(loc: tuple[str, ...], value: Any) -> str:
    name = ".".join(loc)
    if isinstance(value, (dict, list)) or loc[:2] == ("secrets", "inline") or loc[-1] in _MAY_HOLD_A_CREDENTIAL:
        return name
    return redact(f"{name} = {value!r}", limit=MAX_VALUE_CHARS + len(name))


def _origin(loc: tuple[str, ...], layers: Sequence[Layer], project: str) -> str:
    for length in range(len(loc), 0, -1):
        for layer in reversed(layers):
            if _sets(layer.values, loc[:length]):
                return f"{layer.origin or variable_name(project, loc, os.environ)}: "
    return ""


def _sets(values: Any, loc: tuple[str, ...]) -> bool:
    for part in loc:
        if not isinstance(values, dict) or part not in values:
            return False
        values = values[part]
    return True


def _unknown_keys(
    values: Mapping[str, Any], model: type[BaseModel], layers: Sequence[Layer], project: str, at: tuple[str, ...] = ()
) -> Iterator[str]:
    for key, value in values.items():
        field = model.model_fields.get(key)
        if field is None:
            if model.model_config.get("extra") != "allow":
                yield _unknown((*at, key), model, layers, project)
        elif isinstance(value, dict) and isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _unknown_keys(value, field.annotation, layers, project, (*at, key))


def _unknown(loc: tuple[str, ...], model: type[BaseModel], layers: Sequence[Layer], project: str) -> str:
    near = difflib.get_close_matches(loc[-1], model.model_fields, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"{_origin(loc, layers, project)}{'.'.join(loc):.256} is no setting and is ignored{hint}"


def _report(problems: Sequence[str], observers: Observers | None) -> None:
    for problem in problems:
        if observers is None:
            logging.getLogger(__name__).warning("%s", problem)
        else:
            observers.hook_failed("settings", SettingsError(problem))
