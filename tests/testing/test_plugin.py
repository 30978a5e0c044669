"""The plugin in test runs of its own: found without an import, under xdist, with and without OpenTelemetry."""

from __future__ import annotations

import pytest
from processes import PROGRAMS

INI = """
[pytest]
filterwarnings = error
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
addopts = -p no:anyio -p no:pytest_cov
"""
TESTS = (PROGRAMS / "plugin_users.py").read_text(encoding="utf-8")
FAILING = (PROGRAMS / "plugin_failures.py").read_text(encoding="utf-8")


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


@pytest.mark.slow
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
