"""The bridge of a domain: from a key to the instance that serves it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar
from weakref import WeakValueDictionary

from oneiric.core.activity import MemoryActivityStore
from oneiric.core.errors import LifecycleError
from oneiric.core.events import WorkBlocked

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from oneiric.core.activity import Activities, DomainActivity
    from oneiric.core.config import LayerSettings
    from oneiric.core.lifecycle import LifecycleManager
    from oneiric.core.observers import Observers
    from oneiric.core.resolution import Candidate, Resolver
    from oneiric.domains.protocols import WorkGate


@dataclass
class DomainHandle:
    """What serves a key, and what is known of it."""

    domain: str
    key: str
    provider: str
    instance: Any
    metadata: dict[str, Any]
    settings: Any


class DomainBridge:
    """One domain: resolve a key, activate its provider, hold work back while the key is paused or drains.

    To be used in one event loop; the activity may be asked for and changed from any thread.

    Args:
        domain: Its name.
        resolver: Knows the candidates.
        lifecycle: Holds the instances.
        settings: The domain's section of the settings.
        activity_store: Keeps pauses and drains; without one they are kept in memory. One without a method ``change`` is
            asked and set.
        supervisor: May refuse work too.
        observers: The seam to report through; by default that of the resolver.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - published
        self,
        domain: str,
        resolver: Resolver,
        lifecycle: LifecycleManager,
        settings: LayerSettings,
        activity_store: Activities | None = None,
        supervisor: WorkGate | None = None,
        *,
        observers: Observers | None = None,
    ) -> None:
        self.domain = domain
        self.resolver = resolver
        self.lifecycle = lifecycle
        self.settings = settings
        self.observers = observers if observers is not None else resolver.observers
        self.activity_store: Activities = (
            activity_store if activity_store is not None else MemoryActivityStore(observers=self.observers)
        )
        self.supervisor = supervisor
        self._models: dict[str, Callable[..., Any]] = {}
        self._parsed: dict[str, Any] = {}
        self._activating: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def register_settings_model(self, provider: str, model: Callable[..., Any]) -> None:
        """Have the settings of *provider* parsed by *model*, which is called with them as keyword arguments."""
        self._models[provider] = model
        self._parsed.pop(provider, None)

    def update_settings(self, layer: LayerSettings) -> None:
        """Go by *layer* from now on; what serves already stays as it is."""
        self.settings = layer
        self._parsed = {}

    def get_settings(self, provider: str) -> Any:
        """Return the settings of *provider*: parsed if a model is registered, else as they are configured."""
        parsed = self._parsed
        if provider not in parsed:
            raw = self.settings.provider_settings.get(provider, {})
            parsed[provider] = self._models.get(provider, dict)(**raw)
        return parsed[provider]

    async def use(
        self,
        key: str,
        *,
        provider: str | None = None,
        capabilities: Sequence[str] | None = None,
        require_all: bool = True,
        force_reload: bool = False,
    ) -> DomainHandle:
        """Return a handle on what serves *key*, activating it first if need be.

        *provider*, or else the configured selection, decides who is to serve; an instance of another provider is
        swapped. Where neither is given, the present instance is kept as long as it is a candidate with the wanted
        *capabilities*. *force_reload* swaps in any case.

        Raises LifecycleError while the key is paused or drains, where there is no candidate, or if the swap fails.
        """
        self._refuse_blocked(key)
        return await self._served(
            key, provider, capabilities=capabilities, require_all=require_all, force_reload=force_reload
        )

    async def ensure_active(self, key: str) -> None:
        """Activate the provider of *key* unless one serves it that fits, whether or not it may be given work.

        Raises LifecycleError where there is no candidate, or if the swap fails.
        """
        await self._served(key, None)

    def active_candidates(self) -> list[Candidate]:
        """Return the candidate that wins, for each key."""
        return self.resolver.list_active(self.domain)

    def shadowed_candidates(self) -> list[Candidate]:
        """Return the candidates that do not win their key."""
        return self.resolver.list_shadowed(self.domain)

    def explain(
        self, key: str, *, capabilities: Sequence[str] | None = None, require_all: bool = True
    ) -> dict[str, Any]:
        """Return why who wins *key*, fit for JSON."""
        return self.resolver.explain(self.domain, key, capabilities=capabilities, require_all=require_all).as_dict()

    def should_accept_work(self, key: str) -> bool:
        """Whether *key* may be given work: neither paused nor draining, and not refused by the supervisor."""
        return self._blocking(key) is None

    def activity_state(self, key: str) -> DomainActivity:
        """Return whether *key* is paused or drains."""
        return self.activity_store.get(self.domain, key)

    def activity_snapshot(self) -> dict[str, DomainActivity]:
        """Return the activity kept of the domain, by key."""
        return self.activity_store.all_for_domain(self.domain)

    def set_paused(self, key: str, paused: bool, *, note: str | None = None) -> DomainActivity:  # noqa: FBT001 - published
        """Pause or resume *key* at once and return its activity; without a *note* the old one stays."""
        return self._changed(key, paused=paused, note=note)

    def set_draining(self, key: str, draining: bool, *, note: str | None = None) -> DomainActivity:  # noqa: FBT001 - published
        """Let *key* drain, or no longer, and return its activity; without a *note* the old one stays."""
        return self._changed(key, draining=draining, note=note)

    async def _served(
        self,
        key: str,
        provider: str | None,
        *,
        capabilities: Sequence[str] | None = None,
        require_all: bool = True,
        force_reload: bool = False,
    ) -> DomainHandle:
        wanted = provider or self.settings.selections.get(key)
        winner = self.resolver.resolve(self.domain, key, wanted, capabilities, require_all=require_all)
        if winner is None:
            raise LifecycleError(self._no_candidate(key))
        fitting = [winner] if wanted is not None else self._fitting(key, winner, capabilities, require_all=require_all)
        if force_reload:
            return await self._swapped(winner)
        async with self._activating.setdefault(key, asyncio.Lock()):  # the first of several callers activates for all
            return self._present(key, fitting) or await self._swapped(winner)

    def _changed(self, key: str, **changes: Any) -> DomainActivity:
        if hasattr(self.activity_store, "change"):
            return self.activity_store.change(self.domain, key, **changes)
        given = {name: value for name, value in changes.items() if value is not None}
        state = replace(self.activity_state(key), **given)  # a store of another make: not in one step
        self.activity_store.set(self.domain, key, state)
        return state

    def _blocking(self, key: str) -> DomainActivity | None:
        gate = self.supervisor
        if gate is None or getattr(gate, "activity_store", None) is not self.activity_store:  # else it reads the same
            state = self.activity_state(key)
            if state.paused or state.draining:
                return state
        if gate is None or gate.should_accept_work(self.domain, key):
            return None
        return gate.activity_state(self.domain, key)

    def _refuse_blocked(self, key: str) -> None:
        state = self._blocking(key)
        if state is None:
            return
        self.observers.notify(WorkBlocked(domain=self.domain, key=key, reason="paused" if state.paused else "draining"))
        flags = [name for name in ("paused", "draining") if getattr(state, name)] or ["not accepting work"]
        raise LifecycleError(f"{self.domain}:{key} is {' & '.join(flags)}")

    def _no_candidate(self, key: str) -> str:
        return f"No candidate found for {self.domain}:{key}"

    def _fitting(
        self, key: str, winner: Candidate, capabilities: Sequence[str] | None, *, require_all: bool
    ) -> list[Candidate]:
        serving = self.lifecycle.get_candidate(self.domain, key)
        if serving is None or serving.provider == winner.provider:
            return [winner]
        ranks = self.resolver.explain(self.domain, key, capabilities=capabilities, require_all=require_all).ordered
        return [rank.candidate for rank in ranks]

    def _present(self, key: str, fitting: Sequence[Candidate]) -> DomainHandle | None:
        serving = self.lifecycle.get_candidate(self.domain, key)
        if serving is None or serving.provider not in {candidate.provider for candidate in fitting}:
            return None
        return self._handle(serving, self.lifecycle.get_instance(self.domain, key))

    async def _swapped(self, candidate: Candidate) -> DomainHandle:
        self._handle(candidate, None)  # settings that are wrong are found before anything is swapped
        instance = await self.lifecycle.swap(self.domain, candidate.key, candidate.provider)
        return self._present(candidate.key, [candidate]) or self._handle(candidate, instance)

    def _handle(self, candidate: Candidate, instance: Any) -> DomainHandle:
        if candidate.provider is None:
            raise LifecycleError(f"Candidate missing provider for {self.domain}:{candidate.key}")
        return DomainHandle(
            domain=self.domain,
            key=candidate.key,
            provider=candidate.provider,
            instance=instance,
            metadata=dict(candidate.metadata),
            settings=self.get_settings(candidate.provider),
        )


class NamedBridge(DomainBridge):
    """The bridge of one domain that every runtime has; see :class:`DomainBridge` for its arguments.

    Attributes:
        name: The domain.
    """

    name: ClassVar[str]

    def __init__(  # noqa: PLR0913 - published
        self,
        resolver: Resolver,
        lifecycle: LifecycleManager,
        settings: LayerSettings,
        activity_store: Activities | None = None,
        supervisor: WorkGate | None = None,
        *,
        observers: Observers | None = None,
    ) -> None:
        super().__init__(self.name, resolver, lifecycle, settings, activity_store, supervisor, observers=observers)
