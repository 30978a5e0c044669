"""The pytest plugin: the fixture ``oneiric_telemetry``, found by its entry point.

pytest imports this module at the start of every run, so it imports nothing else until the fixture is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    __tracebackhide__ = True
    from oneiric.testing.capture import TelemetryCapture

_FAILED = pytest.StashKey[bool]()


@pytest.fixture
def oneiric_telemetry(request: pytest.FixtureRequest) -> Iterator[TelemetryCapture]:
    """Capture what Oneiric counts, logs and traces: expect(...), value(...), events(...), spans(...), attach(...)."""
    __tracebackhide__ = True
    from oneiric.testing.capture import TelemetryCapture  # noqa: PLC0415 - whoever does not use it pays nothing

    capture = TelemetryCapture()
    try:
        yield capture
    finally:
        capture.close(failed=_FAILED in request.node.stash)


def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """Remember that a test failed by an error of its own."""
    if call.when == "call" and call.excinfo is not None:
        item.stash[_FAILED] = True
