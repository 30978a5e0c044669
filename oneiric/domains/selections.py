"""Selections that change while the runtime runs: whom they name is swapped in, once the key may be swapped."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal

from oneiric.core.events import SelectionSwap, SelectionSwapHeld
from oneiric.core.resolution import ResolverSettings

if TYPE_CHECKING:
    from oneiric.core.config import LayerSettings
    from oneiric.domains.base import DomainBridge


class DomainSelections:
    """The selections of one domain, and the swaps that they call for.

    A paused key is not swapped, and a draining one is not swapped to another provider: that swap is held until the key
    is neither, and made by :meth:`retry` then. What fails is reported, not raised. Used from one event loop.

    Args:
        bridge: The domain; its settings are what is in force.
    """

    def __init__(self, bridge: DomainBridge) -> None:
        self._bridge = bridge
        self._turn = asyncio.Lock()
        self._in_force = dict(bridge.settings.selections)  # a copy: who has the settings may change them
        self._chosen: dict[str, str] = {}
        self._held: dict[str, str | None] = {}

    @property
    def held(self) -> dict[str, str | None]:
        """The providers that wait to be swapped in, by key; None: whoever wins by rank."""
        return dict(self._held)

    async def apply(self, layer: LayerSettings) -> None:
        """Let *layer* be in force, for the resolver too, and swap every key whose selection differs from before."""
        async with self._turn:
            before, after = self._in_force, dict(layer.selections)
            self._in_force = after
            changed = [key for key in {**before, **after} if before.get(key) != after.get(key)]
            for key in changed:
                self._chosen.pop(key, None)
            self.refresh(layer)
            self._held.update({key: after.get(key) for key in changed})
            for key in changed:
                await self._swap(key, after.get(key))

    def choose(self, key: str, provider: str) -> str | None:
        """Let *provider* be selected for *key* in place of a configured one, until that changes or the process ends.

        Return the configured one if it is another, else None; nothing is swapped.
        """
        configured = self._in_force.get(key)
        if configured is None or configured == provider:
            self._chosen.pop(key, None)
            configured = None
        else:
            self._chosen[key] = provider
        self.refresh(self._bridge.settings)
        return configured

    def refresh(self, layer: LayerSettings) -> None:
        """Put *layer* to use, with the selections in force and what was chosen in their place; swap nothing."""
        selections = {**self._in_force, **self._chosen}
        self._bridge.update_settings(layer.model_copy(update={"selections": selections}))
        self._select(selections)

    async def retry(self) -> None:
        """Make the swaps that were held, or cancelled, and may be made now."""
        async with self._turn:
            for key, provider in self.held.items():
                if self._reason_to_hold(key, provider) is None:
                    await self._swap(key, provider)

    def _select(self, selections: dict[str, str]) -> None:
        resolver, domain = self._bridge.resolver, self._bridge.domain
        others = {name: chosen for name, chosen in resolver.settings.selections.items() if name != domain}
        own = {domain: dict(selections)} if selections else {}
        settings = ResolverSettings(default_priority=resolver.settings.default_priority, selections={**others, **own})
        if settings != resolver.settings:  # to rank anew takes long where there are many candidates
            resolver.settings = settings

    async def _swap(self, key: str, provider: str | None) -> None:
        bridge = self._bridge
        names = {"domain": bridge.domain, "key": key, "provider": provider or "none"}
        if (reason := self._reason_to_hold(key, provider)) is not None:
            bridge.observers.notify(SelectionSwapHeld(**names, reason=reason))
            return
        with bridge.observers.operation(SelectionSwap(**names)) as running:
            try:
                await bridge.lifecycle.swap(bridge.domain, key, provider)
            except Exception as error:  # noqa: BLE001 - one swap that fails stops no other
                running.fail("other", error)
        del self._held[key]

    def _reason_to_hold(self, key: str, provider: str | None) -> Literal["paused", "draining"] | None:
        state = self._bridge.activity_state(key)
        if state.paused:
            return "paused"
        return "draining" if state.draining and provider is not None else None
