"""The plugin in test runs of its own: found without an import, under xdist, with and without OpenTelemetry."""

from __future__ import annotations

import pytest

INI = """
[pytest]
filterwarnings = error
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
"""
TESTS = """
import asyncio
import unittest

from hypothesis import HealthCheck, given, settings, strategies as st

from oneiric import Candidate, LifecycleManager, Resolver


def resolver_of(telemetry):
    resolver = Resolver(observers=telemetry.observers)
    resolver.register(Candidate(domain="adapter", key="cache", provider="memory", factory=dict))
    return resolver


def test_plain(oneiric_telemetry):
    resolver = resolver_of(oneiric_telemetry)
    with oneiric_telemetry.expect(oneiric_telemetry.metric("oneiric_resolution_total", key="cache"), 1):
        resolver.resolve("adapter", "cache")


async def test_async(oneiric_telemetry):
    manager = LifecycleManager(resolver_of(oneiric_telemetry))
    oneiric_telemetry.attach(manager)
    with oneiric_telemetry.expect(
        oneiric_telemetry.metric("oneiric_lifecycle_swap_total", outcome="success"), 2,
        oneiric_telemetry.metric("oneiric_lifecycle_instances"), oneiric_telemetry.equals(1),
        oneiric_telemetry.event("swap-complete"), 2,
        oneiric_telemetry.span("oneiric.lifecycle.swap", status="UNSET", provider="memory"), 2,
    ):
        await asyncio.gather(*(manager.swap("adapter", "cache") for _ in range(2)))


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(times=st.integers(0, 5))
def test_property(oneiric_telemetry, times):
    resolver = resolver_of(oneiric_telemetry)
    with oneiric_telemetry.expect(oneiric_telemetry.metric("oneiric_resolution_total", key="cache"), times):
        for _ in range(times):
            resolver.resolve("adapter", "cache")


class TestOfAClass:
    def test_method(self, oneiric_telemetry):
        assert oneiric_telemetry.events() == []


class TestOfUnittest(unittest.TestCase):
    def test_method(self):
        from oneiric.testing import TelemetryCapture, event

        with TelemetryCapture() as telemetry, telemetry.expect(event("candidate-registered"), 1):
            resolver_of(telemetry)
"""
FAILING = """
import pytest


def test_that_catches_around_the_block(oneiric_telemetry):
    with pytest.raises(ValueError), oneiric_telemetry.expect(oneiric_telemetry.event("swap-failed")):
        raise ValueError("mine")


def test_that_fails_in_the_block(oneiric_telemetry):
    with oneiric_telemetry.expect(oneiric_telemetry.event("swap-failed")):
        raise ValueError("mine")


def test_of_a_wrong_name(oneiric_telemetry):
    with oneiric_telemetry.expect(oneiric_telemetry.event("swap-fail")):
        raise ValueError("never reached")


def test_that_expects_in_vain(oneiric_telemetry):
    with oneiric_telemetry.expect(oneiric_telemetry.event("swap-failed")):
        pass
"""


@pytest.fixture
def run(pytester: pytest.Pytester) -> pytest.Pytester:
    """A directory for a test run in a process of its own, in which warnings are errors."""
    pytester.makeini(INI)
    return pytester


@pytest.mark.slow
def test_tests_of_every_kind_have_the_fixture(run: pytest.Pytester) -> None:
    """Plain, asynchronous, property and class tests get it from two xdist workers, without an import."""
    run.makepyfile(TESTS)
    run.runpytest_subprocess("-n", "2").assert_outcomes(passed=5)


@pytest.mark.slow
@pytest.mark.parametrize("absent", ["opentelemetry", "opentelemetry.sdk"])
def test_opentelemetry_may_be_absent(run: pytest.Pytester, absent: str) -> None:
    """Without OpenTelemetry, or without its SDK, the same tests pass, those that expect spans included."""
    run.makeconftest(f"import sys\nsys.modules[{absent!r}] = None")
    run.makepyfile(TESTS)
    run.runpytest_subprocess().assert_outcomes(passed=5)


def test_failures_are_told_once_and_where_they_are(run: pytest.Pytester) -> None:
    """A caught error fails the test at its end, an error of its own is told once, with what did not come as a note."""
    run.makepyfile(FAILING)
    result = run.runpytest_subprocess("-rfE", "--tb=short")
    result.assert_outcomes(passed=1, failed=3, errors=1)
    result.stdout.fnmatch_lines_random(
        [
            "E   ValueError: mine",
            "E   telemetry is not as expected (0 of 1 expectations held)",
            "E   oneiric.testing.UnknownSignalError: no log event 'swap-fail'; nearest: swap-failed*",
            "E   AssertionError: an expect block was left by ValueError, which was caught, and telemetry is not as *",
            "FAILED *::test_that_expects_in_vain*",
        ]
    )
    result.stdout.no_fnmatch_line("*oneiric/testing/*.py:*: in *")


def test_a_run_that_does_not_use_it_imports_nothing(run: pytest.Pytester) -> None:
    """After the start of pytest nothing of Oneiric is loaded but its name and the plugin, and no vendor of it."""
    run.makeconftest(
        """
        import sys

        def pytest_sessionfinish():
            vendors = ("msgspec", "opentelemetry", "prometheus_client", "pydantic", "structlog", "yaml")
            print("LOADED", *sorted(name for name in sys.modules if name.split(".")[0] in ("oneiric", *vendors)))
        """
    )
    run.makepyfile("def test_nothing(): pass")
    result = run.runpytest_subprocess("-s", "--collect-only")
    result.stdout.fnmatch_lines(["LOADED oneiric oneiric.testing oneiric.testing.plugin"])


def test_it_can_be_left_out(run: pytest.Pytester) -> None:
    """With `-p no:oneiric` there is no such fixture."""
    run.makepyfile("def test_nothing(oneiric_telemetry): pass")
    result = run.runpytest_subprocess("-p", "no:oneiric")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*fixture 'oneiric_telemetry' not found"])
