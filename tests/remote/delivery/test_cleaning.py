"""Cleaning the artifact cache because somebody asks for it."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Any

import pytest

from oneiric.core.events import CacheEvicted
from oneiric.remote import ArtifactCache, clean, stock_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support import Clock, Recorder

    from oneiric.core.observers import Observers

OLD = 3600.0
"""Seconds since the last use that are more than another process may still need it for."""


@pytest.fixture
def cache_with(
    cache_dir: Path, observers: Observers, recorder: Recorder, wall: Clock
) -> Callable[..., tuple[ArtifactCache, list[str]]]:
    """Make a cache of artifacts of 10 bytes, the first unused for longest, and return it with their names."""
    assert recorder.told == []

    def make(count: int, *, age: float = OLD, **bounds: Any) -> tuple[ArtifactCache, list[str]]:
        cache = ArtifactCache(cache_dir, observers=observers, clock=wall, **bounds)
        cache.artifacts.mkdir(parents=True)
        names = [hashlib.sha256(bytes([number])).hexdigest() for number in range(count)]
        for number, name in enumerate(names):
            (cache.artifacts / name).write_bytes(b"x" * 10)
            used = wall() - age + number
            os.utime(cache.artifacts / name, (used, used))
        return cache, names

    return make


def left(cache: ArtifactCache) -> list[str]:
    """Return the names of what is in *cache*, the one unused for longest first."""
    return [item.path.name for item in stock_of(cache)]


def test_removes_what_is_too_much(cache_with: Callable[..., Any], recorder: Recorder) -> None:
    """Without more, the artifacts unused for longest go until the limit is kept."""
    cache, names = cache_with(3, max_bytes=20)
    assert [item.path.name for item in clean(cache)] == names[:1]
    assert left(cache) == names[1:]
    assert recorder.of(CacheEvicted) == [CacheEvicted(reason="size", artifacts=1, bytes=10)]


def test_removes_everything_but_what_is_in_force(cache_with: Callable[..., Any], recorder: Recorder) -> None:
    """Asked for everything, it leaves what is in force, and reports that somebody asked."""
    cache, names = cache_with(3)
    cache.protect("remote:main", names[1:2])
    clean(cache, everything=True)
    assert left(cache) == names[1:2]
    assert recorder.of(CacheEvicted) == [CacheEvicted(reason="request", artifacts=2, bytes=20)]


def test_leaves_what_another_process_may_need(cache_with: Callable[..., Any]) -> None:
    """What was used within the grace period stays: another process that shares the directory has it in force."""
    cache, names = cache_with(2, age=10.0)
    assert clean(cache, everything=True) == []
    assert left(cache) == names


@pytest.mark.parametrize("everything", [False, True])
def test_a_dry_run_removes_nothing(cache_with: Callable[..., Any], recorder: Recorder, everything: bool) -> None:
    """It says what would go, which is nothing in force; that stays, and nothing is reported."""
    cache, names = cache_with(3, max_bytes=20)
    cache.protect("remote:main", names[:1])
    gone = clean(cache, everything=everything, dry_run=True)
    assert [item.path.name for item in gone] == (names[1:] if everything else names[1:2])
    assert (left(cache), recorder.told) == (names, [])


def test_a_cache_that_is_not_there_is_empty(cache_dir: Path) -> None:
    """Nothing is made to look at it."""
    assert stock_of(ArtifactCache(cache_dir)) == []
    assert not cache_dir.exists()
