"""The bridge of the adapter domain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from oneiric.domains.base import NamedBridge

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass
class AdapterHandle:
    """The adapter that serves a category, and what is known of it."""

    category: str
    provider: str
    instance: Any
    settings: Any
    metadata: dict[str, Any]


class AdapterBridge(NamedBridge):
    """The adapters; see :class:`oneiric.domains.base.DomainBridge`. A key is called a category here."""

    name = "adapter"

    async def use(  # type: ignore[override]  # the published handle of an adapter is of another type
        self,
        category: str,
        *,
        provider: str | None = None,
        capabilities: Sequence[str] | None = None,
        require_all: bool = True,
        force_reload: bool = False,
    ) -> AdapterHandle:
        """Return a handle on what serves *category*, activating it first if need be; as a bridge does."""
        handle = await super().use(
            category, provider=provider, capabilities=capabilities, require_all=require_all, force_reload=force_reload
        )
        return AdapterHandle(category, handle.provider, handle.instance, handle.settings, handle.metadata)

    def _no_candidate(self, key: str) -> str:
        return f"No adapter candidate found for {key}"
