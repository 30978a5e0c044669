"""The artifact cache: files named by their SHA-256, never visible before they were verified."""

from __future__ import annotations

import asyncio
import os
import re
import reprlib
import shutil
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from oneiric.core.events import ArtifactFetch, CacheEvicted, CacheScanFailed, CacheState, CacheUsageHigh
from oneiric.core.files import make_private_directory
from oneiric.core.observers import Observers
from oneiric.core.redaction import describe
from oneiric.remote.delivery.draft import Draft, hash_file
from oneiric.remote.delivery.eviction import Bounds, CachedArtifact, Victims, choose_victims, take_stock
from oneiric.remote.errors import RemoteSyncError, reason_of
from oneiric.remote.tally import Report, Tally

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from oneiric.core.config import RemoteSourceConfig
    from oneiric.core.observers import Running

ARTIFACTS_DIRECTORY = "artifacts"
"""Name of the directory of the artifacts, below the cache directory."""

DEFAULT_MAX_BYTES = 5 * 1024**3
"""Bytes of artifacts that are kept unless set otherwise."""

GRACE_INTERVALS = 3
"""For how many scan intervals after its last use an artifact is kept although the cache is too large."""

_NAME = re.compile(r"[0-9a-f]{64}")

Download: TypeAlias = Callable[[Draft], Awaitable[None]]
"""Writes an artifact into a draft."""


class ArtifactCache:
    """Artifacts below ``<directory>/artifacts``, of all sources that share the directory.

    A background scan measures the cache and removes what was not used for longest. :meth:`fetch` is for the tasks of
    one event loop; everything else may be called from any thread.

    Other processes may use the same directory. Each scan marks what is protected here as used, and what was used within
    :data:`GRACE_INTERVALS` scan intervals goes for its age only: processes that scan at the same interval leave each
    other what they need. One that does not scan is sure only of what it used within that time.

    Args:
        directory: The cache directory; made when it is first needed.
        observers: The seam to report through.
        max_bytes: Bytes of artifacts to keep.
        max_age: Seconds after its last use that an artifact is kept; None for ever.
        high_ratio: Share of *max_bytes*, or of the file system, from which usage counts as high.
        scan_interval: Seconds between two scans.
        clock: Seconds since the epoch.
        disk_usage: Total, used and free bytes of a path's file system.

    Attributes:
        artifacts: The directory of the artifacts.
        bounds: What may stay.
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
        grace = GRACE_INTERVALS * scan_interval
        self.bounds = Bounds(max_bytes=max_bytes, max_age=max_age, grace=grace)
        self._high_ratio = high_ratio
        self._scan_interval = scan_interval
        self.clock = clock
        self._disk_usage = disk_usage
        self._lock = threading.Lock()
        self._protected: dict[str, frozenset[str]] = {}
        self._state = CacheState(limit_bytes=max_bytes)
        self._high = False
        self._task: asyncio.Task[None] | None = None

    def path_of(self, sha256: str) -> Path:
        """Return where the artifact with this digest is, or would be; RemoteSyncError where it is none."""
        if not _NAME.fullmatch(sha256):
            shown = reprlib.repr(sha256)
            raise RemoteSyncError(f"Invalid sha256 {shown} (exactly 64 lower-case hexadecimal digits)", reason="digest")
        return self.artifacts / sha256

    async def fetch(
        self, sha256: str, download: Download, *, source: str, label: str = "artifact", tally: Tally | None = None
    ) -> Path:
        """Return the artifact with the digest *sha256*, calling *download* unless a sound copy is here.

        A damaged copy is removed and replaced. RemoteSyncError with reason digest, naming *label*, if what was
        downloaded is something else; it is not kept. What *download* raises is raised as it is.
        """
        report = Report(self.observers, source, tally if tally is not None else Tally())
        with _reported(self.observers, source) as running:
            running.update(bytes=await self._fetch(sha256, download, label, report))
        report.tally.artifacts += 1
        return self.path_of(sha256)

    async def fetch_unverified(self, name: str, download: Download, *, source: str) -> Path:
        """Return what *download* brings under *name*, 64 lower-case hexadecimal digits; a copy here is replaced."""
        report = Report(self.observers, source, Tally())
        with _reported(self.observers, source) as running:
            running.update(bytes=await self._download(self.path_of(name), download, report, lambda *_found: None))
        return self.path_of(name)

    def protect(self, owner: str, digests: Iterable[str]) -> None:
        """Never evict the artifacts with these *digests*; replaces what *owner* asked for before."""
        with self._lock:
            self._protected[owner] = frozenset(digests)

    @property
    def protected(self) -> frozenset[str]:
        """The digests of the artifacts that are never evicted."""
        with self._lock:
            return frozenset().union(*self._protected.values())

    def evict(self, victims: Victims) -> list[CachedArtifact]:
        """Remove *victims* but for those that are protected, report it, and return which are gone."""
        gone = [item for item in victims.items if self._remove(item)]
        if gone:
            size = sum(item.size for item in gone)
            self.observers.notify(CacheEvicted(reason=victims.reason, artifacts=len(gone), bytes=size))
        return gone

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

    async def tidy(self) -> None:
        """Scan now, off the event loop, unless it is done in the background anyway."""
        if self._task is None or self._task.done():
            await asyncio.to_thread(self.scan)

    async def stop(self) -> None:
        """Stop scanning; idempotent."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _fetch(self, sha256: str, download: Download, label: str, report: Report) -> int:
        path = self.path_of(sha256)
        if (size := await self._verified_size(path, sha256, report)) is not None:
            report.cache_hit(size)
            return size

        def verify(digest: str, size: int) -> None:
            if (error := report.compare(sha256, digest, size, label=label)) is not None:
                raise error

        return await self._download(path, download, report, verify)

    async def _verified_size(self, path: Path, sha256: str, report: Report) -> int | None:
        """Return the size of a sound copy and note its use; remove a damaged one and return None."""
        try:
            actual, size = await asyncio.to_thread(hash_file, path)
        except FileNotFoundError:
            return None
        if report.compare(sha256, actual, size, label="cached artifact") is not None:
            await asyncio.to_thread(path.unlink, missing_ok=True)
            return None
        _touch(path, self.clock())
        report.tally.claim(size)
        return size

    async def _download(
        self, path: Path, download: Download, report: Report, verify: Callable[[str, int], None]
    ) -> int:
        make_private_directory(self.artifacts)
        draft = Draft(self.artifacts, claim=report.tally.claim)
        try:
            await download(draft)
            digest, size = await draft.seal()
            verify(digest, size)
            await draft.publish(path, self.clock())
        finally:
            draft.close()
        report.downloaded(size)
        return size

    def _scan(self) -> None:
        make_private_directory(self.artifacts)
        now, protected = self.clock(), self.protected
        stock = take_stock(self.artifacts, now=now)
        total, count = sum(item.size for item in stock), len(stock)
        for item in stock:
            if item.path.name in protected:
                _touch(item.path, now)
        for victims in choose_victims(stock, protected, now=now, bounds=self.bounds):
            gone = self.evict(victims)
            count, total = count - len(gone), total - sum(item.size for item in gone)
        self._measured(total, count, now)

    def _remove(self, item: CachedArtifact) -> bool:
        """Remove *item* unless it was protected since stock was taken; the lock makes whoever protects it sure."""
        with self._lock:
            if any(item.path.name in digests for digests in self._protected.values()):
                return False
            item.path.unlink(missing_ok=True)
        return True

    def _measured(self, size: int, count: int, now: float) -> None:
        filesystem_size, _used, avail = self._disk_usage(self.artifacts)
        self._state = CacheState(
            limit_bytes=self.bounds.max_bytes,
            size_bytes=size,
            artifacts=count,
            filesystem_size_bytes=filesystem_size,
            filesystem_avail_bytes=avail,
            scanned_at=now,
        )
        ratio = max(size / self.bounds.max_bytes, 1 - avail / filesystem_size if filesystem_size else 0.0)
        was_high, self._high = self._high, ratio >= self._high_ratio
        if self._high and not was_high:
            self.observers.notify(CacheUsageHigh(used_ratio=ratio))

    async def _scan_for_ever(self) -> None:
        while True:
            await asyncio.to_thread(self.scan)
            await asyncio.sleep(self._scan_interval)


def _touch(path: Path, now: float) -> None:
    with suppress(OSError):  # it may have been removed by hand just now
        os.utime(path, (now, now))


@contextmanager
def _reported(observers: Observers, source: str) -> Iterator[Running[ArtifactFetch]]:
    with observers.operation(ArtifactFetch(source=source)) as running:
        try:
            yield running
        except Exception as error:
            running.fail(reason_of(error), error)
            raise


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
