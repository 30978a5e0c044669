"""What a package says of an adapter that it offers."""

from __future__ import annotations

from collections.abc import Callable  # noqa: TC003 - pydantic reads it at run time
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from oneiric.core.metadata import build_metadata, register_metadata, settings_model_path
from oneiric.core.resolution import Candidate, CandidateSource, FactoryType, KeyName, ProviderName

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from oneiric.core.resolution import Resolver


class AdapterMetadata(BaseModel):
    """One adapter: the category that it serves, who provides it, and how it is made.

    Attributes:
        category: What is asked for, the key of the candidate.
        provider: Who offers it.
        factory: Makes the instance.
        version: Of the adapter.
        description: One sentence for people.
        capabilities: What it is capable of.
        stack_level: Decides between equal priorities.
        priority: The larger, the sooner it wins; None takes the one of the package.
        source: Where it was found.
        health: Says whether what it would make can work.
        owner: Who looks after it.
        requires_secrets: Whether it needs credentials.
        settings_model: The model of its settings, a class or ``module.Class``.
        extras: Anything else to know.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    category: KeyName
    provider: ProviderName
    factory: FactoryType
    version: str | None = None
    description: str | None = None
    capabilities: list[str] = []
    stack_level: int | None = None
    priority: int | None = None
    source: CandidateSource = CandidateSource.LOCAL_PKG
    health: Callable[[], bool] | None = None
    owner: str | None = None
    requires_secrets: bool = False
    settings_model: type[BaseModel] | str | None = None
    extras: dict[str, Any] = {}

    def to_candidate(self) -> Candidate:
        """Return the candidate; what is known beside goes into its metadata."""
        known = {
            "version": self.version,
            "description": self.description,
            "capabilities": self.capabilities,
            "owner": self.owner,
            "requires_secrets": self.requires_secrets,
            "settings_model": settings_model_path(self.settings_model),
        }
        return Candidate(
            domain="adapter",
            key=self.category,
            provider=self.provider,
            factory=self.factory,
            stack_level=self.stack_level,
            priority=self.priority,
            source=self.source,
            health=self.health,
            metadata=build_metadata(known, self.extras),
        )


def register_adapter_metadata(
    resolver: Resolver,
    package_name: str,
    package_path: str | os.PathLike[str],
    adapters: Iterable[AdapterMetadata],
    priority: int | None = None,
) -> None:
    """Register the adapters of a package; see :meth:`oneiric.core.resolution.Resolver.register_from_pkg`."""
    register_metadata(resolver, package_name, package_path, adapters, priority=priority)
