"""An instance the lifecycle manager made, and what can be called on it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

from oneiric.core.redaction import describe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from oneiric.core.resolution import Candidate

NOBODY = "none"
"""Stands for a provider where a candidate names none, or where there is no candidate."""

CANDIDATE_CHECK = "candidate"
"""Names the check that a candidate brings."""

HEALTH_METHODS = ("health", "check_health", "ready", "is_healthy")
CLEANUP_METHODS = ("cleanup", "close", "shutdown")

Method: TypeAlias = "tuple[str, Callable[[], Any]]"


@dataclass(frozen=True, slots=True, eq=False)
class Served:
    """An instance, whatever its truth value, and the candidate it was made of."""

    instance: Any
    candidate: Candidate

    @property
    def provider(self) -> str:
        """Who made it, "none" where the candidate does not say."""
        return provider_of(self.candidate)

    @property
    def threaded(self) -> bool:
        """Whether what is synchronous about it may be called in a thread."""
        return may_thread(self.candidate)


def provider_of(candidate: Candidate | None) -> str:
    """Return the provider as events name it."""
    return (candidate.provider if candidate is not None else None) or NOBODY


def may_thread(candidate: Candidate) -> bool:
    """Whether the metadata of *candidate* leave its synchronous calls to threads; ``"thread": False`` does not."""
    return candidate.metadata.get("thread") is not False


def checks_of(served: Served) -> Iterator[Method]:
    """Yield the health checks: the candidate's own, then the first the instance has."""
    if served.candidate.health is not None:
        yield CANDIDATE_CHECK, served.candidate.health
    if (method := first_callable(served.instance, HEALTH_METHODS)) is not None:
        yield method


def first_callable(instance: object, names: tuple[str, ...]) -> Method | None:
    """Return the first attribute of *names* that can be called; one that raises when read raises when called."""
    for name in names:
        try:
            found = getattr(instance, name, None)
        except Exception as error:  # noqa: BLE001 - a property is foreign code
            return name, partial(_raise, error)
        if callable(found):
            return name, found
    return None


def name_of(function: Callable[..., Any]) -> str:
    """Return what a hook is called in an error text."""
    return str(getattr(function, "__qualname__", type(function).__qualname__))


def text_of(error: BaseException) -> str:
    """Return the redacted text of *error*, or what it is where it says nothing."""
    if isinstance(error, asyncio.CancelledError):
        return "cancelled"
    kind, text = describe(error)
    return text or kind


def _raise(error: Exception) -> NoReturn:
    raise error
