"""What can be resolved: the candidate, where it comes from, and the settings that rank it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from oneiric.core.names import validate_name

FactoryType: TypeAlias = Callable[..., Any] | str
"""What makes an instance: a callable, or its place as "module:attribute"."""

MAX_RANK = 2**63 - 1
"""Priorities and stack levels reach from minus this to this."""

DomainName = Annotated[str, AfterValidator(lambda value: validate_name(value, field="domain"))]
KeyName = Annotated[str, AfterValidator(lambda value: validate_name(value, field="key"))]
ProviderName = Annotated[str, AfterValidator(lambda value: validate_name(value, field="provider"))]
Rank = Annotated[int, Field(ge=-MAX_RANK, le=MAX_RANK)]


class CandidateSource(StrEnum):
    """Where a candidate was found."""

    LOCAL_PKG = "local_pkg"
    REMOTE_MANIFEST = "remote_manifest"
    ENTRY_POINT = "entry_point"
    MANUAL = "manual"


class ResolverSettings(BaseModel):
    """What the configuration says about ranking.

    Attributes:
        default_priority: Priority of a candidate that brings none.
        selections: The provider preferred by configuration, by domain and key.
    """

    default_priority: Rank = 0
    selections: dict[DomainName, dict[KeyName, ProviderName]] = Field(default_factory=dict)

    def selection_for(self, domain: str, key: str) -> str | None:
        """Return the provider preferred for the key, or None."""
        return self.selections.get(domain, {}).get(key)


class Candidate(BaseModel):
    """One provider that can serve a key of a domain.

    Fields of a wrong type and invalid names raise pydantic's ValidationError, on assignment too; unknown keyword
    arguments are ignored. ``metadata["capabilities"]`` (strings) and ``metadata["capability_descriptors"]`` (dicts
    with a ``name``) say what it is capable of.

    Attributes:
        domain: One of the six domains, or a custom one.
        key: What is asked for, within the domain.
        provider: Who offers it; None where nobody else will.
        priority: The larger, the sooner it wins; None takes the default of the settings.
        stack_level: Decides between equal priorities; None counts as 0.
        factory: Makes the instance.
        metadata: Anything else to know; copied deeply on registration.
        source: Where it was found.
        registered_at: Aware time of its making.
        health: Says whether what it would make can work; None when that cannot be known.
        registry_sequence: Its number in the order of registration; stamped by the registry.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="ignore", validate_assignment=True)

    domain: DomainName
    key: KeyName
    provider: ProviderName | None = None
    priority: Rank | None = None
    stack_level: Rank | None = None
    factory: FactoryType
    metadata: dict[str, Any] = Field(default_factory=dict)
    source: CandidateSource = CandidateSource.LOCAL_PKG
    registered_at: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))
    health: Callable[[], bool] | None = None
    registry_sequence: int | None = Field(default=None, exclude=True)

    def with_priority(self, priority: int) -> Candidate:
        """Return a copy with *priority*; this candidate stays as it is."""
        copy = self.model_copy(update={"metadata": dict(self.metadata)})
        copy.priority = priority
        return copy


def capabilities_of(candidate: Candidate) -> frozenset[str]:
    """Return what the metadata of *candidate* says it is capable of; entries of other types are ignored."""
    names = candidate.metadata.get("capabilities")
    descriptors = candidate.metadata.get("capability_descriptors")
    described = [item.get("name") for item in _items(descriptors) if isinstance(item, dict)]
    return frozenset(
        stripped
        for name in ([names] if isinstance(names, str) else [*_items(names)]) + described
        if isinstance(name, str) and (stripped := name.strip())
    )


def equal(first: Candidate, second: Candidate) -> bool:
    """Whether the two are the same but for the time and the order of their registration."""
    return all(getattr(first, name) == getattr(second, name) for name in _COMPARED)


def flatten(settings: ResolverSettings) -> dict[tuple[str, str], str]:
    """Return the selections of *settings* by domain and key."""
    return {(domain, key): provider for domain, keys in settings.selections.items() for key, provider in keys.items()}


@dataclass(frozen=True, slots=True)
class ReplaceResult:
    """How many candidates were registered, removed and left untouched when an owner's were replaced."""

    added: int
    removed: int
    kept: int


_COMPARED = tuple(Candidate.model_fields.keys() - {"registered_at", "registry_sequence"})


def _items(value: object) -> Collection[Any]:
    return value if isinstance(value, list | tuple | set | frozenset) else ()
