"""The telemetry of a running service, expected from outside."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from services import running

from oneiric.testing import ServiceTelemetry, equals, event, metric, span

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from services import Service

SWAPS = "oneiric_lifecycle_swap_total"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with an active cache."""
    with running(tmp_path_factory.mktemp("service"), runtime={"start": ["adapter/cache"]}) as one:
        yield one


@pytest.fixture
def telemetry(service: Service) -> ServiceTelemetry:
    """Its telemetry."""
    return ServiceTelemetry(service.socket, log=service.log)


def test_a_service_is_expected_to_count_and_log(service: Service, telemetry: ServiceTelemetry) -> None:
    """Metrics move, gauges have their value, and lines come, also those that it writes after it has answered."""
    with telemetry.expect(
        metric(SWAPS, key="cache", outcome="success"),
        +1,
        metric("oneiric_lifecycle_active_info", key="cache", provider="second"),
        equals(1),
        event("swap-complete", provider="second"),
        1,
        event("control-request", command="swap"),
        metric("oneiric_control_requests_total", command="swap", outcome="success"),
        +1,
    ) as block:
        service.client.change("swap", key="cache", provider="second")
    assert block.delta(metric(SWAPS, key="cache")) == 1
    assert telemetry.value(metric("oneiric_runtime_ready")) == 1
    assert [line["provider"] for line in telemetry.events("swap-complete")] == ["second"]


def test_what_does_not_come_fails(service: Service) -> None:
    """After its patience the report says what was expected, and what came."""
    telemetry = ServiceTelemetry(service.socket, patience=0.2)
    with (
        pytest.raises(AssertionError, match=re.escape("expected  +1\n    actual    0")),
        telemetry.expect(metric(SWAPS, key="cache", outcome="failed"), +1),
    ):
        pass


@pytest.mark.parametrize(
    ("expected", "reason"),
    [
        (span("oneiric.lifecycle.swap"), "go to its collector"),
        (event("swap-complete"), "name the file that the service logs to"),
        (None, "nothing is expected"),
    ],
)
def test_what_cannot_be_read_is_refused(service: Service, expected: object, reason: str) -> None:
    """Spans, events without a log, and nothing at all are refused before the block."""
    telemetry = ServiceTelemetry(service.socket)
    with pytest.raises(TypeError, match=reason):
        telemetry.expect(*([] if expected is None else [expected]))


def test_half_a_line_waits_for_its_other_half(service: Service, tmp_path: Path) -> None:
    """A line is read once it is whole; what is no line of JSON is left out, and so is what was there before."""
    log = tmp_path / "log.jsonl"
    log.write_text('{"event": "swap-started"}\n', encoding="utf-8")
    telemetry = ServiceTelemetry(service.socket, log=log)
    with log.open("a", encoding="utf-8") as file:
        file.write('no JSON\n{"event": "swap-complete"}\n{"event": "swap-')
    first = telemetry.events()
    with log.open("a", encoding="utf-8") as file:
        file.write('failed"}\n')
    assert (first, telemetry.events()) == (
        [{"event": "swap-complete"}],
        [{"event": "swap-complete"}, {"event": "swap-failed"}],
    )
