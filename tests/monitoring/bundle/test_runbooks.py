"""The runbooks as whoever is called reads them."""

from __future__ import annotations

import pytest

from oneiric.monitoring.bundle.alertmanager import WATCHDOG
from oneiric.monitoring.bundle.alerts import alerts
from oneiric.monitoring.bundle.runbooks import runbook_section
from oneiric.monitoring.config import BundleConfig, configured
from oneiric.observability.catalogue import CATALOGUE

ALERTS = {alert.name: alert for alert in alerts(BundleConfig())}
QUIET = {log.name for _, log in CATALOGUE.log_events} - {
    log.name for _, log in CATALOGUE.log_events if log.level != "debug"
}
"""The names of the log events that are written at level debug only."""


@pytest.mark.parametrize("name", ALERTS)
def test_a_search_for_lines_that_are_usually_not_written_says_so(name: str) -> None:
    """An empty answer means nothing where the lines need the level debug, and the step tells of it."""
    steps = [step for step in ALERTS[name].runbook.diagnosis if step.language == "logql"]
    needing = [step for step in steps if any(f'"{event}"' in step.code for event in QUIET)]
    assert needing == [step for step in steps if "(level debug)" in step.text]


@pytest.mark.parametrize("name", [name for name in ALERTS if name != WATCHDOG])
def test_a_runbook_tells_how_to_silence_and_when_it_is_over(name: str) -> None:
    """The command for a silence means this alert of this job alone, at the Alertmanager of the settings."""
    config = configured(("job=shop", "alertmanager_url=http://alerts:9093"))
    section = runbook_section({alert.name: alert for alert in alerts(config)}[name], config)
    assert f"amtool --alertmanager.url=http://alerts:9093 silence add alertname={name} job=shop --duration=" in section
    assert "\n- It is over when " in section


def test_the_end_of_the_silence_of_the_alerting_is_heard() -> None:
    """The dead-man's switch is never silenced: it is over when it is told of again."""
    section = runbook_section(ALERTS[WATCHDOG], BundleConfig())
    assert "silence add" not in section
    assert section.endswith("- It is over when its notices arrive again.")


@pytest.mark.parametrize(
    "name",
    ["OneiricResolutionFailures", "OneiricSwapFailures", "OneiricHealthCheckFailures", "OneiricRemoteSyncFailures"],
)
def test_what_did_not_fail_is_not_in_the_way(name: str) -> None:
    """The first question, which of them and why, leaves out the series that are initialised to zero."""
    assert ALERTS[name].runbook.diagnosis[0].code.endswith(" > 0")
