"""Where the runtime keeps its files, by the settings."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from oneiric.core.config.files import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oneiric.core.config.models import OneiricSettings

MAX_SOCKET_PATH_BYTES = 107
"""Longest path of a Unix socket on Linux (sun_path without its end, unix(7))."""
SOCKET_NAME = "control.sock"

_PRIVATE = 0o700


def resolve_cache_dir_path(directory: str | os.PathLike[str]) -> Path:
    """Return *directory*, made if need be, for this user alone; ``~`` is expanded, relative is to the current one."""
    return _made(Path(directory).expanduser())


def cache_directory(settings: OneiricSettings) -> Path:
    """Return where artifacts are kept, made if need be."""
    return resolve_cache_dir_path(settings.cache_dir or settings.remote.cache_dir)


def state_place(settings: OneiricSettings) -> Path:
    """Return where state is kept that must not be lost, whether or not it is there."""
    return Path(settings.state_dir or settings.cache_dir or settings.remote.cache_dir).expanduser()


def state_directory(settings: OneiricSettings) -> Path:
    """Return where state is kept that must not be lost, made if need be."""
    return _made(state_place(settings))


def control_socket_path(settings: OneiricSettings, environ: Mapping[str, str]) -> Path:
    """Return where the service listens for commands; SettingsError for a path that is too long for a Unix socket."""
    if settings.control.socket:
        path = Path(settings.control.socket).expanduser().absolute()
    elif directory := environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]:  # systemd names several with colons
        path = Path(directory) / SOCKET_NAME
    else:
        path = state_place(settings).absolute() / "run" / SOCKET_NAME
    if (size := len(os.fsencode(path))) > MAX_SOCKET_PATH_BYTES:
        raise SettingsError(
            f"control.socket: {path} has {size} bytes, and the path of a Unix socket at most {MAX_SOCKET_PATH_BYTES}; "
            "set control.socket (ONEIRIC_CONTROL__SOCKET) to a shorter one, such as /run/oneiric/control.sock"
        )
    return path


def lifecycle_snapshot_path(settings: OneiricSettings) -> Path:
    """Return where the lifecycle's status is kept."""
    return state_directory(settings) / "lifecycle_status.json"


def runtime_health_path(settings: OneiricSettings) -> Path:
    """Return where the runtime's health is kept."""
    return state_directory(settings) / "runtime_health.json"


def domain_activity_path(settings: OneiricSettings) -> Path:
    """Return where pauses and drains are kept; the directory of a configured path is made."""
    if not (override := settings.runtime_paths.domain_activity_path):
        return state_directory(settings) / "domain_activity.sqlite"
    path = Path(override).expanduser()
    _made(path.parent)
    return path


def domain_activity_witness_path(settings: OneiricSettings) -> Path | None:
    """Return where it is kept what the file of pauses and drains must hold; None: where the environment says."""
    override = settings.runtime_paths.domain_activity_witness_path
    return Path(override).expanduser() if override else None


def shared_activity_witness_path(settings: OneiricSettings, place: str) -> Path:
    """Return where it is kept on this machine what the database at *place*, which replicas share, holds at least."""
    digest = hashlib.sha256(f"{place} {settings.activity.database_schema}".encode()).hexdigest()[:16]
    return domain_activity_witness_path(settings) or state_directory(settings) / f"shared_activity-{digest}.json"


def runtime_observability_path(settings: OneiricSettings) -> Path:
    """Return where the last event and workflow are kept."""
    return state_directory(settings) / "runtime_telemetry.json"


def workflow_checkpoint_path(settings: OneiricSettings) -> Path | None:
    """Return where workflow checkpoints are kept; None when they are disabled."""
    paths = settings.runtime_paths
    if not paths.workflow_checkpoints_enabled:
        return None
    if paths.workflow_checkpoints_path:
        return Path(paths.workflow_checkpoints_path)
    return state_directory(settings) / "workflow_checkpoints.sqlite"


def _made(directory: Path) -> Path:
    try:
        directory.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"{directory}: cannot be made a directory: {error.strerror}") from error
    return directory
