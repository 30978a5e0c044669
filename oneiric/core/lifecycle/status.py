"""The status of one component: what is known of its activations, and how it stands in the status file."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast, get_args

from oneiric.core.lifecycle.status_file import read_entries
from oneiric.core.names import is_valid_name
from oneiric.core.redaction import redact

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

State: TypeAlias = Literal["unknown", "activating", "ready", "failed"]
"""Nothing attempted by this process, being swapped, serving, and: the last attempt failed."""

STATES: tuple[str, ...] = get_args(State)

MAX_COUNT = 2**63 - 1
"""Largest counter taken over from an entry of the status file."""

MAX_SAMPLES_READ = 1000
"""So many durations are taken over from an entry of the status file."""


@dataclass
class LifecycleStatus:
    """What is known of one component; a snapshot, which no later swap changes.

    Attributes:
        state: "failed" says that the last attempt failed; ``current_provider`` may serve nevertheless.
        current_provider: Who serves; None where nobody does, or where the candidate names no provider.
        pending_provider: Who is being activated.
        last_error: Redacted text of the last failure since the last attempt began, at most 512 characters.
        last_swap_duration_ms: Milliseconds of the last attempt until it was decided.
        recent_swap_durations_ms: The last of them, oldest first.
    """

    domain: str
    key: str
    state: State = "unknown"
    current_provider: str | None = None
    pending_provider: str | None = None
    last_error: str | None = None
    last_state_change_at: datetime | None = None
    last_activated_at: datetime | None = None
    last_health_at: datetime | None = None
    last_swap_duration_ms: float | None = None
    recent_swap_durations_ms: list[float] = field(default_factory=list)
    successful_swaps: int = 0
    failed_swaps: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON knows them; times in ISO 8601, or None."""
        return {
            name: value.isoformat() if isinstance(value := getattr(self, name), datetime) else value for name in _FIELDS
        }


@dataclass(frozen=True, slots=True)
class LastCheck:
    """When the health was checked last, in seconds since the epoch, and since when it fails, by the seam's clock."""

    healthy: bool
    checked_at: float
    failing_since: float | None


_FIELDS = tuple(known.name for known in fields(LifecycleStatus))


def parse_status(entry: object) -> tuple[LifecycleStatus | None, list[str]]:
    """Return the status that *entry* of a status file stands for, and the names of the fields that were no good.

    A field that is missing or of a wrong type has its default; without a domain and a key there is no status.
    """
    if not isinstance(entry, dict) or not (is_valid_name(entry.get("domain")) and is_valid_name(entry.get("key"))):
        return None, ["domain, key"]
    status, bad = LifecycleStatus(domain=entry["domain"], key=entry["key"]), []
    for name, parse in _PARSERS.items():
        if (value := entry.get(name)) is None:
            continue
        try:
            setattr(status, name, parse(value))
        except (ValueError, OverflowError):
            bad.append(name)
    return status, bad


def read_statuses(path: str | os.PathLike[str]) -> list[LifecycleStatus]:
    """Return what the status file at *path* says, without claiming or changing it; nothing where there is none.

    For a look at what another process wrote: its "ready" says nothing about whether it still runs. OSError if the file
    cannot be read.
    """
    parsed = (parse_status(entry)[0] for entry in read_entries(Path(path)).entries)
    return [status for status in parsed if status is not None]


def after_restart(status: LifecycleStatus) -> LifecycleStatus:
    """Return *status*, of a process that ended, as this process has to see it: nobody serves.

    A swap that was under way has failed; what was ready is unknown. Counters, times and the last error stay.
    """
    if status.state == "activating":
        status.state = "failed"
        status.last_error = "the process ended while the component was activated"
    elif status.state == "ready":
        status.state = "unknown"
    status.current_provider = status.pending_provider = None
    return status


def _state(value: object) -> State:
    if value in STATES:
        return cast("State", value)
    raise ValueError


def _name(value: object) -> str:
    if is_valid_name(value):
        return value
    raise ValueError


def _text(value: object) -> str:
    if isinstance(value, str):
        return redact(value)
    raise ValueError


def _time(value: object) -> datetime:
    if not isinstance(value, str):
        raise ValueError  # noqa: TRY004 - all that is wrong with a field is one error
    time = datetime.fromisoformat(value)
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)


def _milliseconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ValueError
    return float(value)


def _durations(value: object) -> list[float]:
    if not isinstance(value, list):
        raise ValueError  # noqa: TRY004 - likewise
    return [_milliseconds(duration) for duration in value[-MAX_SAMPLES_READ:]]


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_COUNT:
        raise ValueError
    return value


_PARSERS: dict[str, Callable[[object], Any]] = {
    "state": _state,
    "current_provider": _name,
    "pending_provider": _name,
    "last_error": _text,
    "last_state_change_at": _time,
    "last_activated_at": _time,
    "last_health_at": _time,
    "last_swap_duration_ms": _milliseconds,
    "recent_swap_durations_ms": _durations,
    "successful_swaps": _count,
    "failed_swaps": _count,
}
