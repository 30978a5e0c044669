"""What is done for one synchronisation: counted, bounded, and reported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from oneiric.core.events import ArtifactCacheHit, ArtifactDownloaded, DigestMatched, DigestMismatched
from oneiric.core.redaction import redact
from oneiric.remote.errors import RemoteSyncError

if TYPE_CHECKING:
    from oneiric.core.observers import Observers


@dataclass
class Tally:
    """What has been done so far for one synchronisation.

    Attributes:
        bytes: Size of the artifacts, those still on their way included.
        max_bytes: Most that these may be; None for any number.
    """

    digest_checks: int = 0
    artifacts: int = 0
    bytes: int = 0
    max_bytes: int | None = None

    def claim(self, size: int) -> None:
        """Count *size* bytes; RemoteSyncError with reason too_large if those are too many."""
        self.bytes += size
        if self.max_bytes is not None and self.bytes > self.max_bytes:
            raise RemoteSyncError(
                f"The artifacts are larger than the {self.max_bytes} bytes that the cache may hold.", reason="too_large"
            )


@dataclass(frozen=True)
class Report:
    """Reports what happens to one artifact, and counts the comparisons."""

    observers: Observers
    source: str
    tally: Tally

    def compare(self, expected: str, actual: str, size: int, *, label: str) -> RemoteSyncError | None:
        """Return the error that a digest other than *expected* is."""
        self.tally.digest_checks += 1
        if actual == expected:
            self.observers.notify(DigestMatched(source=self.source))
            return None
        error = RemoteSyncError(f"Digest mismatch for {label}: expected {expected}, got {actual}", reason="digest")
        text = f"SHA256 mismatch: expected {expected}, got {actual} ({label}, {size} bytes)"
        self.observers.notify(DigestMismatched(source=self.source, error=redact(text), error_type=type(error).__name__))
        return error

    def cache_hit(self, size: int) -> None:
        """Report that a sound copy of *size* bytes was there."""
        self.observers.notify(ArtifactCacheHit(source=self.source, bytes=size))

    def downloaded(self, size: int) -> None:
        """Report that *size* bytes were downloaded and are in the cache."""
        self.observers.notify(ArtifactDownloaded(source=self.source, bytes=size))
