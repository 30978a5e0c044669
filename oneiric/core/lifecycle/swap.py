"""One swap after the other: make the new instance, check it, bind it, close the old one; undo what fails before."""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

from oneiric.core.errors import LifecycleError
from oneiric.core.events import RolledBack, Swap
from oneiric.core.lifecycle.attempt import Attempt
from oneiric.core.lifecycle.calls import Call, Calls
from oneiric.core.lifecycle.cleanup import Cleanup
from oneiric.core.lifecycle.factories import make
from oneiric.core.lifecycle.instances import Served, may_thread, name_of, provider_of, text_of

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from oneiric.core.lifecycle.health import HealthChecks
    from oneiric.core.lifecycle.key_locks import Hold
    from oneiric.core.lifecycle.options import LifecycleHooks, LifecycleSafetyOptions, SwapHook
    from oneiric.core.lifecycle.status_book import Component, StatusBook
    from oneiric.core.observers import Observers
    from oneiric.core.resolution import Candidate, Resolver


class Swaps:
    """Swaps the instances of components; whoever calls it holds the lock of the component.

    Attributes:
        served: What serves each component.
        hooks: What to do around the next swap.
        safety: Limits of what the next swap calls.
        is_open: Whether swaps may begin.
    """

    def __init__(  # noqa: PLR0913 - one for each part
        self,
        resolver: Resolver,
        calls: Calls,
        book: StatusBook,
        health: HealthChecks,
        *,
        hooks: LifecycleHooks,
        safety: LifecycleSafetyOptions,
        observers: Observers,
    ) -> None:
        self.served: dict[Component, Served] = {}
        self._uses: Counter[int] = Counter()  # of each instance that was made and not closed, by its id
        self.is_open = True
        self._resolver = resolver
        self._calls = calls
        self._book = book
        self._health = health
        self.hooks = hooks
        self.safety = safety
        self._observers = observers
        self._cleanup = Cleanup(calls, book, observers=observers, hooks=hooks, safety=safety)

    def require_open(self) -> None:
        """Raise LifecycleError where no swap may begin any more."""
        if not self.is_open:
            raise closed_error()

    async def swap(self, component: Component, provider: str | None, hold: Hold, *, force: bool) -> Any:
        """Make, check and bind a new instance of *component*, which *hold* locks, and return what serves then.

        See :meth:`LifecycleManager.activate` for the arguments and errors.
        """
        previous = self.served.get(component)
        domain, key = self._resolver.reported(*component)
        swap = Swap(
            domain=domain,
            key=key,
            previous_provider=provider_of(previous.candidate if previous else None),
            forced=force,
        )
        with self._book.swapping(domain), self._observers.operation(swap) as running:
            attempt = Attempt(component, running, hold, previous, self._observers.clock(), force)
            try:
                served = await self._prepare(attempt, provider)
                self._bind(attempt, served)
            except Exception as error:  # noqa: BLE001 - a provider may raise anything
                self._fail(attempt, error)
                await self._discard(attempt)
                return self._answer(attempt, error)
            except BaseException as error:
                self._fail(attempt, error)
                if not isinstance(error, GeneratorExit):
                    await self._discard(attempt)
                elif attempt.served is not None:  # which allows no waiting
                    self._is_last_use(attempt.served)
                raise
            finishing = await self._in_background(attempt, self._finish(attempt, served))
            if finishing.cancelled():
                raise closed_error()
            return served.instance

    async def _prepare(self, attempt: Attempt, provider: str | None) -> Served:
        domain, key = attempt.component
        candidate = self._resolver.resolve(domain, key, provider)
        if candidate is None:
            attempt.reason = "no_candidate"
            raise LifecycleError(f"No candidate registered for {domain}:{key}")
        attempt.candidate = candidate
        attempt.running.update(provider=provider_of(candidate))
        self._book.activating(attempt.component, candidate.provider)
        attempt.reason = "factory"
        attempt.served = served = await self._make(attempt.component, candidate)
        attempt.reason = "health"
        attempt.healthy, error = await self._health.run(attempt.component, served, "swap")
        if error is not None and not attempt.forced:
            if attempt.previous is None:  # or else the health of the component is that of what serves on
                self._health.record(attempt.component, served, healthy=False)
            raise error
        attempt.reason = "hook"
        for hook in tuple(self.hooks.pre_swap):
            await self._calls.run(self._swap_hook(hook, attempt, served))
        attempt.reason = "other"
        return served

    async def _make(self, component: Component, candidate: Candidate) -> Served:
        domain, key = component
        factory = candidate.factory
        instance = await self._calls.run(
            Call(
                function=factory if callable(factory) else partial(make, factory),  # importing may hang too
                label=f"activate {domain}:{key}",
                timeout=self.safety.activation_timeout,
                threaded=may_thread(candidate),
                shielded=True,
                late=lambda instance: self.close(component, self._made(instance, candidate), note=False),
            )
        )
        if instance is None:
            raise LifecycleError(f"Factory for {domain}:{key} ({provider_of(candidate)}) returned None")
        return self._made(instance, candidate)

    def _made(self, instance: Any, candidate: Candidate) -> Served:
        self._uses[id(instance)] += 1
        return Served(instance, candidate)

    def _bind(self, attempt: Attempt, served: Served) -> None:
        self.require_open()
        self.served[attempt.component] = served
        self._book.ready(attempt.component, served.candidate.provider, seconds=self._elapsed(attempt))
        attempt.running.settle("success")
        self._health.record(attempt.component, served, healthy=attempt.healthy)

    async def _finish(self, attempt: Attempt, served: Served) -> None:
        try:
            for hook in tuple(self.hooks.post_swap):
                call = self._swap_hook(hook, attempt, served)
                await self._cleanup.attempt(attempt.component, served, f"post_swap hook {name_of(hook)}", call)
        finally:
            if attempt.previous is not None:
                await self.close(attempt.component, attempt.previous, note=True)

    def _fail(self, attempt: Attempt, error: BaseException) -> None:
        attempt.running.fail(attempt.reason_for(error), error)
        previous = self.served.get(attempt.component)
        if attempt.reason != "no_candidate" or self._book.get(attempt.component) is not None:
            self._book.failed(
                attempt.component,
                previous.candidate.provider if previous else None,
                text_of(error),
                seconds=self._elapsed(attempt),
            )
        if previous is not None:
            swap, rejected = attempt.running.operation, provider_of(attempt.candidate)
            self._observers.notify(
                RolledBack(domain=swap.domain, key=swap.key, provider=rejected, restored_provider=previous.provider)
            )

    async def _discard(self, attempt: Attempt) -> None:
        if attempt.served is not None:
            closing = self.close(attempt.component, attempt.served, note=False)
            await self._in_background(attempt, closing)

    def _answer(self, attempt: Attempt, error: Exception) -> Any:
        if attempt.forced and attempt.reason in {"factory", "hook"}:
            serving = self.served.get(attempt.component)
            return None if serving is None else serving.instance
        if isinstance(error, LifecycleError):
            raise error
        domain, key = attempt.component
        raise LifecycleError(f"Swap failed for {domain}:{key} ({provider_of(attempt.candidate)})") from error

    def _swap_hook(self, hook: SwapHook, attempt: Attempt, served: Served) -> Call:
        old = attempt.previous.instance if attempt.previous is not None else None
        return Call(
            function=hook,
            args=(served.candidate, served.instance, old),
            label="lifecycle hook",
            timeout=self.safety.hook_timeout,
            threaded=False,
        )

    async def close(self, component: Component, served: Served, *, note: bool) -> None:
        """Close the instance of *served*, to be called once for each; *note*: keep a failure in the status.

        One that a factory returned more than once, for one component or several, is closed with the last of them.
        """
        if self._is_last_use(served):
            await self._cleanup.close(component, served, note=note)

    def _is_last_use(self, served: Served) -> bool:
        """Forget *served*, and return whether nothing else has its instance."""
        name = id(served.instance)
        self._uses[name] -= 1
        if self._uses[name] > 0:
            return False
        del self._uses[name]
        return True

    async def _in_background(self, attempt: Attempt, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Wait for *work*, which goes on, and keeps the component locked, if the waiting is cancelled."""
        task = self._calls.start(work)
        attempt.hold.until(task)
        await asyncio.wait({task})
        return task

    def _elapsed(self, attempt: Attempt) -> float:
        return self._observers.clock() - attempt.started


def closed_error() -> LifecycleError:
    """Return the error of a swap that comes too late."""
    return LifecycleError("The lifecycle manager is closed")
