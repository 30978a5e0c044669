"""What a store in a file reports of that file: where it lies, that it is not open, what was wrong with it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from oneiric.core.activity.advice import ActivityStoreError, advice
from oneiric.core.activity.database import FileDamagedError
from oneiric.core.activity.kept import held
from oneiric.core.activity.places import network_file_system
from oneiric.core.activity.table import LOCK_CODES, sqlite_code
from oneiric.core.events import ActivityStateSuspect

if TYPE_CHECKING:
    from pathlib import Path

    from oneiric.core.activity.database import Renewal
    from oneiric.core.activity.witness import Witness
    from oneiric.core.observers import Observers

SINK = "activity_store"
"""What has failed where a store cannot do its work."""


class Reports:
    """Reports of the file at *path*, whose locks are waited for *busy_timeout* seconds, and of its *witness*."""

    def __init__(self, path: Path, observers: Observers, witness: Witness, *, busy_timeout: float) -> None:
        self._path = path
        self._observers = observers
        self._witness = witness
        self._busy_timeout = busy_timeout
        self._unopened_since: float | None = None
        self._is_unwitnessed = False

    def place(self) -> None:
        """Report a place where no SQLite file should be."""
        if (kind := network_file_system(self._path)) is not None:
            self._observers.hook_failed(
                SINK,
                ActivityStoreError(
                    f"{self._path}: lies on a network file system ({kind}), whose locks do not hold for SQLite; set "
                    "state_dir to a local directory"
                ),
            )

    def unopened(self, error: Exception) -> None:
        """Report why the file is not open, a lock once it has lasted as long as a write would wait."""
        now = time.monotonic()
        if self._unopened_since is None:
            self._unopened_since = now
        if sqlite_code(error) not in LOCK_CODES or now - self._unopened_since >= self._busy_timeout:
            self._observers.hook_failed(SINK, self.unusable(error))

    def opened(self) -> None:
        """Note that the file is open."""
        self._unopened_since = None

    def renewed(self, renewal: Renewal) -> None:
        """Report what was found when the file was opened."""
        if renewal.damage:
            self._observers.hook_failed(SINK, FileDamagedError(renewal.damage, reason=None))
        if (suspicion := renewal.suspicion) is not None:
            in_force = len(held(renewal.kept.rows))
            self._observers.notify(
                ActivityStateSuspect(reason=suspicion.reason, quarantine=suspicion.quarantine, held=in_force)
            )
        self.witness()

    def witness(self) -> None:
        """Report that there is no witness, once until there is one again."""
        error = self._witness.error
        if error is not None and not self._is_unwitnessed:
            self._observers.hook_failed(SINK, ActivityStoreError(f"{self._witness.path}: no second witness: {error}"))
        self._is_unwitnessed = error is not None

    def unusable(self, error: Exception) -> ActivityStoreError:
        """Return what *error* says of the file, and what to do."""
        return ActivityStoreError(f"{self._path}: {advice(error, self._path, self._busy_timeout)}")
