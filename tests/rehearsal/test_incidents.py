"""Every alert end to end: a fault in a real runtime, a real Prometheus and Alertmanager, and the notice that arrives.

The bundle's rules are used as they are exported; its own settings make minutes fractions of a second.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import pytest
from incidents import Incidents, page
from processes import eventually

from oneiric.monitoring.bundle.alerts import alerts
from oneiric.monitoring.config import BundleConfig
from oneiric.rehearsal.drills import SCENARIOS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from incidents import Notice

pytestmark = [pytest.mark.prometheus, pytest.mark.slow]
ALERTS = {alert.name: alert for alert in alerts(BundleConfig())}
WATCHDOG = "OneiricWatchdog"
REHEARSED = [(name, alert) for name, scenario in SCENARIOS.items() for alert in scenario.alerts]
ELSEWHERE = "OneiricReplicaLags"
"""Needs a database that replicas share; tests/runtime/test_replicas.py takes one replica's connection."""
INTERMITTENT = {"resolution-budget-slow", "sync-budget-slow"}
"""Scenarios with a fault that is there now and then: their alerts may resolve before its end, where work is slow."""
SECONDS = 90
"""How long a notice may take, for each second between two scrapes."""


@pytest.fixture(scope="module")
def incidents(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Incidents]:
    """All incidents: begun, told of, ended, and told of again."""
    incidents = Incidents.start(tmp_path_factory.mktemp("incidents"))
    patience = SECONDS * incidents.interval
    try:
        eventually(lambda: not firing(incidents), what="nothing is wrong before the faults", seconds=patience)
        incidents.begin()
        wait(lambda job, name: incidents.desk.told(name, job, status="firing", since=incidents.began), patience)
        incidents.end()
        wait(lambda job, name: resolved(incidents, job, name), patience)
        yield incidents
    finally:
        incidents.stop()


def firing(incidents: Incidents) -> list[str]:
    """Return the alerts that fire now, but for the one that always does."""
    query = f'ALERTS{{alertstate="firing", alertname!="{WATCHDOG}"}}'
    return [sample["metric"]["alertname"] for sample in incidents.prometheus.query(query)]


def wait(notice: Callable[[str, str], Notice | None], seconds: float) -> None:
    """Wait until there is a *notice* of every job and alert, or it takes too long, which the tests then tell of."""
    deadline = time.monotonic() + seconds
    while not all(notice(job, name) for job, name in REHEARSED) and time.monotonic() < deadline:
        time.sleep(0.2)


def resolved(incidents: Incidents, job: str, name: str) -> Notice | None:
    """Return the notice that the alert *name* of *job* is resolved for good, or None while there is none."""
    since = incidents.began if job in INTERMITTENT else incidents.ended
    notice = incidents.desk.last(name, job, since=since)
    return notice if notice is not None and notice["status"] == "resolved" else None


def test_every_alert_is_rehearsed() -> None:
    """Each alert but the dead-man's switch has an incident here, or a test of its own, and each incident an alert."""
    assert {alert for _, alert in REHEARSED} | {WATCHDOG, ELSEWHERE} == ALERTS.keys()
    assert all(scenario.alerts for scenario in SCENARIOS.values())


@pytest.mark.parametrize(("job", "name"), REHEARSED)
def test_an_alert_fires_is_told_of_and_resolves(job: str, name: str, incidents: Incidents) -> None:
    """A fault makes the notice arrive, with its labels and links that lead somewhere, and so does the fault's end."""
    notice = incidents.desk.told(name, job, status="firing", since=incidents.began)
    assert notice is not None, f"{name} was not told of; firing: {firing(incidents)}"
    alert = ALERTS[name]
    labels = notice["labels"]
    assert (labels["severity"], labels["team"], notice["receiver"]) == (alert.severity, alert.team, "record")
    assert labels.keys() == {"alertname", "severity", "team", *alert.expr.labels}
    assert headings(page(notice["annotations"]["runbook_url"])) >= {name}
    assert notice["annotations"]["runbook_url"].endswith(f"#{name.lower()}")
    assert "<no value>" not in str(notice["annotations"])
    end = resolved(incidents, job, name)
    assert end is not None, f"{name} did not resolve; last: {incidents.desk.last(name, job, since=incidents.began)}"
    assert end["labels"].keys() == labels.keys()


def headings(markdown: str) -> set[str]:
    """Return the texts of the headings of *markdown*."""
    return set(re.findall(r"^#+ (.+)$", markdown, re.MULTILINE))


def test_the_watchdog_is_heard_of_all_the_time(incidents: Incidents) -> None:
    """The dead-man's switch reaches its own receiver, again and again."""
    heard = [notice for notice in incidents.desk.notices if notice["labels"]["alertname"] == WATCHDOG]
    assert {notice["receiver"] for notice in heard} == {"deadman"}
    assert len(heard) > 1


@pytest.mark.parametrize("job", SCENARIOS)
def test_a_fault_sets_off_nothing_else(job: str, incidents: Incidents) -> None:
    """While a fault lasts nothing is told of its job but what its scenario says, on a machine that keeps up."""
    told = {
        notice["labels"]["alertname"]
        for notice in incidents.desk.notices
        if notice["labels"].get("job") == job
        and notice["receiver"] == "record"
        and incidents.began <= notice["at"] < incidents.ended
        and notice["status"] == "firing"
    }
    slow_machine = {"OneiricTargetDown", "OneiricRemoteSyncStale"}  # what has a second here may take longer
    assert told - slow_machine <= {*SCENARIOS[job].alerts, *SCENARIOS[job].also}
