"""Resolution: which of the competing candidates serves a key, and why."""

from __future__ import annotations

import os
import reprlib
from pathlib import PurePath
from typing import TYPE_CHECKING

from oneiric.core.resolution.registry import CandidateRegistry, ReplaceResult

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oneiric.core.events import CandidateCount, Event
    from oneiric.core.observers import Observers
    from oneiric.core.resolution.candidates import Candidate, CandidateSource, ResolverSettings
    from oneiric.core.resolution.ranking import ResolutionExplanation


STACK_ORDER_ENV = "ONEIRIC_STACK_ORDER"
"""Comma-separated packages, as ``name:priority`` or ``name`` alone, which gets ten times its position from 0."""

PATH_PRIORITY_HINTS = [
    ("adapters", 80),
    ("services", 70),
    ("tasks", 60),
    ("events", 60),
    ("workflows", 60),
    ("vendor", 90),
]
"""The priority to begin with for a package whose path has the segment; the first one that fits counts."""

_MAX_DEPTH = 10


def infer_priority(package_name: str | None, path: str | os.PathLike[str] | None) -> int:
    """Return the priority of a package that states none: from the stack order, else its path, else 0.

    A path gives its hint less the number of its parts, at most 10. What is None is not known and gives nothing.
    ValueError for a malformed stack order.
    """
    order = _read_stack_order()
    if package_name is not None and package_name in order:
        return order[package_name]
    parts = PurePath(path or "").parts
    for segment, base in PATH_PRIORITY_HINTS:
        if segment in parts:
            return base - min(len(parts), _MAX_DEPTH)
    return 0


def register_pkg(
    registry: CandidateRegistry,
    package_name: str,
    path: str | os.PathLike[str],
    candidates: Iterable[Candidate],
    priority: int | None = None,
) -> None:
    """Register copies of the *candidates* of a package; their metadata name it and its path.

    A candidate without a priority gets *priority*, or else the one inferred for the package.
    """
    default = infer_priority(package_name, path) if priority is None else priority
    origin = {"package": package_name, "path": os.fspath(path)}
    for candidate in candidates:
        copy = candidate if candidate.priority is not None else candidate.with_priority(default)
        registry.register_candidate(copy.model_copy(update={"metadata": origin | copy.metadata}))


class Resolver:
    """What an application registers its candidates with and asks for them.

    Everything is done by its registry, whose promises about threads and settings hold here too.

    Args:
        settings: What the configuration says about ranking.
        observers: Whom resolutions, registrations and removals are reported to.

    Attributes:
        registry: The candidates.

    Raises:
        ValueError: The stack order in the environment is malformed.
    """

    def __init__(self, settings: ResolverSettings | None = None, *, observers: Observers | None = None) -> None:
        _read_stack_order()
        self.registry = CandidateRegistry(settings, observers=observers)

    @property
    def settings(self) -> ResolverSettings:
        """What ranks now; setting it is :meth:`reselect`."""
        return self.registry.settings

    @settings.setter
    def settings(self, settings: ResolverSettings) -> None:
        self.registry.reselect(settings)

    @property
    def observers(self) -> Observers:
        """Whom it reports to."""
        return self.registry.observers

    def register(self, candidate: Candidate) -> None:
        """Register a copy of *candidate*; an equal one registered before stays, shadowed."""
        self.registry.register_candidate(candidate)

    def register_from_pkg(
        self,
        package_name: str,
        path: str | os.PathLike[str],
        candidates: Iterable[Candidate],
        priority: int | None = None,
    ) -> None:
        """Register the candidates of a package; see :func:`register_pkg`."""
        register_pkg(self.registry, package_name, path, candidates, priority)

    def unregister(
        self, domain: str, key: str, provider: str | None = None, *, source: CandidateSource | None = None
    ) -> int:
        """Remove the candidates of the key, only those of *provider* and *source* where given; return how many."""
        return self.registry.unregister(domain, key, provider, source=source)

    def replace(self, owner: str, candidates: Iterable[Candidate]) -> ReplaceResult:
        """Make *candidates* all that is registered for *owner*; see :meth:`CandidateRegistry.replace`."""
        return self.registry.replace(owner, candidates)

    def select(self, domain: str, key: str, provider: str | None) -> None:
        """Prefer *provider* for the key from now on, registered or not; None prefers nobody."""
        self.registry.select(domain, key, provider)

    def reselect(self, settings: ResolverSettings) -> None:
        """Rank by *settings* from now on; a priority that was defaulted at registration stays."""
        self.registry.reselect(settings)

    def resolve(
        self,
        domain: str,
        key: str,
        provider: str | None = None,
        capabilities: Iterable[str] | None = None,
        *,
        require_all: bool = True,
    ) -> Candidate | None:
        """Return the best-ranked candidate of the key, or None; see :meth:`CandidateRegistry.resolve`."""
        return self.registry.resolve(domain, key, provider, capabilities, require_all=require_all)

    def explain(
        self, domain: str, key: str, *, capabilities: Iterable[str] | None = None, require_all: bool = True
    ) -> ResolutionExplanation:
        """Return how the candidates of the key rank, those without the *capabilities* left out."""
        return self.registry.explain(domain, key, capabilities=capabilities, require_all=require_all)

    def list_active(self, domain: str) -> list[Candidate]:
        """Return the winner of every key of *domain*."""
        return self.registry.list_active(domain)

    def list_shadowed(self, domain: str) -> list[Candidate]:
        """Return the candidates of *domain* that do not win their key, by key, best first."""
        return self.registry.list_shadowed(domain)

    def reported(self, domain: object, key: object) -> tuple[str, str]:
        """Return what records say for a domain and a key; see :meth:`CandidateRegistry.reported`."""
        return self.registry.reported(domain, key)

    def states(self) -> list[CandidateCount]:
        """Return how many candidates every domain has."""
        return self.registry.states()

    def replay(self) -> list[Event]:
        """Return the registrations of all that is registered now, for an observer that comes late."""
        return self.registry.replay()


def _read_stack_order() -> dict[str, int]:
    items = [item.strip() for item in os.environ.get(STACK_ORDER_ENV, "").split(",")]
    return dict(_stack_item(item, place) for place, item in enumerate(filter(None, items)))


def _stack_item(item: str, place: int) -> tuple[str, int]:
    name, colon, number = (part.strip() for part in item.partition(":"))
    try:
        if name:
            return name, int(number) if colon else 10 * place
    except ValueError:
        pass
    raise ValueError(f"{STACK_ORDER_ENV}: {reprlib.repr(item)} is neither 'package' nor 'package:integer'")
