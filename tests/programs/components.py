"""What a service of the tests serves: two caches, one of which fails where a file says so, a service, two actions."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oneiric import Candidate

if TYPE_CHECKING:
    from oneiric import Resolver

FAULTS = "COMPONENTS_FAULTS"
"""Environment variable with a directory: a file in it called ``sick`` or ``slow`` makes the second cache so."""


class Cache:
    """A cache."""

    def close(self) -> None:
        """Close it, slowly where a fault says so."""
        while _fault("unclosable"):
            time.sleep(0.05)


class Second(Cache):
    """Another cache."""

    def __init__(self) -> None:
        while _fault("slow"):
            time.sleep(0.05)

    def health(self) -> bool:
        """Whether it is well."""
        return not _fault("sick")


class Echo:
    """An action that answers its payload."""

    async def execute(self, payload: dict[str, Any]) -> dict[str, Any]:
        """Return *payload*."""
        return {"echo": payload}


class Broken:
    """An action that fails."""

    def execute(self, payload: dict[str, Any]) -> dict[str, Any]:
        """Fail."""
        raise ValueError(f"{len(payload)} things cannot be done")


def register(resolver: Resolver) -> None:
    """Register the candidates."""
    resolver.register(Candidate(domain="adapter", key="cache", provider="first", factory=Cache, priority=2))
    resolver.register(Candidate(domain="adapter", key="cache", provider="second", factory=Second, priority=1))
    resolver.register(Candidate(domain="service", key="payments", provider="only", factory=Second))
    resolver.register(Candidate(domain="action", key="echo", provider="tests", factory=Echo))
    resolver.register(Candidate(domain="action", key="broken", provider="tests", factory=Broken))


def _fault(name: str) -> bool:
    directory = os.environ.get(FAULTS)
    return bool(directory) and Path(directory or "", name).exists()
