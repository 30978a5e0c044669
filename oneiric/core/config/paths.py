"""Where the runtime keeps its files, by the settings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from oneiric.core.config.files import SettingsError

if TYPE_CHECKING:
    import os

    from oneiric.core.config.models import OneiricSettings

_PRIVATE = 0o700


def resolve_cache_dir_path(directory: str | os.PathLike[str]) -> Path:
    """Return *directory*, made if need be, for this user alone; ``~`` is expanded, relative is to the current one."""
    return _made(Path(directory).expanduser())


def lifecycle_snapshot_path(settings: OneiricSettings) -> Path:
    """Return where the lifecycle's status is kept."""
    return _cache_dir(settings) / "lifecycle_status.json"


def runtime_health_path(settings: OneiricSettings) -> Path:
    """Return where the runtime's health is kept."""
    return _cache_dir(settings) / "runtime_health.json"


def domain_activity_path(settings: OneiricSettings) -> Path:
    """Return where pauses and drains are kept; the directory of a configured path is made."""
    if not (override := settings.runtime_paths.domain_activity_path):
        return _cache_dir(settings) / "domain_activity.sqlite"
    path = Path(override).expanduser()
    _made(path.parent)
    return path


def runtime_observability_path(settings: OneiricSettings) -> Path:
    """Return where the last event and workflow are kept."""
    return _cache_dir(settings) / "runtime_telemetry.json"


def workflow_checkpoint_path(settings: OneiricSettings) -> Path | None:
    """Return where workflow checkpoints are kept; None when they are disabled."""
    paths = settings.runtime_paths
    if not paths.workflow_checkpoints_enabled:
        return None
    if paths.workflow_checkpoints_path:
        return Path(paths.workflow_checkpoints_path)
    return _cache_dir(settings) / "workflow_checkpoints.sqlite"


def _cache_dir(settings: OneiricSettings) -> Path:
    return resolve_cache_dir_path(settings.cache_dir or settings.remote.cache_dir)


def _made(directory: Path) -> Path:
    try:
        directory.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"{directory}: cannot be made a directory: {error.strerror}") from error
    return directory
