"""What is remembered of synchronisations across restarts: the file ``remote_status.json`` in the cache directory."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from oneiric.core.files import make_private_directory, write_atomic
from oneiric.core.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

STATUS_FILE = "remote_status.json"
"""Name of the file in the cache directory."""

MAX_STATUS_BYTES = 4 * 1024 * 1024
"""Largest status file that is read."""

LOCK_PATIENCE = 5.0
"""Seconds to wait for others that write the file, unless set otherwise."""

T = TypeVar("T")
_LOCK_RETRY = 0.01
_LOCK_FILE = ".remote_status.lock"
_SOURCES = "sources"


@dataclass
class RemoteSyncTelemetry:
    """The last synchronisation of any source that keeps its status here; times are ISO 8601 in UTC."""

    last_success_at: str | None = None
    last_failure_at: str | None = None
    consecutive_failures: int = 0
    last_error: str | None = None
    last_source: str | None = None
    last_registered: int | None = None
    last_duration_ms: float | None = None
    last_digest_checks: int | None = None
    last_per_domain: dict[str, int] = field(default_factory=dict)
    last_skipped: int | None = None


class SourceStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered of one source; times are seconds since the epoch, None values are not known.

    ``serial`` and ``signed_at`` are the highest ones accepted: what is lower is a replay.
    """

    consecutive_failures: int = 0
    last_success: float | None = None
    last_attempt: float | None = None
    manifest_expiry: float | None = None
    registered: int | None = None
    skipped: int | None = None
    serial: int | None = None
    signed_at: float | None = None


class StatusFile:
    """The status file of one cache directory; several sources, threads and processes may share it.

    Args:
        directory: The cache directory; made when something is recorded.
        on_damage: Called with a file, or the first field of the source, that cannot be understood. The file is kept
            beside with ``.damaged`` appended; what is sound of one with wrong fields still holds.
        patience: Seconds to wait for others that write the file.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        on_damage: Callable[[Exception], None] = lambda _error: None,
        patience: float = LOCK_PATIENCE,
    ) -> None:
        self.path = Path(directory) / STATUS_FILE
        self._on_damage = on_damage
        self._patience = patience
        self._told: set[str] = set()

    def source(self, name: str) -> SourceStatus:
        """Return what is remembered of the source *name*; nothing, if the file cannot be read."""
        known = self._read().get(_SOURCES)
        status, problems = _sound(known.get(name, {}) if isinstance(known, dict) else {}, SourceStatus)
        if problems and name not in self._told:
            self._told.add(name)
            self._keep_beside(problems[0], shutil.copyfile)
        return status

    def telemetry(self) -> RemoteSyncTelemetry:
        """Return what is remembered of the last synchronisation; nothing, if the file cannot be read."""
        return _sound(self._read(), RemoteSyncTelemetry)[0]

    def record(
        self, change: Callable[[RemoteSyncTelemetry], None], sources: Mapping[str, SourceStatus] | None = None
    ) -> None:
        """Let *change* work on what is remembered, and remember *sources*; OSError if that cannot be written."""
        with self._locked():
            content = self._read()
            telemetry, _problems = _sound(content, RemoteSyncTelemetry)
            change(telemetry)
            known = content.get(_SOURCES)
            statuses = known if isinstance(known, dict) else {}
            statuses |= {name: msgspec.to_builtins(status) for name, status in (sources or {}).items()}
            document = {**asdict(telemetry), _SOURCES: statuses}
            write_atomic(self.path, json.dumps(document, indent=2).encode() + b"\n")

    def _read(self) -> dict[str, Any]:
        try:
            with self.path.open("rb") as file:
                raw = file.read(MAX_STATUS_BYTES + 1)
        except FileNotFoundError:
            return {}
        except OSError as error:
            self._on_damage(error)
            return {}
        try:
            return _mapping(raw)
        except (ValueError, RecursionError) as error:
            self._keep_beside(error, os.replace)
            return {}

    def _keep_beside(self, error: Exception, bring: Callable[[Path, Path], object]) -> None:
        try:
            bring(self.path, self.path.with_name(f"{STATUS_FILE}.damaged"))
        except OSError as obstacle:
            self._on_damage(obstacle)
        self._on_damage(error)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        make_private_directory(self.path.parent)
        deadline = time.monotonic() + self._patience
        with self.path.with_name(_LOCK_FILE).open("ab") as lock:
            while not _try_lock(lock.fileno()):
                if time.monotonic() >= deadline:
                    raise TimeoutError(f"another process has kept {_LOCK_FILE} for more than {self._patience:g} s")
                time.sleep(_LOCK_RETRY)
            yield


def load_remote_telemetry(cache_dir: str | os.PathLike[str]) -> RemoteSyncTelemetry:
    """Return what *cache_dir* remembers of the last synchronisation; nothing, if it cannot be read."""
    return StatusFile(cache_dir).telemetry()


def record_remote_success(  # noqa: PLR0913 - published signature
    cache_dir: str | os.PathLike[str],
    *,
    source: str,
    registered: int,
    duration_ms: float,
    digest_checks: int,
    per_domain: Mapping[str, int],
    skipped: int,
) -> None:
    """Remember in *cache_dir* a synchronisation that succeeded now."""
    outcome = {
        "last_source": source,
        "last_registered": registered,
        "last_duration_ms": duration_ms,
        "last_digest_checks": digest_checks,
        "last_per_domain": dict(per_domain),
        "last_skipped": skipped,
    }
    StatusFile(cache_dir).record(succeeded(outcome))


def record_remote_failure(cache_dir: str | os.PathLike[str], error: object) -> None:
    """Remember in *cache_dir* that a synchronisation failed now with *error*, which is redacted."""
    StatusFile(cache_dir).record(failed(redact(str(error))))


def succeeded(outcome: Mapping[str, Any]) -> Callable[[RemoteSyncTelemetry], None]:
    """Return the change that a success makes, with the fields it settles in *outcome*."""

    def change(telemetry: RemoteSyncTelemetry) -> None:
        telemetry.last_success_at = _now()
        telemetry.consecutive_failures = 0
        telemetry.last_error = None
        for name, value in outcome.items():
            setattr(telemetry, name, value)

    return change


def failed(error: str) -> Callable[[RemoteSyncTelemetry], None]:
    """Return the change that a failure with the redacted text *error* makes."""

    def change(telemetry: RemoteSyncTelemetry) -> None:
        telemetry.last_failure_at = _now()
        telemetry.consecutive_failures += 1
        telemetry.last_error = error

    return change


def _sound(content: object, kind: type[T]) -> tuple[T, list[Exception]]:
    """Return the *kind* that the sound fields in *content* make, and what is wrong with the others."""
    sound: dict[str, Any] = {}
    problems: list[Exception] = []
    if not isinstance(content, dict):
        problems.append(ValueError(f"{STATUS_FILE} holds a {type(content).__name__} where a mapping is expected"))
        content = {}
    for name, value in content.items():
        try:
            msgspec.convert({name: value}, kind)
        except msgspec.ValidationError as error:
            problems.append(error)
        else:
            sound[name] = value
    return msgspec.convert(sound, kind), problems


def _mapping(raw: bytes) -> dict[str, Any]:
    if len(raw) > MAX_STATUS_BYTES:
        raise ValueError(f"{STATUS_FILE} is larger than {MAX_STATUS_BYTES} bytes")
    content = json.loads(raw)
    if not isinstance(content, dict):
        raise ValueError(f"{STATUS_FILE} holds no mapping but a {type(content).__name__}")  # noqa: TRY004 - bad content
    return content


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _now() -> str:
    return datetime.now(UTC).isoformat()
