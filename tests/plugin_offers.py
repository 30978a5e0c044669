"""What plugins of the tests offer: of use, and of no use in every way."""

from __future__ import annotations

import sys
from itertools import count
from typing import TYPE_CHECKING, Any

from oneiric.actions import ActionMetadata
from oneiric.adapters import AdapterMetadata
from oneiric.core.resolution import Candidate, CandidateSource

if TYPE_CHECKING:
    from collections.abc import Iterator

number = 5


def candidate(key: str = "orders", **fields: Any) -> Candidate:
    """Offer a candidate of a service."""
    return Candidate(domain="service", key=key, provider="plugin", factory=dict, **fields)


def adapter() -> AdapterMetadata:
    """Offer an adapter that says where it was found."""
    return AdapterMetadata(category="cache", provider="plugin", factory=dict, source=CandidateSource.MANUAL)


def nested() -> Iterator[Any]:
    """Offer three, nested."""
    yield [candidate("a"), (candidate("b"),)]
    yield ActionMetadata(key="hash", provider="plugin", factory=dict)


def half() -> Iterator[Any]:
    """Offer one, then fail."""
    yield candidate("first")
    raise KeyError("second")


def text() -> str:
    """Offer what is no candidate."""
    return "redis"


async def later() -> Candidate:
    """Offer something later."""
    return candidate()


def endless() -> Iterator[Candidate]:
    """Offer more and more."""
    return (candidate(f"k{one}") for one in count())


def endlessly_nested() -> list[Any]:
    """Offer a list that holds itself."""
    offer: list[Any] = []
    offer.append(offer)
    return offer


def ending() -> None:
    """End the program."""
    sys.exit("no licence")


def interrupted() -> None:
    """Be interrupted by the user."""
    raise KeyboardInterrupt
