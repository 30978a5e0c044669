"""The artifact cache: files named by their SHA-256, never visible before they were verified."""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from oneiric.core.events import (
    ArtifactCacheHit,
    ArtifactDownloaded,
    ArtifactFetch,
    CacheEvicted,
    CacheScanFailed,
    CacheState,
    CacheUsageHigh,
    DigestMatched,
    DigestMismatched,
)
from oneiric.core.observers import Observers
from oneiric.core.redaction import describe
from oneiric.remote.draft import Draft, hash_file
from oneiric.remote.errors import RemoteSyncError, reason_of
from oneiric.remote.eviction import CachedArtifact, choose_victims, take_stock

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oneiric.core.config import RemoteSourceConfig
    from oneiric.core.observers import Running

ARTIFACTS_DIRECTORY = "artifacts"
"""Name of the directory of the artifacts, below the cache directory."""

DEFAULT_MAX_BYTES = 5 * 1024**3
"""Bytes of artifacts that are kept unless set otherwise."""


@dataclass
class Tally:
    """What has been done so far for one synchronisation."""

    digest_checks: int = 0
    artifacts: int = 0


Download: TypeAlias = Callable[[Draft], Awaitable[None]]
"""Writes an artifact into a draft."""


class ArtifactCache:
    """Artifacts below ``<directory>/artifacts``, of all sources that share the directory.

    A background scan measures the cache and removes what was not used for longest. :meth:`fetch` is for the tasks of
    one event loop; everything else may be called from any thread. Other processes may use the same directory.

    Args:
        directory: The cache directory; made when it is first needed.
        observers: The seam to report through.
        max_bytes: Bytes of artifacts to keep.
        max_age: Seconds after its last use that an artifact is kept; None for ever.
        high_ratio: Share of *max_bytes*, or of the file system, from which usage counts as high.
        scan_interval: Seconds between two scans.
        clock: Seconds since the epoch.
        disk_usage: Total, used and free bytes of a path's file system.
    """

    def __init__(  # noqa: PLR0913 - every bound is a setting
        self,
        directory: str | os.PathLike[str],
        *,
        observers: Observers | None = None,
        max_bytes: int = DEFAULT_MAX_BYTES,
        max_age: float | None = None,
        high_ratio: float = 0.8,
        scan_interval: float = 60.0,
        clock: Callable[[], float] = time.time,
        disk_usage: Callable[[Path], tuple[int, int, int]] = shutil.disk_usage,
    ) -> None:
        self.directory = Path(directory).expanduser()
        self.artifacts = self.directory / ARTIFACTS_DIRECTORY
        self.observers = observers or Observers()
        self._max_bytes = max_bytes
        self._max_age = max_age
        self._high_ratio = high_ratio
        self._scan_interval = scan_interval
        self._clock = clock
        self._disk_usage = disk_usage
        self._lock = threading.Lock()
        self._protected: dict[str, frozenset[str]] = {}
        self._state = CacheState(limit_bytes=max_bytes)
        self._high = False
        self._task: asyncio.Task[None] | None = None

    def path_of(self, sha256: str) -> Path:
        """Return where the artifact with this digest is, or would be."""
        return self.artifacts / sha256

    async def fetch(
        self, sha256: str, download: Download, *, source: str, label: str = "artifact", tally: Tally | None = None
    ) -> Path:
        """Return the artifact with the digest *sha256*, calling *download* unless a sound copy is here.

        A damaged copy is removed and replaced. RemoteSyncError with reason digest, naming *label*, if what was
        downloaded is something else; it is not kept. What *download* raises is raised as it is.
        """
        tally = tally if tally is not None else Tally()
        with self.observers.operation(ArtifactFetch(source=source)) as running:
            try:
                await self._fetch(sha256, download, label, _Report(self.observers, source, tally), running)
            except Exception as error:
                running.fail(reason_of(error), error)
                raise
        tally.artifacts += 1
        return self.path_of(sha256)

    def protect(self, owner: str, digests: Iterable[str]) -> None:
        """Never evict the artifacts with these *digests*; replaces what *owner* asked for before."""
        with self._lock:
            self._protected[owner] = frozenset(digests)

    def states(self) -> tuple[CacheState, ...]:
        """Return what the last scan measured."""
        return (self._state,)

    def scan(self) -> None:
        """Measure the cache, evict what is too much or too old, and clear up after killed processes; never raises.

        Walks the directory: call it off the event loop.
        """
        try:
            self._scan()
        except Exception as error:  # noqa: BLE001 - a scan must not stop the ones after it
            error_type, text = describe(error)
            self.observers.notify(CacheScanFailed(error_type=error_type, error=text))

    def start(self) -> None:
        """Scan now and every interval in the background, until :meth:`stop`; idempotent; needs a running loop."""
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._scan_for_ever(), name="artifact cache scan")

    async def stop(self) -> None:
        """Stop scanning; idempotent."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _fetch(
        self, sha256: str, download: Download, label: str, report: _Report, running: Running[ArtifactFetch]
    ) -> None:
        path = self.path_of(sha256)
        size = await self._verified_size(path, sha256, report)
        if size is not None:
            running.update(bytes=size)
            report.cache_hit(size)
            return
        size = await self._download(path, sha256, download, label, report)
        running.update(bytes=size)
        report.downloaded(size)

    async def _verified_size(self, path: Path, sha256: str, report: _Report) -> int | None:
        """Return the size of a sound copy and note its use; remove a damaged one and return None."""
        try:
            actual, size = await asyncio.to_thread(hash_file, path)
        except FileNotFoundError:
            return None
        if report.compare(sha256, actual, size, label="cached artifact") is not None:
            await asyncio.to_thread(path.unlink, missing_ok=True)
            return None
        now = self._clock()
        with suppress(OSError):  # it may have been removed by hand just now
            os.utime(path, (now, now))
        return size

    async def _download(self, path: Path, sha256: str, download: Download, label: str, report: _Report) -> int:
        self.artifacts.mkdir(parents=True, exist_ok=True)
        draft = Draft(self.artifacts)
        try:
            await download(draft)
            if (error := report.compare(sha256, draft.digest(), draft.size, label=label)) is not None:
                raise error
            await asyncio.to_thread(draft.publish, path, self._clock())
        finally:
            draft.close()
        return draft.size

    def _scan(self) -> None:
        self.artifacts.mkdir(parents=True, exist_ok=True)
        now = self._clock()
        stock = take_stock(self.artifacts, now=now)
        total, count = sum(item.size for item in stock), len(stock)
        with self._lock:
            protected = frozenset().union(*self._protected.values())
        for victims in choose_victims(stock, protected, now=now, max_age=self._max_age, max_bytes=self._max_bytes):
            gone = [item for item in victims.items if self._evict(item)]
            size = sum(item.size for item in gone)
            count, total = count - len(gone), total - size
            if gone:
                self.observers.notify(CacheEvicted(reason=victims.reason, artifacts=len(gone), bytes=size))
        self._measured(total, count, now)

    def _evict(self, item: CachedArtifact) -> bool:
        """Remove *item* unless it was protected since stock was taken; the lock makes whoever protects it sure."""
        with self._lock:
            if any(item.path.name in digests for digests in self._protected.values()):
                return False
            item.path.unlink(missing_ok=True)
        return True

    def _measured(self, size: int, count: int, now: float) -> None:
        filesystem_size, _used, avail = self._disk_usage(self.artifacts)
        self._state = CacheState(
            limit_bytes=self._max_bytes,
            size_bytes=size,
            artifacts=count,
            filesystem_size_bytes=filesystem_size,
            filesystem_avail_bytes=avail,
            scanned_at=now,
        )
        ratio = max(size / self._max_bytes, 1 - avail / filesystem_size if filesystem_size else 0.0)
        was_high, self._high = self._high, ratio >= self._high_ratio
        if self._high and not was_high:
            self.observers.notify(CacheUsageHigh(used_ratio=ratio))

    async def _scan_for_ever(self) -> None:
        while True:
            await asyncio.to_thread(self.scan)
            await asyncio.sleep(self._scan_interval)


def cache_for(
    config: RemoteSourceConfig, *, observers: Observers | None = None, clock: Callable[[], float] = time.time
) -> ArtifactCache:
    """Return the cache that *config* describes; the sources of one cache directory may share it."""
    return ArtifactCache(
        config.cache_dir,
        observers=observers,
        max_bytes=config.cache_max_bytes,
        max_age=config.cache_max_age,
        high_ratio=config.cache_high_ratio,
        scan_interval=config.cache_scan_interval,
        clock=clock,
    )


@dataclass(frozen=True)
class _Report:
    """Tells what happens to one artifact, and counts the comparisons."""

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
        self.observers.notify(DigestMismatched(source=self.source, error=text, error_type=type(error).__name__))
        return error

    def cache_hit(self, size: int) -> None:
        self.observers.notify(ArtifactCacheHit(source=self.source, bytes=size))

    def downloaded(self, size: int) -> None:
        self.observers.notify(ArtifactDownloaded(source=self.source, bytes=size))
