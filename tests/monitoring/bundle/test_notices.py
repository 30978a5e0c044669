"""What a real Alertmanager sends with the bundle's configuration, to whom and when: hours are seconds here."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from processes import Alertmanager, eventually, get
from sinks import MailSink, WebSink

from oneiric.monitoring.bundle import bundle, write
from oneiric.monitoring.bundle.alertmanager import receivers_of
from oneiric.monitoring.bundle.alerts import alerts
from oneiric.monitoring.bundle.notices import DEADMAN, ESCALATION, RECORD
from oneiric.monitoring.config import BundleConfig, configured

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.prometheus
SCALE = 0.001
ALERTS = {alert.name: alert for alert in alerts(BundleConfig())}
CRITICAL, WARNING = "OneiricTargetDown", "OneiricMemoryHigh"
INFO, WATCHDOG = "OneiricLogEventsSuppressed", "OneiricWatchdog"
SECRETS = {"pagerduty-platform": "the-key-of-platform", "pagerduty-escalation": "the-key-of-those-above"}
TOKEN = "the-token-of-the-webhook"


@dataclass
class Desk:
    """An Alertmanager and the services that it sends to."""

    server: Alertmanager
    web: WebSink
    post: MailSink

    def tell(self, *names: str, job: str, over: bool = False) -> None:
        """Tell Alertmanager that alerts fire in *job*, or that they no longer do."""
        moment = {"endsAt": datetime.now(UTC).isoformat()} if over else {}
        texts = {name: f"the {name} of {job}" for name in ("summary", "description", "runbook_url", "dashboard_url")}
        self.send("alerts", [{"labels": labels(name, job), "annotations": texts, **moment} for name in names])

    def send(self, what: str, body: Any) -> None:
        """Send *body* to its interface."""
        data, headers = json.dumps(body).encode(), {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.server.url}/api/v2/{what}", data=data, headers=headers)
        urllib.request.urlopen(request, timeout=60).close()

    def pages(self, job: str, key: str) -> list[dict[str, Any]]:
        """Return the events about *job* that were sent to PagerDuty with the key in the secret *key*."""
        events = [event for event in self.web.at("/page") if event["routing_key"] == SECRETS[key]]
        return [event for event in events if job in event["payload"]["custom_details"]["text"]]

    def chats(self, job: str) -> list[dict[str, Any]]:
        """Return what was written to Slack about *job*."""
        return [body for body in self.web.at("/slack-platform") if job in body["attachments"][0]["text"]]

    def mails(self, job: str, to: str) -> list[tuple[str, str]]:
        """Return subject and text of the mails about *job* to the address *to*."""
        return [(subject, text) for address, subject, text in self.post.mails if address == to and job in text]

    def notices(self, job: str) -> list[dict[str, Any]]:
        """Return what the webhook of everything was told of *job*."""
        return [body for body in self.web.at(f"/{RECORD}") if body["commonLabels"].get("job") == job]


def labels(name: str, job: str) -> dict[str, str]:
    """Return the labels of the alert *name* as it fires in *job*."""
    alert = ALERTS[name]
    return {"alertname": name, "severity": alert.severity, "team": alert.team, "job": job, "instance": f"{job}:9464"}


def started(directory: Path, *settings: str) -> Iterator[Desk]:
    """Start an Alertmanager with a bundle of *settings* and services of its own, and stop them afterwards."""
    web, post = WebSink(), MailSink()
    secrets = directory / "secrets"
    secrets.mkdir()
    for name, text in {**SECRETS, "slack-platform": f"{web.url}/slack-platform", "token": TOKEN}.items():
        (secrets / name).write_text(f"{text}\n", encoding="utf-8")  # as an editor leaves it
    files = bundle(
        configured(
            [
                f"time_scale={SCALE}",
                f"secrets_dir={secrets}",
                f"webhook_url={web.url}",
                f"webhook_token_file={secrets}/token",
                f"pagerduty_url={web.url}/page",
                f"smtp_host={post.host}",
                *settings,
            ]
        )
    )
    write(files, directory)
    server = Alertmanager.configured(directory, directory / "alertmanager" / "alertmanager.yml")
    try:
        yield Desk(server, web, post)
    finally:
        server.stop()
        web.close()
        post.close()


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """An Alertmanager with the default routes."""
    yield from started(tmp_path_factory.mktemp("desk"))


def seen(look: Any, what: str) -> Any:
    """Return what *look* finds once it finds something."""
    return eventually(look, what=what)


@pytest.mark.slow
def test_a_critical_alert_is_told_of_everywhere_and_again_to_others(desk: Desk) -> None:
    """The pager rings and the channel reads at once; who is above them when the time for an answer is over."""
    assert receivers_of(ALERTS[CRITICAL]) == (RECORD, "pager-platform", f"{ESCALATION}-platform")
    desk.tell(CRITICAL, job="loud")
    (page, *_) = seen(lambda: desk.pages("loud", "pagerduty-platform"), "the pager rings")
    assert page["payload"]["summary"] == f"[FIRING 1] {CRITICAL} (critical)"
    assert page["payload"]["severity"] == "critical"
    (chat, *_) = seen(lambda: desk.chats("loud"), "the channel reads it")
    assert chat["attachments"][0]["title_link"] == "the runbook_url of loud"
    assert "Runbook: the runbook_url of loud" in chat["attachments"][0]["text"]
    assert desk.pages("loud", "pagerduty-escalation") == []
    (mail, *_) = seen(lambda: desk.mails("loud", "platform-lead@oneiric.example"), "who is above them is told")
    assert mail[0] == f"[FIRING 1] {CRITICAL} (critical)"
    assert "Dashboard: the dashboard_url of loud" in mail[1]
    assert seen(lambda: desk.pages("loud", "pagerduty-escalation"), "their pager rings")
    assert seen(lambda: len(desk.pages("loud", "pagerduty-platform")) > 1, "the first pager rings again")


@pytest.mark.slow
def test_what_is_over_or_silenced_in_time_is_not_escalated(desk: Desk) -> None:
    """An alert that resolves, or that somebody has silenced, before the time for an answer is over goes no further."""
    desk.tell(CRITICAL, job="brief")
    desk.tell(CRITICAL, job="known")
    for job in ("brief", "known"):
        seen(lambda job=job: desk.pages(job, "pagerduty-platform"), f"the pager rings for {job}")
    now = datetime.now(UTC)
    desk.send(
        "silences",
        {
            "matchers": [{"name": "job", "value": "known", "isRegex": False}],
            "startsAt": now.isoformat(),
            "endsAt": (now + timedelta(hours=1)).isoformat(),
            "createdBy": "whoever is on call",
            "comment": "being worked on",
        },
    )
    desk.tell(CRITICAL, job="brief", over=True)
    desk.tell(CRITICAL, job="later")  # its time is over after that of the others
    seen(lambda: desk.pages("later", "pagerduty-escalation"), "what began after them is escalated")
    assert [desk.pages(job, "pagerduty-escalation") for job in ("brief", "known")] == [[], []]
    assert "resolve" in [event["event_action"] for event in desk.pages("brief", "pagerduty-platform")]


def test_warnings_are_chat_and_information_is_mail(desk: Desk) -> None:
    """A warning is written to the team's channel, information to its mailbox, and neither rings."""
    desk.tell(WARNING, INFO, job="calm")
    seen(lambda: desk.chats("calm"), "the channel reads the warning")
    seen(lambda: desk.mails("calm", "platform@oneiric.example"), "the mail comes")
    assert desk.pages("calm", "pagerduty-platform") == []


def test_the_watchdog_is_told_of_again_and_again(desk: Desk) -> None:
    """The dead-man's switch reaches its own receiver at short intervals, and no other one."""
    desk.tell(WATCHDOG, job="alive")
    seen(lambda: len(desk.web.at(f"/{DEADMAN}")) > 2, "three notices of the watchdog")
    assert desk.notices("alive") == []


def test_the_webhook_is_told_of_everything_with_its_token(desk: Desk) -> None:
    """The webhook of everything gets an alert's labels, its texts and its end, with the token from the file."""
    desk.tell(CRITICAL, job="written")
    (first, *_) = seen(lambda: desk.notices("written"), "the webhook is told")
    (alert,) = first["alerts"]
    assert alert["labels"] == labels(CRITICAL, "written")
    assert alert["annotations"]["runbook_url"] == "the runbook_url of written"
    desk.tell(CRITICAL, job="written", over=True)
    assert seen(lambda: [body for body in desk.notices("written") if body["status"] == "resolved"], "it is over")
    assert f"Bearer {TOKEN}" in desk.web.tokens


def test_the_configuration_shows_no_secret(desk: Desk) -> None:
    """Alertmanager, which masks every secret that it knows of, has nothing to mask but the address of a webhook."""
    shown = json.loads(get(f"{desk.server.url}/api/v2/status"))["config"]["original"]
    masked = {line.split(":")[0].strip(" -") for line in shown.splitlines() if "<secret>" in line}
    assert masked <= {"url"}
    assert not [secret for secret in (*SECRETS.values(), TOKEN) if secret in shown]


@pytest.mark.slow
def test_warnings_wait_for_office_hours(tmp_path: Path) -> None:
    """Outside office hours a warning is on record but in no channel, and a critical alert rings all the same."""
    now = datetime.now(UTC)
    hours = "01:00-02:00" if now.hour >= 12 else "22:00-23:00"
    for desk in started(tmp_path, f"office_hours={hours}"):
        desk.tell(WARNING, job="night")
        seen(lambda desk=desk: desk.notices("night"), "the warning is on record")
        desk.tell(CRITICAL, job="urgent")
        seen(lambda desk=desk: desk.pages("urgent", "pagerduty-escalation"), "the critical alert is escalated")
        assert desk.chats("night") == []
