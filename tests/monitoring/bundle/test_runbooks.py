"""The runbooks as whoever is called reads them."""

from __future__ import annotations

import re

import pytest
import yaml

from oneiric.monitoring.bundle.alerts import alerts
from oneiric.monitoring.bundle.prometheus import files
from oneiric.monitoring.bundle.runbooks import runbook_page, runbook_section
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


def test_the_page_says_once_how_to_silence() -> None:
    """The command for a silence names the job and the Alertmanager of the settings, and every section links to it."""
    page = runbook_page(configured(("job=shop", "alertmanager_url=http://alerts:9093")))
    assert page.count("amtool --alertmanager.url=http://alerts:9093 silence add alertname=ALERT job=shop ") == 1
    assert page.count("(#acknowledge-silence-resolve)") == len(ALERTS)
    assert page.count("\n## Acknowledge, silence, resolve\n") == 1


@pytest.mark.parametrize("name", ALERTS)
def test_a_runbook_says_why_it_fires_when_it_ends_and_whether_it_may_be_silenced(name: str) -> None:
    """The threshold with what is normal, the end, and when a silence is safe stand before the diagnosis."""
    head, _, _ = runbook_section(ALERTS[name], BundleConfig()).partition("**Diagnosis**")
    assert re.search(
        r"\n- Threshold: .*Normal: .*\n- Resolved (when|as soon as) .*\n- Silence: (Safe|Not safe|Never)", head
    )


@pytest.mark.parametrize("name", ALERTS)
def test_a_search_of_the_log_has_a_form_without_loki(name: str) -> None:
    """Each step in LogQL has a command beside it that finds the lines of the same event."""
    for step in ALERTS[name].runbook.diagnosis:
        assert (step.language == "logql") == bool(step.command)
        if step.command:
            event = re.search(r"--event (\S+)", step.command)
            assert event is not None
            assert f'|= "{event[1]}"' in step.code


def test_another_runbook_is_a_link() -> None:
    """Where a step leads to another alert, it links to its heading."""
    page = runbook_page(BundleConfig())
    links = set(re.findall(r"\[(Oneiric\w+)\]\(#(\w+)\)", page))
    assert {name for name, _ in links} == ALERTS.keys()
    assert all(anchor == name.lower() for name, anchor in links)
    assert not re.search(r"[Gg]o to Oneiric", page)


@pytest.mark.parametrize("name", ALERTS)
def test_a_notice_ends_with_what_it_means_for_users(name: str) -> None:
    """The description in the exported rule says what is broken first, and the impact last."""
    rules = yaml.safe_load(files(BundleConfig())["prometheus/rules/oneiric-alerts.yml"])
    (rule,) = [rule for group in rules["groups"] for rule in group["rules"] if rule.get("alert") == name]
    assert rule["annotations"]["description"] == f"{ALERTS[name].description} {ALERTS[name].runbook.impact}"


@pytest.mark.parametrize(
    "name",
    ["OneiricResolutionFailures", "OneiricSwapFailures", "OneiricHealthCheckFailures", "OneiricRemoteSyncFailures"],
)
def test_what_did_not_fail_is_not_in_the_way(name: str) -> None:
    """The first question, which of them and why, leaves out the series that are initialised to zero."""
    assert ALERTS[name].runbook.diagnosis[0].code.endswith(" > 0")
