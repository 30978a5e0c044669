"""The artifact cache: verification, eviction, measuring, and clearing up."""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oneiric.core.events import (
    ArtifactFetch,
    CacheEvicted,
    CacheScanFailed,
    CacheState,
    CacheUsageHigh,
    DigestMatched,
    DigestMismatched,
)
from oneiric.remote.delivery import ArtifactCache
from oneiric.remote.delivery.cache import GRACE_INTERVALS
from oneiric.remote.delivery.eviction import MAX_PART_AGE, Bounds, CachedArtifact, Victims, choose_victims
from oneiric.remote.errors import RemoteSyncError
from oneiric.remote.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support import Clock, Recorder

    from oneiric.core.observers import Observers
    from oneiric.remote.delivery import Draft

    Make = Callable[..., ArtifactCache]

ROOMY = (1000, 0, 1000)
LATER = 1000.0  # beyond what was used lately


@pytest.fixture
def cache_for(cache_dir: Path, observers: Observers, recorder: Recorder, wall: Clock) -> Make:
    """Make a cache with further settings."""
    assert recorder.told == []

    def make(**bounds: object) -> ArtifactCache:
        arguments = {"observers": observers, "clock": wall, "disk_usage": lambda _path: ROOMY} | bounds
        return ArtifactCache(cache_dir, **arguments)  # type: ignore[arg-type]  # chosen by each test

    return make


def writing(*chunks: bytes) -> Callable[[Draft], object]:
    """Return a download that brings *chunks*."""

    async def download(draft: Draft) -> None:
        for chunk in chunks:
            await draft.write(chunk)

    return download


def digest_of(content: bytes) -> str:
    """Return the digest of *content*."""
    return hashlib.sha256(content).hexdigest()


async def put(cache: ArtifactCache, content: bytes) -> str:
    """Bring an artifact into the cache and return its digest."""
    digest = digest_of(content)
    await cache.fetch(digest, writing(content), source="test")  # type: ignore[arg-type]  # a download
    return digest


def names(cache: ArtifactCache) -> set[str]:
    """Return what is in the cache."""
    return {path.name for path in cache.artifacts.iterdir()}


async def test_counts_what_it_compares(cache_for: Make, recorder: Recorder) -> None:
    """A download is one comparison and one artifact."""
    tally = Tally()
    path = await cache_for().fetch(digest_of(b"ab"), writing(b"a", b"b"), source="s", tally=tally)  # type: ignore[arg-type]
    assert path.name == digest_of(b"ab")
    assert tally == Tally(digest_checks=1, artifacts=1, bytes=2)
    assert recorder.of(DigestMatched) == [DigestMatched(source="s")]
    assert recorder.endings(ArtifactFetch)[0].operation == ArtifactFetch(source="s", bytes=2)


async def test_keeps_nothing_that_is_something_else(cache_for: Make, recorder: Recorder) -> None:
    """What does not have the digest asked for is told and gone."""
    cache = cache_for()
    with pytest.raises(RemoteSyncError, match=f"^Digest mismatch for it: expected {'a' * 64}, got {digest_of(b'x')}$"):
        await cache.fetch("a" * 64, writing(b"x"), source="s", label="it")  # type: ignore[arg-type]
    assert names(cache) == set()
    assert [event.error_type for event in recorder.of(DigestMismatched)] == ["RemoteSyncError"]
    assert [(end.outcome, end.reason) for end in recorder.endings(ArtifactFetch)] == [("failed", "digest")]


async def test_two_downloads_of_the_same_artifact_do_not_meet(cache_for: Make) -> None:
    """Each writes a file of its own; the result is whole."""
    cache = cache_for()
    await asyncio.gather(put(cache, b"same"), put(cache, b"same"))
    assert names(cache) == {digest_of(b"same")}


async def test_evicts_the_longest_unused_down_to_the_size(cache_for: Make, wall: Clock, recorder: Recorder) -> None:
    """What was used longest ago goes first, and only as much as is too much."""
    cache = cache_for(max_bytes=4)
    first = await put(cache, b"11")
    wall.advance(1)
    second = await put(cache, b"22")
    wall.advance(1)
    await put(cache, b"11")  # used again
    wall.advance(1)
    third = await put(cache, b"33")
    wall.advance(LATER)
    cache.scan()
    assert names(cache) == {first, third}
    assert second not in names(cache)
    assert recorder.of(CacheEvicted) == [CacheEvicted(reason="size", artifacts=1, bytes=2)]


async def test_keeps_a_cache_of_exactly_the_size(cache_for: Make, recorder: Recorder) -> None:
    """The limit itself is allowed."""
    cache = cache_for(max_bytes=4)
    await put(cache, b"11")
    await put(cache, b"22")
    cache.scan()
    assert recorder.of(CacheEvicted) == []


async def test_evicts_what_is_too_old(cache_for: Make, wall: Clock, recorder: Recorder) -> None:
    """An artifact goes when it was not used for longer than the greatest age, not before."""
    cache = cache_for(max_age=100.0)
    await put(cache, b"old")
    wall.advance(100)
    cache.scan()
    assert recorder.of(CacheEvicted) == []
    wall.advance(1)
    cache.scan()
    assert names(cache) == set()
    assert recorder.of(CacheEvicted) == [CacheEvicted(reason="age", artifacts=1, bytes=3)]


async def test_never_evicts_what_is_protected(cache_for: Make, wall: Clock) -> None:
    """What any owner still needs stays, however old and large."""
    cache = cache_for(max_age=1.0, max_bytes=1)
    kept = {await put(cache, b"aa"), await put(cache, b"bb")}
    await put(cache, b"cc")
    for owner, digest in zip(("one", "two"), kept, strict=True):
        cache.protect(owner, [digest])
    wall.advance(1000)
    cache.scan()
    assert names(cache) == kept
    cache.protect("one", ())
    wall.advance(1000)
    cache.scan()
    assert len(names(cache)) == 1


@pytest.mark.parametrize(("seconds", "left"), [(GRACE_INTERVALS * 60, 1), (GRACE_INTERVALS * 60 + 1, 0)])
async def test_a_full_cache_keeps_what_was_used_lately(cache_for: Make, wall: Clock, seconds: float, left: int) -> None:
    """Within three scan intervals after its last use nothing goes for its size, whoever used it."""
    cache = cache_for(max_bytes=1, scan_interval=60.0)
    await put(cache, b"large")
    wall.advance(seconds)
    cache.scan()
    assert len(names(cache)) == left


async def test_leaves_what_another_process_protects(cache_for: Make, wall: Clock) -> None:
    """A scan marks what is protected as used, for those who share the directory but not the protection."""
    cache, other = cache_for(), cache_for(max_bytes=1)
    digest = await put(cache, b"needed")
    cache.protect("owner", [digest])
    wall.advance(LATER)
    cache.scan()
    other.scan()
    assert names(cache) == {digest}


def test_a_claim_of_as_much_as_the_cache_may_hold_is_granted() -> None:
    """The bound itself is allowed, one byte more is not."""
    tally = Tally(max_bytes=5)
    tally.claim(5)
    with pytest.raises(RemoteSyncError, match=r"^The artifacts are larger than the 5 bytes") as raised:
        tally.claim(1)
    assert raised.value.reason == "too_large"


async def test_is_for_its_owner_only(cache_for: Make, cache_dir: Path) -> None:
    """Nobody else may look into the cache directory."""
    await put(cache_for(), b"x")
    assert [stat.S_IMODE(path.stat().st_mode) for path in (cache_dir, cache_dir / "artifacts")] == [0o700, 0o700]


@pytest.mark.parametrize("name", ["../x", "A" * 64, "a" * 63, "a" * 65, "a" * 64 + "\n", "."])
def test_names_no_file_but_by_a_digest(cache_for: Make, name: str) -> None:
    """Whatever is no digest leads nowhere, whoever asks."""
    with pytest.raises(RemoteSyncError, match=r"^Invalid sha256 ") as raised:
        cache_for().path_of(name)
    assert raised.value.reason == "digest"


async def test_does_not_evict_what_is_protected_while_it_scans(cache_for: Make, wall: Clock) -> None:
    """Protection that comes after stock was taken still counts."""
    cache = cache_for(max_age=1.0)
    digest = await put(cache, b"needed")
    wall.advance(1000)
    item = CachedArtifact(cache.path_of(digest), 6, 0.0)
    cache.protect("late", [digest])
    assert cache.evict(Victims("age", [item])) == []
    assert names(cache) == {digest}


async def test_clears_up_after_killed_processes(cache_for: Make, wall: Clock) -> None:
    """An unfinished download is removed when it was not touched for more than an hour."""
    cache = cache_for()
    cache.scan()
    for name, age in (("fresh", MAX_PART_AGE), ("stale", MAX_PART_AGE + 1)):
        (cache.artifacts / f".part-{name}").touch()
        os.utime(cache.artifacts / f".part-{name}", (wall.now - age, wall.now - age))
    cache.scan()
    assert names(cache) == {".part-fresh"}


async def test_measures_the_cache_and_its_file_system(cache_for: Make, wall: Clock) -> None:
    """The state is what the last scan saw; unfinished downloads and directories are no artifacts."""
    cache = cache_for(max_bytes=500)
    assert cache.states() == (CacheState(limit_bytes=500),)
    await put(cache, b"12345")
    (cache.artifacts / "directory").mkdir()
    cache.scan()
    assert cache.states() == (
        CacheState(
            limit_bytes=500,
            size_bytes=5,
            artifacts=1,
            filesystem_size_bytes=1000,
            filesystem_avail_bytes=1000,
            scanned_at=wall.now,
        ),
    )


async def test_tells_high_usage_once_for_each_crossing(cache_for: Make, recorder: Recorder) -> None:
    """Reaching the ratio is told; staying there is not; reaching it again is."""
    cache = cache_for(max_bytes=10, high_ratio=0.5)
    digest = await put(cache, b"12345")
    cache.scan()
    cache.scan()
    assert recorder.of(CacheUsageHigh) == [CacheUsageHigh(used_ratio=0.5)]
    cache.path_of(digest).unlink()
    cache.scan()
    await put(cache, b"12345")
    cache.scan()
    assert len(recorder.of(CacheUsageHigh)) == 2


async def test_tells_a_full_file_system(cache_for: Make, recorder: Recorder) -> None:
    """A file system that others fill is as bad as a full cache."""
    cache_for(disk_usage=lambda _path: (1000, 900, 100)).scan()
    assert recorder.of(CacheUsageHigh) == [CacheUsageHigh(used_ratio=0.9)]


def test_survives_a_scan_that_fails(cache_for: Make, cache_dir: Path, recorder: Recorder) -> None:
    """A scan that cannot finish is told and leaves the last state."""
    cache = cache_for()
    cache_dir.write_bytes(b"no directory")
    cache.scan()
    assert [event.error_type for event in recorder.of(CacheScanFailed)] == ["NotADirectoryError"]
    assert cache.states()[0].scanned_at is None


async def test_scans_in_the_background_until_stopped(cache_for: Make) -> None:
    """Starting and stopping are idempotent, and the scans go on in between."""
    scans: asyncio.Queue[None] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def usage(_path: Path) -> tuple[int, int, int]:
        loop.call_soon_threadsafe(scans.put_nowait, None)
        return ROOMY

    cache = cache_for(disk_usage=usage, scan_interval=0.001)
    await cache.stop()
    cache.start()
    cache.start()
    async with asyncio.timeout(120):
        for _scan in range(3):
            await scans.get()
    await cache.stop()
    await cache.stop()


@given(
    sizes=st.lists(st.integers(0, 50), max_size=12),
    kept=st.sets(st.integers(0, 11)),
    max_bytes=st.integers(1, 200),
    max_age=st.none() | st.floats(0, 20),
    grace=st.floats(0, 20),
)
@settings(deadline=None, max_examples=200)
def test_eviction_keeps_its_promises(
    sizes: list[int], kept: set[int], max_bytes: int, max_age: float | None, grace: float
) -> None:
    """Whatever is there: nothing protected goes, nothing twice, and size is kept unless protection or grace forbid."""
    stock = [CachedArtifact(_Name(str(n)), size, float(n)) for n, size in enumerate(sizes)]  # type: ignore[arg-type]
    protected = {str(n) for n in kept}
    bounds = Bounds(max_bytes=max_bytes, max_age=max_age, grace=grace)
    chosen = list(choose_victims(stock, protected, now=20.0, bounds=bounds))
    victims = [item for victims in chosen for item in victims.items]
    gone = {item.path.name for item in victims}
    assert len(gone) == len(victims)
    assert not gone & protected
    left = [item for item in stock if item.path.name not in gone]
    late = [item for item in left if 20 - item.used_at <= grace]
    assert sum(item.size for item in left) <= max_bytes or all(
        item in late or item.path.name in protected for item in left
    )
    assert all(20 - item.used_at > grace for victims in chosen if victims.reason == "size" for item in victims.items)
    assert max_age is None or all(20 - item.used_at <= max_age or item.path.name in protected for item in left)


class _Name:
    """A path of which only the name matters."""

    def __init__(self, name: str) -> None:
        self.name = name
