"""Alertmanager's configuration, judged by amtool and by a real Alertmanager: who is told, and what is not told of."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from bundles import exported
from documents import ROOT
from processes import Alertmanager, eventually, executable

from oneiric.monitoring.bundle import bundle, write
from oneiric.monitoring.bundle.alertmanager import receivers_of
from oneiric.monitoring.bundle.alerts import alerts
from oneiric.monitoring.config import BundleConfig, configured

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from oneiric.monitoring.rules import Alert

START, END = "2026-02-03T04:05:06Z", "2026-02-03T05:06:07Z"
CONFIG = BundleConfig()
ALERTS = {alert.name: alert for alert in alerts(CONFIG)}
WATCHDOG = "OneiricWatchdog"
VALUES = {"job": "oneiric", "instance": "a:9464", "domain": "adapter", "key": "cache", "source": "shop"}


@pytest.fixture(scope="module")
def configuration(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file with the default configuration."""
    directory = tmp_path_factory.mktemp("bundle")
    write(exported(), directory)
    return directory / "alertmanager" / "alertmanager.yml"


def labels_of(alert: Alert, **values: str) -> dict[str, str]:
    """Return the labels of *alert* as it fires for one series."""
    own = {name: value for name, value in (VALUES | values).items() if name in alert.expr.labels}
    return {"alertname": alert.name, "severity": alert.severity, "team": alert.team, **own}


def amtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run amtool and return how it ended."""
    program = executable("amtool", package="prometheus-alertmanager")
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False)


@pytest.mark.prometheus
@pytest.mark.parametrize(
    "settings",
    [
        (),
        ("time_scale=0.01", "smtp_username=oneiric@mail.example", "smtp_host=mail.example:587", "matchers.env=eu"),
        ("office_hours=09:00-17:30", "office_timezone=Europe/Berlin", "webhook_token_file=/run/token"),
    ],
)
def test_amtool_accepts_the_configuration(settings: tuple[str, ...], tmp_path: Path) -> None:
    """Alertmanager reads the configuration and its templates."""
    write(exported(settings), tmp_path)
    done = amtool("check-config", tmp_path / "alertmanager" / "alertmanager.yml")
    assert (done.returncode, "SUCCESS" in done.stdout) == (0, True), done.stdout + done.stderr


def told(name: str) -> list[str]:
    """Return the receivers that the guide's table names for the alert *name*, in its order."""
    guide = (ROOT / "docs" / "monitoring" / "ALERTING_SETUP.md").read_text(encoding="utf-8")
    (row,) = [line for line in guide.splitlines() if line.startswith(f"| [{name}](")]
    return re.findall(r"`([a-z-]+)`", row)


@pytest.mark.prometheus
@pytest.mark.parametrize("name", ALERTS)
def test_every_alert_is_routed_to_its_receivers(name: str, configuration: Path) -> None:
    """An alert's labels lead to just the receivers that the guide names for it."""
    receivers = ",".join(told(name))
    assert receivers == ",".join(receivers_of(ALERTS[name]))
    labels = [f"{label}={value}" for label, value in labels_of(ALERTS[name]).items()]
    done = amtool(
        "config", "routes", "test", f"--config.file={configuration}", f"--verify.receivers={receivers}", *labels
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.prometheus
def test_an_alert_of_nobody_still_reaches_somebody(configuration: Path) -> None:
    """An alert without a team goes to the platform team."""
    done = amtool("config", "routes", "test", f"--config.file={configuration}", "alertname=Other")
    assert done.stdout.strip() == "record,mail-platform"


@pytest.fixture(scope="module")
def alertmanager(configuration: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alertmanager]:
    """A real Alertmanager with the default configuration."""
    server = Alertmanager.configured(tmp_path_factory.mktemp("alertmanager"), configuration)
    try:
        yield server
    finally:
        server.stop()


def expect_inhibited(server: Alertmanager, job: str, names: set[str]) -> None:
    """Wait until the server holds back just the alerts with these *names* of *job*."""

    def look() -> bool:
        mine = [alert for alert in server.alerts() if alert["labels"].get("job") == job]
        processed = mine and all(alert["status"]["state"] != "unprocessed" for alert in mine)
        held = {alert["labels"]["alertname"] for alert in mine if alert["status"]["inhibitedBy"]}
        return bool(processed) and held == names

    eventually(look, what=f"of {job} only {names or 'nothing'} is held back")


CRITICAL = [alert.name for alert in ALERTS.values() if alert.inhibits]


@pytest.mark.prometheus
@pytest.mark.parametrize("name", CRITICAL)
def test_a_critical_alert_holds_back_its_warnings(name: str, alertmanager: Alertmanager) -> None:
    """While a critical alert fires, the warnings it explains are not told of for the same labels, but for others."""
    alert = ALERTS[name]
    assert alert.severity == "critical"
    warnings = [ALERTS[other] for other in alert.inhibits]
    assert {warning.severity for warning in warnings} == {"warning"}
    same, other = f"same-{name}", f"other-{name}"
    alertmanager.post(
        labels_of(alert, job=same),
        *(labels_of(warning, job=same) for warning in warnings),
        *(labels_of(warning, job=other) for warning in warnings),
    )
    expect_inhibited(alertmanager, same, {*alert.inhibits})
    expect_inhibited(alertmanager, other, set())


@pytest.mark.prometheus
def test_a_target_that_is_down_holds_back_the_rest_of_it(alertmanager: Alertmanager) -> None:
    """Warnings of an instance that is down are not told of; what is critical, or has no instance, is."""
    names = ("OneiricTargetDown", "OneiricHookErrors", "OneiricDigestMismatch", "OneiricSwapFailures", WATCHDOG)
    neighbour = labels_of(ALERTS["OneiricCacheDiskUsageHigh"], job="down", instance="b:9464")
    alertmanager.post(*(labels_of(ALERTS[name], job="down") for name in names), neighbour)
    expect_inhibited(alertmanager, "down", {"OneiricHookErrors"})
    watchdog = [alert for alert in alertmanager.alerts() if alert["labels"]["alertname"] == WATCHDOG]
    assert [alert["status"]["inhibitedBy"] for alert in watchdog] == [[]]


def test_secrets_stand_in_files_only() -> None:
    """No field of the configuration that Alertmanager takes for a secret is there but as the path of a file."""
    text = bundle(configured(["smtp_username=oneiric@mail.example"]))["alertmanager/alertmanager.yml"]
    secret = re.compile(r"(api_url|routing_key|service_key|password|bearer_token|credentials|secret)$")
    assert not [key for key in keys(yaml.safe_load(text)) if secret.search(key)]
    assert [key for key in keys(yaml.safe_load(text)) if key.endswith("_file")]


def keys(node: Any) -> list[str]:
    """Return every key in *node*, at any depth."""
    if isinstance(node, dict):
        return [*node, *(key for value in node.values() for key in keys(value))]
    return [key for value in node for key in keys(value)] if isinstance(node, list) else []


@pytest.mark.prometheus
@pytest.mark.parametrize(
    ("status", "title"), [("firing", "[FIRING 1] OneiricX (critical)"), ("resolved", "[RESOLVED] OneiricX (critical)")]
)
@pytest.mark.parametrize("runbook", ["runbook_url", "runbook"])
def test_what_a_notice_says(status: str, title: str, runbook: str, configuration: Path, tmp_path: Path) -> None:
    """A notice has the title, the sentences, the time and both links of each alert, or the runbook's page in words."""
    annotations = {name: f"the {name}" for name in ("summary", "description", runbook, "dashboard_url")}
    data = {
        "status": status,
        "groupLabels": {"alertname": "OneiricX"},
        "commonLabels": {"severity": "critical"},
        "alerts": [{"status": status, "annotations": annotations, "startsAt": START, "endsAt": END}],
    }
    (tmp_path / "data.json").write_text(json.dumps(data), encoding="utf-8")
    rendered = [
        amtool(
            "template",
            "render",
            f"--template.glob={configuration.parent / 'templates' / '*.tmpl'}",
            f"--template.data={tmp_path / 'data.json'}",
            f'--template.text={{{{ template "oneiric.{part}" . }}}}',
        ).stdout.strip()
        for part in ("title", "text")
    ]
    when = {"firing": "Since: 2026-02-03 04:05:06 UTC", "resolved": "Resolved: 2026-02-03 05:06:07 UTC"}[status]
    text = f"the summary\nthe description\n{when}\nRunbook: the {runbook}\nDashboard: the dashboard_url"
    assert rendered == [title, text]


@pytest.mark.prometheus
def test_the_address_of_a_watching_service_can_be_a_secret(tmp_path: Path) -> None:
    """Where the watchdog's notices go may stand in a file, for an Alertmanager that has the field."""
    write(bundle(configured(["deadman_url_file=/run/deadman"])), tmp_path)
    done = amtool("check-config", tmp_path / "alertmanager" / "alertmanager.yml")
    said = done.stdout + done.stderr
    assert done.returncode == 0 or "field url_file not found" in said, said
