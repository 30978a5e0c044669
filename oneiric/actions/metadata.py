"""What a package says of an action that it offers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from oneiric.core.metadata import build_metadata, register_metadata, settings_model_path
from oneiric.core.resolution import Candidate, CandidateSource, FactoryType, KeyName, ProviderName

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from oneiric.core.resolution import Resolver


class ActionMetadata(BaseModel):
    """One action: the name that it is called by, who provides it, and how it is made.

    Attributes:
        key: What it is called by.
        provider: Who offers it.
        factory: Makes the instance.
        description: One sentence for people.
        domains: The domains that it is made for.
        capabilities: What it is capable of.
        stack_level: Decides between equal priorities.
        priority: The larger, the sooner it wins; None takes the one of the package.
        source: Where it was found.
        owner: Who looks after it.
        requires_secrets: Whether it needs credentials.
        side_effect_free: Whether it changes nothing outside.
        settings_model: The model of its settings, a class or ``module.Class``.
        extras: Anything else to know.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    key: KeyName
    provider: ProviderName
    factory: FactoryType
    description: str | None = None
    domains: list[str] = []
    capabilities: list[str] = []
    stack_level: int | None = None
    priority: int | None = None
    source: CandidateSource = CandidateSource.LOCAL_PKG
    owner: str | None = None
    requires_secrets: bool = False
    side_effect_free: bool = False
    settings_model: type[BaseModel] | str | None = None
    extras: dict[str, Any] = {}

    def to_candidate(self) -> Candidate:
        """Return the candidate; what is known beside goes into its metadata."""
        known = {
            "description": self.description,
            "domains": self.domains,
            "capabilities": self.capabilities,
            "owner": self.owner,
            "requires_secrets": self.requires_secrets,
            "side_effect_free": self.side_effect_free,
            "settings_model": settings_model_path(self.settings_model),
        }
        return Candidate(
            domain="action",
            key=self.key,
            provider=self.provider,
            factory=self.factory,
            stack_level=self.stack_level,
            priority=self.priority,
            source=self.source,
            metadata=build_metadata(known, self.extras),
        )


def register_action_metadata(
    resolver: Resolver,
    package_name: str,
    package_path: str | os.PathLike[str],
    actions: Iterable[ActionMetadata],
    priority: int | None = None,
) -> None:
    """Register the actions of a package; see :meth:`oneiric.core.resolution.Resolver.register_from_pkg`."""
    register_metadata(resolver, package_name, package_path, actions, priority=priority)
