"""Activate and swap the providers of a running process; what serves is replaced only by what is proven to work."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from oneiric.core.errors import LifecycleError
from oneiric.core.lifecycle.calls import Calls
from oneiric.core.lifecycle.health import HealthChecks, OvertakenError
from oneiric.core.lifecycle.key_locks import HeldError, KeyLocks
from oneiric.core.lifecycle.options import LifecycleHooks, LifecycleSafetyOptions
from oneiric.core.lifecycle.status_book import StatusBook
from oneiric.core.lifecycle.swap import Swaps, closed_error
from oneiric.core.names import invalid_name, is_valid_name

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable

    from oneiric.core.events import State
    from oneiric.core.lifecycle.instances import Served
    from oneiric.core.lifecycle.status import LifecycleStatus
    from oneiric.core.lifecycle.status_book import Component
    from oneiric.core.observers import Observers
    from oneiric.core.resolution import Candidate, Resolver


_CLOSED_AT_ONCE = 16


class LifecycleManager:
    """Makes, checks, swaps and closes the instances of components.

    Swaps of one component follow one another, those of different components run side by side. A factory, check or hook
    that asks for a swap of its own component, itself or by a task it made, gets a LifecycleError until its swap ends.
    Used from one event loop at a time; loops may follow one another. What only reads may be called from any thread.

    Synchronous factories, checks and cleanups run in threads. One that raises there because it needs the running loop
    is called once more on the loop; a candidate with ``metadata={"thread": False}`` has all of them called on the
    loop's thread only, for what is bound to a thread, without a time limit.

    Args:
        resolver: Says which candidate serves a component.
        hooks: What to do around a swap.
        status_snapshot_path: Where the statuses are kept as a JSON list, valid and current at every instant, also if
            the process is killed; beside it lie a lock file and, if need be, a damaged predecessor. One manager owns
            the file, until it is closed or its process ends; a second one keeps its statuses in memory meanwhile.
        safety: Limits of what is called.
        observers: The seam to report through; by default that of *resolver*.
        clock: Seconds since the epoch.
    """

    def __init__(  # noqa: PLR0913 - published signature
        self,
        resolver: Resolver,
        hooks: LifecycleHooks | None = None,
        *,
        status_snapshot_path: str | os.PathLike[str] | None = None,
        safety: LifecycleSafetyOptions | None = None,
        observers: Observers | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.resolver = resolver
        hooks = LifecycleHooks() if hooks is None else hooks
        safety = LifecycleSafetyOptions() if safety is None else safety
        self.observers = observers if observers is not None else resolver.observers
        self._calls = Calls(
            sync_in_thread=safety.sync_in_thread,
            shield=safety.shield_tasks,
            max_hanging=safety.max_hanging_calls,
        )
        self._book = StatusBook(
            status_snapshot_path, observers=self.observers, clock=clock, max_samples=safety.max_swap_samples
        )
        self._health = HealthChecks(self._calls, self._book, observers=self.observers, timeout=safety.health_timeout)
        self._swaps = Swaps(
            resolver,
            self._calls,
            self._book,
            self._health,
            hooks=hooks,
            safety=safety,
            observers=self.observers,
        )
        self._served = self._swaps.served
        self._locks = KeyLocks()

    @property
    def hooks(self) -> LifecycleHooks:
        """What to do around a swap; a replacement counts from the next swap on, but for its cleanup hooks."""
        return self._swaps.hooks

    @hooks.setter
    def hooks(self, hooks: LifecycleHooks) -> None:
        self._swaps.hooks = hooks

    @property
    def safety(self) -> LifecycleSafetyOptions:
        """Limits of what is called; a replacement counts from the next swap on for activation and swap hooks."""
        return self._swaps.safety

    @safety.setter
    def safety(self, safety: LifecycleSafetyOptions) -> None:
        self._swaps.safety = safety

    async def activate(
        self,
        domain: str,
        key: str,
        provider: str | None = None,
        *,
        force: bool = False,
    ) -> Any:
        """Make a new instance of the component, let it serve, close the one that served before, and return it.

        If anything fails before the new instance serves, it is closed, the previous one serves on, and LifecycleError
        is raised. What fails afterwards, closing the previous one for instance, is reported and undoes nothing.
        Cancelling is a failure before, and leaves the rest to a background task afterwards.

        Args:
            domain: Domain of the component.
            key: Key of the component.
            provider: Whom to activate; None for whom the resolver prefers.
            force: Ignore health checks that fail; if the factory or a hook fails, return the previous instance, or
                None, instead of raising.
        """
        component = _component(domain, key)
        self._swaps.require_open()
        try:
            async with self._locks.holding(component) as hold:
                self._swaps.require_open()
                return await self._swaps.swap(component, provider, hold, force=force)
        except HeldError:
            raise LifecycleError(f"{domain}:{key} is being swapped by what asks for its swap") from None

    async def swap(self, domain: str, key: str, provider: str | None = None, *, force: bool = False) -> Any:
        """Do what :meth:`activate` does."""
        return await self.activate(domain, key, provider, force=force)

    def get_instance(self, domain: str, key: str) -> Any:
        """Return the instance that serves, or None."""
        served = self._served.get((domain, key))
        return None if served is None else served.instance

    def get_candidate(self, domain: str, key: str) -> Candidate | None:
        """Return the candidate that the instance that serves was made of, or None."""
        served = self._served.get((domain, key))
        return None if served is None else served.candidate

    def get_status(self, domain: str, key: str) -> LifecycleStatus | None:
        """Return the status of the component, or None if it was never touched."""
        return self._book.get((domain, key))

    def all_statuses(self) -> list[LifecycleStatus]:
        """Return the status of every component ever touched."""
        return self._book.all()

    async def probe_instance_health(self, domain: str, key: str) -> bool | None:
        """Check the instance that serves: None if there is none, True also if there is nothing to check.

        A check that raises, times out or answers anything but a bool has failed, and does not raise. While one that
        timed out still hangs in its thread no other is begun, and the probe fails at once. If the instance was swapped
        out or closed meanwhile, there is no answer either: None, and nothing is recorded.
        """
        component = _component(domain, key)
        served = self._served.get(component)
        if served is None:
            return None
        try:
            healthy, error = await self._health.run(
                component, served, "probe", overtaken=lambda: self._served.get(component) is not served
            )
        except OvertakenError:
            return None
        self._health.record(component, served, healthy=healthy)
        return error is None

    def states(self) -> Iterable[State]:
        """Return what is so now: the counts of every domain, and who serves each component."""
        serving = {component: served.provider for component, served in self._served.copy().items()}
        return self._book.states(serving)

    def keep_statuses(self, *, wanted: bool) -> None:
        """Write the status file from now on where no other process does, or leave it to others."""
        self._book.keep(wanted=wanted)

    def let_go_of_statuses(self) -> None:
        """Let other processes have the status file until the next change of a status."""
        self._book.let_go()

    async def aclose(self) -> None:
        """Close every instance, refuse further activations and let go of the status file; idempotent.

        Waits ``cleanup_timeout`` seconds for what goes on in the background, then cancels it and waits as long again.
        A swap under way fails. What fails is reported, not raised.
        """
        self._swaps.is_open = False
        closing = self._calls.start(self._close_all())
        await asyncio.shield(closing)
        await self._calls.drain(self.safety.cleanup_timeout)
        self._book.close(str(closed_error()))

    async def _close_all(self) -> None:
        limit = asyncio.Semaphore(_CLOSED_AT_ONCE)

        async def close(component: Component, served: Served) -> None:
            async with limit:
                self._book.closed(component)
                await self._swaps.close(component, served, note=True)

        served = self._served.copy()
        self._served.clear()
        await asyncio.gather(*(close(component, one) for component, one in served.items()))


def _component(domain: str, key: str) -> Component:
    for name, value in (("domain", domain), ("key", key)):
        if not is_valid_name(value):
            raise LifecycleError(str(invalid_name(value, field=name)))
    return domain, key
