"""What `export --merge` prints, put into somebody else's configurations as the guides say, and judged by the tools."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from bundles import exported
from processes import Alertmanager, eventually, executable
from typer.testing import CliRunner

from oneiric.cli.app import app
from oneiric.monitoring.bundle import bundle, write
from oneiric.monitoring.bundle.alertmanager import receivers_of
from oneiric.monitoring.bundle.alerts import alerts
from oneiric.monitoring.bundle.merging import PREFIX, merge_text
from oneiric.monitoring.config import BundleConfig, configured

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typer.testing import Result

EXISTING = Path(__file__).parent / "existing"
SETTINGS = {
    "defaults": (),
    "a user's own": (
        "job=shop",
        "matchers.cluster=eu",
        "metrics_path=/internal/metrics",
        "office_hours=09:00-17:00",
        "smtp_host=mail.example:587",
        "smtp_username=oneiric@mail.example",
    ),
}
ALERTS = {alert.name: alert for alert in alerts(BundleConfig())}
FOREIGN = {
    ("alertname=NodeDown", "severity=critical", "team=platform"): "record,pager-platform",
    ("alertname=SlowQueries", "severity=critical", "service=mysql"): "record,database",
    ("alertname=DiskFills", "severity=warning", "job=oneiric"): "record,chat",
    ("alertname=Watchdog", "severity=info"): "record,nobody",
    ("alertname=Other",): "record",
    ("alertname=NotOneiric", "severity=critical", "team=release"): "record,pager-platform",
}
"""Labels of alerts of the shop's own, and who is notified of them before anything is merged."""


def merged(directory: Path, settings: Sequence[str] = ()) -> Path:
    """Merge the snippets for *settings* into a copy of the existing files in *directory*, and return the directory."""
    config = configured(settings)
    place = shutil.copytree(EXISTING, directory / "etc")
    files = exported(settings)
    prefixes = ("prometheus/rules/", "alertmanager/templates/")
    write({Path(name).name: text for name, text in files.items() if name.startswith(prefixes)}, place / "oneiric")
    prometheus, alertmanager, *_ = yaml.safe_load_all(merge_text(config))
    for name, snippet in (("prometheus.yml", prometheus), ("alertmanager.yml", alertmanager)):
        document = yaml.safe_load((place / name).read_text(encoding="utf-8"))
        if route := snippet.pop("route", None):
            document["route"]["routes"][:0] = route["routes"]
        for key, added in snippet.items():
            document[key] = [*document[key], *added]
        (place / name).write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return place


def run(name: str, package: str, *arguments: str | Path) -> str:
    """Return what the program *name* of Debian's *package* says; it must succeed."""
    program = executable(name, package=package)
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def routed(configuration: Path, receivers: str, *labels: str) -> None:
    """Assert that an alert with *labels* goes to just the *receivers*, in this order."""
    options = (f"--config.file={configuration}", f"--verify.receivers={receivers}")
    run("amtool", "prometheus-alertmanager", "config", "routes", "test", *options, *labels)


@pytest.mark.prometheus
@pytest.mark.parametrize("settings", SETTINGS)
def test_promtool_accepts_what_was_merged(settings: str, tmp_path: Path) -> None:
    """Prometheus reads somebody else's configuration with our job and our rules, and still has all that was there."""
    place = merged(tmp_path, SETTINGS[settings])
    said = run("promtool", "prometheus", "check", "config", "--lint=all", "--lint-fatal", place / "prometheus.yml")
    rules = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in (place / "oneiric").glob("*.yml")]
    counts = [sum(len(group["rules"]) for group in document["groups"]) for document in rules]
    assert all(f"SUCCESS: {count} rules found" in said for count in (*counts, 2))
    document = yaml.safe_load((place / "prometheus.yml").read_text(encoding="utf-8"))
    before = yaml.safe_load((EXISTING / "prometheus.yml").read_text(encoding="utf-8"))
    assert document["scrape_configs"][:-1] == before["scrape_configs"]
    assert {**document, "scrape_configs": [], "rule_files": []} == {**before, "scrape_configs": [], "rule_files": []}


def test_intervals_of_others_change_nothing_of_ours(tmp_path: Path) -> None:
    """The job and every group of rules have the intervals that their windows were made for, whatever is global."""
    place = merged(tmp_path, ["scrape_interval_seconds=5", "evaluation_interval_seconds=10"])
    job = yaml.safe_load((place / "prometheus.yml").read_text(encoding="utf-8"))["scrape_configs"][-1]
    assert (job["scrape_interval"], job["scrape_timeout"]) == ("5s", "5s")
    for path in (place / "oneiric").glob("*.yml"):
        groups = yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
        assert all("interval" in group for group in groups)
        assert "10s" in {group["interval"] for group in groups}


@pytest.mark.prometheus
@pytest.mark.parametrize("settings", SETTINGS)
def test_amtool_accepts_what_was_merged(settings: str, tmp_path: Path) -> None:
    """Alertmanager reads somebody else's configuration with our routes, receivers, intervals and templates."""
    place = merged(tmp_path, SETTINGS[settings])
    text = (place / "alertmanager.yml").read_text(encoding="utf-8")
    assert text.count("office-hours") == (2 if settings == "defaults" else 11)
    said = run("amtool", "prometheus-alertmanager", "check-config", place / "alertmanager.yml")
    assert "SUCCESS" in said


@pytest.fixture(scope="module")
def routes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Somebody else's alertmanager.yml with the snippet for the default settings."""
    return merged(tmp_path_factory.mktemp("merged")) / "alertmanager.yml"


@pytest.mark.prometheus
@pytest.mark.parametrize("labels", FOREIGN, ids=lambda labels: labels[0])
def test_alerts_of_others_go_where_they_went(labels: tuple[str, ...], routes: Path) -> None:
    """An alert that is not of the bundle has the same receivers before and after, those of names that both have too."""
    routed(EXISTING / "alertmanager.yml", FOREIGN[labels], *labels)
    routed(routes, FOREIGN[labels], *labels)


@pytest.mark.prometheus
@pytest.mark.parametrize("name", ALERTS)
def test_our_alerts_go_to_our_receivers(name: str, routes: Path) -> None:
    """Each alert of the bundle has the receivers that it has in an Alertmanager of its own, and none of the others."""
    alert = ALERTS[name]
    labels = (f"alertname={name}", f"severity={alert.severity}", f"team={alert.team}", "job=oneiric", "instance=a:1")
    routed(routes, ",".join(PREFIX + receiver for receiver in receivers_of(alert)), *labels)


@pytest.mark.prometheus
def test_our_inhibitions_hold_back_no_alert_of_others(routes: Path, tmp_path: Path) -> None:
    """While a target of ours is down, warnings of the bundle about it are held back, and others about it are not."""
    server = Alertmanager.configured(tmp_path, routes)
    about = {"job": "oneiric", "instance": "a:1"}
    try:
        server.post(
            {"alertname": "OneiricTargetDown", "severity": "critical", **about},
            {"alertname": "OneiricHookErrors", "severity": "warning", **about},
            {"alertname": "DiskFills", "severity": "warning", **about},
        )

        def held() -> set[str]:
            return {alert["labels"]["alertname"] for alert in server.alerts() if alert["status"]["inhibitedBy"]}

        def settled() -> bool:
            states = [alert["status"]["state"] for alert in server.alerts()]
            return len(states) == 3 and "unprocessed" not in states and bool(held())

        eventually(settled, what="Alertmanager has judged the three alerts", seconds=60)
        assert held() == {"OneiricHookErrors"}
    finally:
        server.stop()


def test_names_of_ours_meet_no_names_of_others(routes: Path) -> None:
    """Every receiver that was added begins with the prefix, and has what is global in the bundle within itself."""
    document = yaml.safe_load(routes.read_text(encoding="utf-8"))
    before = yaml.safe_load((EXISTING / "alertmanager.yml").read_text(encoding="utf-8"))
    added = document["receivers"][len(before["receivers"]) :]
    assert {receiver["name"].startswith(PREFIX) for receiver in added} == {True}
    assert document["global"] == before["global"]
    for receiver in added:
        assert all(mail["smarthost"] == "localhost:25" for mail in receiver.get("email_configs", ()))
        assert all("pagerduty.com" in page["url"] for page in receiver.get("pagerduty_configs", ()))


def test_the_rest_is_for_grafana_and_for_pods() -> None:
    """The provider is the bundle's own, and the annotations name the port and the path that are scraped."""
    config = configured(["targets=10.0.0.7:9000", "metrics_path=/internal/metrics", "scrape_ca_file=/etc/ca.pem"])
    *_, provider, pod = yaml.safe_load_all(merge_text(config))
    assert provider == yaml.safe_load(bundle(config)["grafana/provisioning/dashboards/oneiric.yml"])
    assert pod["metadata"]["annotations"] == {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": "9000",
        "prometheus.io/path": "/internal/metrics",
        "prometheus.io/scheme": "https",
    }


def export(*arguments: str | Path, cwd: Path) -> Result:
    """Run `oneiric monitoring export` with *arguments* in the directory *cwd*."""
    with contextlib.chdir(cwd):
        return CliRunner().invoke(app, ["monitoring", "export", *map(str, arguments)])


def test_merging_prints_and_writes_nothing(tmp_path: Path) -> None:
    """`--merge` alone prints the snippets, which are YAML as a whole, and leaves every file alone."""
    done = export("--merge", "--set", "job=shop", cwd=tmp_path)
    assert done.exit_code == 0
    assert done.stdout == merge_text(configured(["job=shop"]))
    assert [*tmp_path.iterdir()] == []


def test_merging_beside_a_bundle_prints_nothing_else(tmp_path: Path) -> None:
    """With `--out` the bundle is written too, and how many files it has is no part of the snippets."""
    done = export("--merge", "--out", "bundle", cwd=tmp_path)
    assert done.stdout == merge_text(BundleConfig())
    assert f"{len(bundle(BundleConfig()))} files in bundle" in done.stderr
    assert (tmp_path / "bundle" / "prometheus" / "rules" / "oneiric-alerts.yml").is_file()


def test_an_export_to_nowhere_says_what_there_is(tmp_path: Path) -> None:
    """Without a directory and without merging there is nothing to do, and both are named."""
    done = export(cwd=tmp_path)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "--out DIR" in done.stderr
    assert "--merge" in done.stderr
