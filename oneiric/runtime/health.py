"""The runtime's health, in a file that other programs read."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oneiric.core.files import read_mapping, write_atomic

if TYPE_CHECKING:
    import os

RUNTIME_HEALTH_FILENAME = "runtime_health.json"
MAX_HEALTH_BYTES = 64 * 1024 * 1024
"""Largest health file that is read, in bytes."""


@dataclass
class RuntimeHealthSnapshot:
    """What the runtime last said of itself; times are ISO 8601 in UTC.

    Attributes:
        activity_state: ``{domain: {key: {paused, draining, note}}}``.
        lifecycle_state: ``{domain: {key: status}}``.
    """

    watchers_running: bool = False
    remote_enabled: bool = False
    last_remote_sync_at: str | None = None
    last_remote_error: str | None = None
    orchestrator_pid: int | None = None
    updated_at: str | None = None
    last_remote_registered: int | None = None
    last_remote_per_domain: dict[str, Any] | None = None
    last_remote_skipped: int | None = None
    last_remote_duration_ms: float | None = None
    activity_state: dict[str, Any] | None = None
    lifecycle_state: dict[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields, fit for JSON; maps that are None become empty."""
        maps = ("last_remote_per_domain", "activity_state", "lifecycle_state")
        return {name: {} if value is None and name in maps else value for name, value in asdict(self).items()}


_TYPES: dict[str, tuple[type, ...]] = {
    "watchers_running": (bool,),
    "remote_enabled": (bool,),
    "last_remote_sync_at": (str,),
    "last_remote_error": (str,),
    "orchestrator_pid": (int,),
    "updated_at": (str,),
    "last_remote_registered": (int,),
    "last_remote_per_domain": (dict,),
    "last_remote_skipped": (int,),
    "last_remote_duration_ms": (int, float),
    "activity_state": (dict,),
    "lifecycle_state": (dict,),
}


def default_runtime_health_path(directory: str | os.PathLike[str]) -> Path:
    """Return where the health is kept in *directory*."""
    return Path(directory) / RUNTIME_HEALTH_FILENAME


def load_runtime_health(path: str | os.PathLike[str]) -> RuntimeHealthSnapshot:
    """Return what the file says; the default for whatever is missing, unreadable or of a wrong type. Never raises."""
    content = read_mapping(path, limit=MAX_HEALTH_BYTES)
    return RuntimeHealthSnapshot(**{name: content[name] for name in _TYPES if _fits(name, content.get(name))})


def write_runtime_health(path: str | os.PathLike[str], snapshot: RuntimeHealthSnapshot) -> None:
    """Write *snapshot*, its ``updated_at`` set to now, so that a reader finds the old file or the new one, whole.

    Makes the directory; raises OSError if the file cannot be written, and leaves the old one.
    """
    snapshot.updated_at = datetime.now(UTC).isoformat()
    write_atomic(path, json.dumps(snapshot.as_dict(), indent=2).encode())


def _fits(name: str, value: object) -> bool:
    return isinstance(value, _TYPES[name]) and isinstance(value, bool) == (bool in _TYPES[name])
