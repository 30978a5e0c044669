"""What a source has been through: in memory for whoever looks, in the status file for the next start."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from oneiric.core.redaction import describe
from oneiric.remote.manifest import Mark, latest
from oneiric.remote.telemetry import StatusFile, failed, succeeded

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from oneiric.remote.manifest import RemoteSyncResult
    from oneiric.remote.preparation import Prepared
    from oneiric.remote.tally import Tally
    from oneiric.remote.telemetry import RemoteSyncTelemetry


URL_DIGITS = 12
"""Hexadecimal digits of the SHA-256 of a URL that name another manifest than the configured one."""


def name_of(source: str, url: str | None, *, configured: str | None) -> str:
    """Return the name of the ledger of *source* for the manifest at *url*.

    What a signed or tokenised URL carries makes no other ledger.
    """
    place = _place(url)
    if place == _place(configured):
        return source
    return f"{source}:{hashlib.sha256(place.encode()).hexdigest()[:URL_DIGITS]}"


@dataclass(frozen=True)
class LastSync:
    """The last synchronisation of this process that succeeded, and why a later one failed.

    Attributes:
        at: Seconds since the epoch; None: none has succeeded.
        result: What it did.
        error: Redacted; None where the last one succeeded.
    """

    at: float | None = None
    result: RemoteSyncResult | None = None
    error: str | None = None

    def failed(self, error: Exception) -> LastSync:
        """Return the same with what failed since."""
        return replace(self, error=": ".join(filter(None, describe(error))))


class Ledger:
    """Keeps the status of one source; a status file that cannot be used stops nothing.

    Args:
        name: Name under which the status is kept.
        directory: Where the status file is.
        clock: Seconds since the epoch.
        on_problem: Called with what keeps the status file from being read or written.

    Attributes:
        name: Name under which the status is kept.
        owner: Who owns, in the resolver and the cache, what the manifest brings.
        status: What is known now; replaced as a whole, so that any thread may read it.
    """

    def __init__(
        self,
        name: str,
        directory: str | os.PathLike[str],
        *,
        clock: Callable[[], float],
        on_problem: Callable[[Exception], None],
    ) -> None:
        self.name = name
        self.owner = f"remote:{name}"
        self._file = StatusFile(Path(directory).expanduser(), on_damage=on_problem)
        self._clock = clock
        self._on_problem = on_problem
        self.status = self._file.source(name)

    def mark(self) -> Mark:
        """Return what holds against replays; another process may have got further than this one. Reads the file."""
        here, known = self.status, self._file.source(self.name)
        return Mark(serial=latest(here.serial, known.serial), signed_at=latest(here.signed_at, known.signed_at))

    def attempted(self) -> None:
        """Note that a synchronisation begins."""
        self.status = msgspec.structs.replace(self.status, last_attempt=self._clock())

    def accepted(self, prepared: Prepared) -> None:
        """Note that *prepared* has taken effect."""
        self.status = msgspec.structs.replace(
            self.status,
            consecutive_failures=0,
            last_success=self._clock(),
            manifest_expiry=prepared.expires_at,
            registered=len(prepared.candidates),
            skipped=prepared.rejected,
            serial=prepared.mark.serial,
            signed_at=prepared.mark.signed_at,
        )

    def refused(self) -> int:
        """Note a failure and return how many there were in a row."""
        failures = self.status.consecutive_failures + 1
        self.status = msgspec.structs.replace(self.status, consecutive_failures=failures)
        return failures

    def remember_success(self, result: RemoteSyncResult, tally: Tally) -> None:
        """Write down the status and what the synchronisation did; blocks."""
        outcome = {
            "last_source": result.manifest.source,
            "last_registered": result.registered,
            "last_duration_ms": result.duration_ms,
            "last_digest_checks": tally.digest_checks,
            "last_per_domain": result.per_domain,
            "last_skipped": result.skipped,
        }
        self._remember(succeeded(outcome))

    def remember_failure(self, error: Exception) -> None:
        """Write down the status and the redacted *error*; blocks."""
        self._remember(failed(describe(error)[1]))

    def _remember(self, change: Callable[[RemoteSyncTelemetry], None]) -> None:
        try:
            self._file.record(change, {self.name: self.status})
        except OSError as error:
            self._on_problem(error)


def _place(url: str | None) -> str:
    return re.split(r"[?#]", url or "", maxsplit=1)[0]
