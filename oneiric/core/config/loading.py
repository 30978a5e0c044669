"""Settings: the models, and how they are loaded from files and the environment."""

from __future__ import annotations

import logging
import os
import re
from typing import TYPE_CHECKING, Any

from oneiric.core.config.domains import SUPPORTED_DOMAINS, get_domain_settings
from oneiric.core.config.environment import prefix_of
from oneiric.core.config.files import SettingsError, watched_paths
from oneiric.core.config.layers import PROJECT, read_layers
from oneiric.core.config.models import OneiricSettings
from oneiric.core.config.sections import RuntimeProfileConfig
from oneiric.core.resolution import ResolverSettings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from oneiric.core.observers import Observers


_PROJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def load_settings(
    path: str | os.PathLike[str] | None = None,
    project_name: str = PROJECT,
    *,
    observers: Observers | None = None,
    **given: Any,
) -> OneiricSettings:
    """Load the settings of *project_name*: *given*, then the environment, then files, then the defaults.

    The files, strongest first: *path*, or else the one ``<PROJECT>_CONFIG`` names; ``local.yaml`` and ``config.yaml``
    in ``$XDG_CONFIG_HOME/<project>``; ``settings/local.yaml`` and ``settings/<project>.yaml`` (or ``.yml``) below the
    current directory. A wrong value, and a file named explicitly that cannot be understood, raise
    SettingsError. What is left out - a found file that cannot be understood, a missing explicit file, an unknown
    key - is in :attr:`OneiricSettings.problems` and reported to *observers*, or else to the standard library's logging.
    """
    if not _PROJECT.fullmatch(project_name):
        raise SettingsError(f"project name {project_name!r:.80}: 1 to 64 letters, digits, '.', '_' or '-' expected")
    layers = read_layers(OneiricSettings, project=project_name, path=path, search=True, given=given)
    settings = OneiricSettings.from_layers(layers, project=project_name)
    _report(settings.problems, observers)
    return settings


def setting_origins(path: str | os.PathLike[str] | None = None) -> dict[tuple[str, ...], str]:
    """Return the file or variable that sets each setting that :func:`load_settings` does not leave at its default."""
    return read_layers(OneiricSettings, path=path, search=True, given={}).origins()


def read_again(settings: OneiricSettings) -> OneiricSettings:
    """Return what the files, the environment and the arguments that *settings* were read from set now.

    Themselves where they were read from nothing; SettingsError where something is wrong now.
    """
    source = settings.read_from
    return settings if source.read is None else type(settings).from_layers(source.read(), project=source.project)


def settings_files(path: str | os.PathLike[str] | None = None, project_name: str = PROJECT) -> tuple[Path, ...]:
    """Return every file that :func:`load_settings` looks at with these arguments, whether or not it exists."""
    explicit = path or os.environ.get(f"{prefix_of(project_name)}CONFIG")
    return watched_paths(project_name, explicit, os.environ)


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


def _report(problems: Sequence[str], observers: Observers | None) -> None:
    for problem in problems:
        if observers is None:
            logging.getLogger("oneiric.core.config").warning("%s", problem)
        else:
            observers.hook_failed("settings", SettingsError(problem))
