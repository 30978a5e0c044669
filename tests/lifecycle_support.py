"""Components that tests of the lifecycle manager swap, and the manager that swaps them."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from support import Recorder

from oneiric.core.events import HookFailed
from oneiric.core.lifecycle import LifecycleHooks, LifecycleManager, LifecycleSafetyOptions
from oneiric.core.lifecycle.status_book import StatusBook
from oneiric.core.observers import Observers
from oneiric.core.resolution import Candidate, Resolver

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass(eq=False)
class Part:
    """An instance that counts how often it is closed."""

    name: str = "part"
    closed: int = 0

    def cleanup(self) -> None:
        """Count."""
        self.closed += 1


class Stubborn(Part):
    """A part whose cleanup raises what is not an OSError."""

    def cleanup(self) -> None:
        """Count, and raise."""
        super().cleanup()
        raise ValueError("stuck")


@dataclass
class Bench:
    """A resolver, a manager and what they told."""

    recorder: Recorder = field(default_factory=Recorder)
    observers: Observers = field(default_factory=Observers)
    hooks: LifecycleHooks = field(default_factory=LifecycleHooks)
    safety: LifecycleSafetyOptions = field(default_factory=LifecycleSafetyOptions)
    path: Path | None = None

    def __post_init__(self) -> None:
        self.observers.add(self.recorder)
        self.resolver = Resolver(observers=self.observers)
        self.manager = self.new_manager()

    def new_manager(self) -> LifecycleManager:
        """Return another manager of the same components."""
        return LifecycleManager(self.resolver, self.hooks, status_snapshot_path=self.path, safety=self.safety)

    def register(self, factory: Callable[..., Any] | str, *, provider: str | None = "new", **fields: Any) -> None:
        """Register a provider of adapter:cache."""
        self.resolver.register(Candidate(domain="adapter", key="cache", provider=provider, factory=factory, **fields))

    async def serve(self, instance: object | None = None) -> Any:
        """Let *instance*, or a fresh part, serve adapter:cache as provider "old"."""
        served = Part("old") if instance is None else instance
        self.register(lambda: served, provider="old")
        return await self.manager.activate("adapter", "cache", "old")

    async def swap(self, provider: str | None = "new", *, force: bool = False) -> Any:
        """Swap adapter:cache."""
        return await self.manager.swap("adapter", "cache", provider, force=force)

    @property
    def status(self) -> Any:
        """The status of adapter:cache."""
        return self.manager.get_status("adapter", "cache")

    @property
    def instance(self) -> Any:
        """What serves adapter:cache."""
        return self.manager.get_instance("adapter", "cache")


class Gate:
    """Something that hangs, in a thread or on the loop, until it is opened."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.opened = threading.Event()
        self.left = threading.Event()

    def wait(self) -> None:
        """Hang the thread."""
        self.entered.set()
        self.opened.wait(120)
        self.left.set()

    async def wait_async(self) -> None:
        """Hang the coroutine."""
        self.entered.set()
        await until(self.opened.is_set)
        self.left.set()


async def until(condition: Callable[[], object]) -> None:
    """Let the loop turn until *condition* holds; a test that waits in vain fails after 10 seconds."""
    async with asyncio.timeout(120):
        while not condition():  # noqa: ASYNC110 - also for what happens in a thread
            await asyncio.sleep(0.0005)


ENTRY = {
    "domain": "adapter",
    "key": "cache",
    "state": "ready",
    "current_provider": "redis",
    "pending_provider": None,
    "last_error": None,
    "last_state_change_at": "2025-01-02T03:04:05+00:00",
    "last_activated_at": "2025-01-02T03:04:05+00:00",
    "last_health_at": "2025-01-02T03:04:05+00:00",
    "last_swap_duration_ms": 1.5,
    "recent_swap_durations_ms": [1.25, 1.5],
    "successful_swaps": 3,
    "failed_swaps": 1,
}


class Book:
    """A status book of a file, and what it reports."""

    def __init__(self, path: Path) -> None:
        self.recorder = Recorder()
        observers = Observers()
        observers.add(self.recorder)
        self.book = StatusBook(path, observers=observers, clock=time.time, max_samples=20)

    @property
    def failures(self) -> list[HookFailed]:
        """What was reported."""
        return self.recorder.of(HookFailed)

    def counts(self) -> list[tuple[str, str, int]]:
        """Domain, key and successes of every status."""
        return [(status.domain, status.key, status.successful_swaps) for status in self.book.all()]


def written(path: Path, data: str | bytes) -> Path:
    """Write *data* to *path*."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def content(path: Path) -> Any:
    """Return what is in the file, as JSON knows it."""
    return json.loads(path.read_bytes())
