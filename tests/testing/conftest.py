"""A resolver and a manager that report to the telemetry of the test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from oneiric.core.lifecycle import LifecycleManager
from oneiric.core.resolution import Candidate, Resolver

if TYPE_CHECKING:
    from oneiric.testing import TelemetryCapture


def _broken() -> None:
    raise ConnectionError("refused")


@pytest.fixture
def resolver(oneiric_telemetry: TelemetryCapture) -> Resolver:
    """A resolver of three adapters: cache and queue can be made, broken cannot."""
    resolver = Resolver(observers=oneiric_telemetry.observers)
    for key, factory in (("cache", dict), ("queue", list), ("broken", _broken)):
        resolver.register(Candidate(domain="adapter", key=key, provider="memory", factory=factory))
    return resolver


@pytest.fixture
def manager(oneiric_telemetry: TelemetryCapture, resolver: Resolver) -> LifecycleManager:
    """The manager of :func:`resolver`, whose gauges are read."""
    manager = LifecycleManager(resolver)
    oneiric_telemetry.attach(manager)
    return manager
