"""Tests of a user's, of every kind, which have the fixture without an import; another test runs them."""

from __future__ import annotations

import asyncio
import unittest
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oneiric import Candidate, LifecycleManager, Resolver, testing

if TYPE_CHECKING:
    from oneiric.testing import TelemetryCapture


def resolver_of(telemetry: TelemetryCapture) -> Resolver:
    """Return a resolver that reports to *telemetry*."""
    resolver = Resolver(observers=telemetry.observers)
    resolver.register(Candidate(domain="adapter", key="cache", provider="memory", factory=dict))
    return resolver


def test_plain(oneiric_telemetry: TelemetryCapture) -> None:
    """A plain test."""
    resolver = resolver_of(oneiric_telemetry)
    with oneiric_telemetry.expect(oneiric_telemetry.metric("oneiric_resolution_total", key="cache"), 1):
        resolver.resolve("adapter", "cache")


async def test_async(oneiric_telemetry: TelemetryCapture) -> None:
    """An asynchronous test."""
    manager = LifecycleManager(resolver_of(oneiric_telemetry))
    oneiric_telemetry.attach(manager)
    with oneiric_telemetry.expect(
        oneiric_telemetry.metric("oneiric_lifecycle_swap_total", outcome="success"),
        2,
        oneiric_telemetry.metric("oneiric_lifecycle_instances"),
        oneiric_telemetry.equals(1),
        oneiric_telemetry.event("swap-complete"),
        2,
        oneiric_telemetry.span("oneiric.lifecycle.swap", status="UNSET", provider="memory"),
        2,
    ):
        await asyncio.gather(*(manager.swap("adapter", "cache") for _ in range(2)))


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(times=st.integers(0, 5))
def test_property(oneiric_telemetry: TelemetryCapture, times: int) -> None:
    """A property."""
    resolver = resolver_of(oneiric_telemetry)
    with oneiric_telemetry.expect(oneiric_telemetry.metric("oneiric_resolution_total", key="cache"), times):
        for _ in range(times):
            resolver.resolve("adapter", "cache")


class TestOfAClass:
    """A class of tests."""

    def test_method(self, oneiric_telemetry: TelemetryCapture) -> None:
        """A method."""
        assert oneiric_telemetry.events() == []


class TestOfUnittest(unittest.TestCase):
    """A test case of the standard library, which has no fixtures."""

    def test_method(self) -> None:
        """A method that makes the capture itself."""
        with testing.TelemetryCapture() as telemetry, telemetry.expect(testing.event("candidate-registered"), 1):
            resolver_of(telemetry)
