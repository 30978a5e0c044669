"""The bundle as a whole, and the command that exports it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import promql_parser
import pytest
import yaml
from documents import ROOT
from typer.testing import CliRunner

from oneiric.cli.app import app
from oneiric.monitoring.bundle import bundle, write
from oneiric.monitoring.bundle.alerts import alerts, budget_alert_name, objectives
from oneiric.monitoring.bundle.runbooks import HANDLING, runbook_page
from oneiric.monitoring.config import BundleConfig, configured

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result


def export(*arguments: str | Path) -> Result:
    """Run `oneiric monitoring export` with *arguments*."""
    return CliRunner().invoke(app, ["monitoring", "export", *map(str, arguments)])


def test_the_defaults_are_what_is_committed(tmp_path: Path) -> None:
    """Exporting without a setting writes what stands in deploy/monitoring, and nothing else stands there."""
    done = export("--out", tmp_path)
    assert done.exit_code == 0
    committed = ROOT / "deploy" / "monitoring"
    assert contents(tmp_path) == contents(committed)
    assert done.stdout.split()[0] == str(len(contents(tmp_path)))


def contents(directory: Path) -> dict[str, str]:
    """Return the text of every file below *directory*, by its path."""
    return {
        path.relative_to(directory).as_posix(): path.read_text(encoding="utf-8")
        for path in directory.rglob("*")
        if path.is_file()
    }


def test_settings_reach_every_file(tmp_path: Path) -> None:
    """A job and a threshold of one's own are what the rules say, and the defaults are nowhere left."""
    done = export("--out", tmp_path, "--set", "job=shop", "--set", "swap_slow_seconds=60", "--set", "matchers.env=eu")
    assert done.exit_code == 0
    rules = (tmp_path / "prometheus" / "rules" / "oneiric-alerts.yml").read_text(encoding="utf-8")
    assert 'le=~"60000([.]0)?"' in rules
    assert 'up{job="shop", env="eu"} == 0' in rules
    assert 'job="oneiric"' not in rules
    assert "took more than 60 s" in rules


def test_what_a_bundle_lacks_is_said(tmp_path: Path) -> None:
    """Without an address of the documents and a domain for mails each is a warning, and with them there is none."""
    lacking = export("--out", tmp_path)
    assert [line.split(" is not set: ")[0] for line in lacking.stderr.splitlines()] == [
        "oneiric: warning: docs_url",
        "oneiric: warning: email_domain",
    ]
    whole = export("--out", tmp_path, "--set", "docs_url=https://docs.example", "--set", "email_domain=shop.example")
    assert (whole.exit_code, whole.stderr) == (0, "")


def test_a_runbook_is_linked_only_where_its_address_is_known() -> None:
    """An alert has a link of the settings' address, or none and the page's path in words, and no made-up address."""
    rules = {}
    for settings in ((), ("docs_url=https://docs.example/x/",)):
        texts = bundle(configured([*settings, "email_domain=shop.example", "email_from=a@shop.example"]))
        assert not [name for name, text in texts.items() if "oneiric.example" in text]
        document = yaml.safe_load(texts["prometheus/rules/oneiric-alerts.yml"])
        found = [rule for group in document["groups"] for rule in group["rules"] if "alert" in rule]
        rules[settings] = {rule["alert"]: rule["annotations"] for rule in found}
    for name, linked in rules[("docs_url=https://docs.example/x/",)].items():
        assert linked["runbook_url"] == f"https://docs.example/x/runbooks/ALERTS.md#{name.lower()}"
        assert "runbook_url" not in rules[()][name]
        assert rules[()][name]["runbook"] == f"{name} in docs/runbooks/ALERTS.md of the Oneiric repository"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--set", "swap_slow_second=1"], "did you mean swap_slow_seconds?"),
        (["--set", "swap_slow_seconds=x"], "--set swap_slow_seconds=x: "),
        (["--set", "job"], "must be KEY=VALUE"),
    ],
)
def test_what_cannot_be_set_is_said_and_nothing_is_written(arguments: list[str], said: str, tmp_path: Path) -> None:
    """A wrong setting ends with code 2 and one line, before a file is written."""
    done = export("--out", tmp_path / "out", *arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """Where a file stands in the way of a directory that is said in one line."""
    (tmp_path / "prometheus").write_text("in the way", encoding="utf-8")
    done = export("--out", tmp_path)
    assert done.exit_code == 2
    assert f"--out {tmp_path}: " in done.stderr
    assert isinstance(done.exception, SystemExit)


def test_a_file_that_was_there_is_replaced_whole(tmp_path: Path) -> None:
    """Writing again leaves the files as they should be, readable, and no other file of its own behind."""
    files = {"a/b.yml": "new"}
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.yml").write_text("an older and longer text", encoding="utf-8")
    (tmp_path / "a" / "mine.yml").write_text("mine", encoding="utf-8")
    write(files, tmp_path)
    assert contents(tmp_path) == {"a/b.yml": "new", "a/mine.yml": "mine"}
    assert (tmp_path / "a" / "b.yml").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("settings", [(), ("time_scale=0.01",), ("matchers.cluster=eu",)])
def test_every_expression_parses(settings: tuple[str, ...]) -> None:
    """Each rule's expression, and each query of a runbook, is PromQL."""
    config = configured(settings)
    texts = [alert.expr.text for alert in alerts(config)]
    texts += [step.code for alert in alerts(config) for step in alert.runbook.diagnosis if step.language == "promql"]
    for text in texts:
        promql_parser.parse(text)


def test_every_alert_has_its_heading_on_the_page_of_runbooks() -> None:
    """The anchor of each alert's runbook link is that of a heading."""
    page = runbook_page(BundleConfig())
    headings = {line.removeprefix("## ").lower() for line in page.splitlines() if line.startswith("## ")}
    assert headings == {alert.name.lower() for alert in alerts(BundleConfig())} | {HANDLING.lower()}


def openslo(config: BundleConfig) -> dict[str, list[dict[str, Any]]]:
    """Return the documents of the OpenSLO file, by kind."""
    found: dict[str, list[dict[str, Any]]] = {}
    for document in yaml.safe_load_all(bundle(config)["openslo/oneiric.yml"]):
        assert document.keys() == {"apiVersion", "kind", "metadata", "spec"}
        assert document["apiVersion"] == "openslo/v1"
        found.setdefault(document["kind"], []).append(document)
    return found


def test_the_objectives_are_exported_whole() -> None:
    """The OpenSLO file has every objective with its target and its burn alerts, and every reference leads somewhere."""
    config = configured(["resolution_objective=0.9995"])
    found = openslo(config)
    assert [slo["spec"]["objectives"][0]["target"] for slo in found["SLO"]] == [0.9995, 0.99]
    names = {kind: {document["metadata"]["name"] for document in documents} for kind, documents in found.items()}
    assert {name for slo in found["SLO"] for name in slo["spec"]["alertPolicies"]} == names["AlertPolicy"]
    policies = [policy["spec"] for policy in found["AlertPolicy"]]
    assert {policy["conditions"][0]["conditionRef"] for policy in policies} == names["AlertCondition"]
    assert {policy["notificationTargets"][0]["targetRef"] for policy in policies} == names["AlertNotificationTarget"]
    assert {slo["spec"]["service"] for slo in found["SLO"]} == names["Service"]
    factors = [condition["spec"]["condition"]["threshold"] for condition in found["AlertCondition"]]
    assert factors == [burn.factor for objective in objectives(config) for burn in objective.burns]
    for slo in found["SLO"]:
        ratio = slo["spec"]["indicator"]["spec"]["ratioMetric"]
        for part in ("good", "total"):
            source = ratio[part]["metricSource"]
            assert {source["metricSourceRef"]} == names["DataSource"]
            promql_parser.parse(source["spec"]["query"])


def test_burn_alerts_of_both_forms_are_the_same() -> None:
    """Each policy of the OpenSLO file has the name of an alert rule."""
    titles = {policy["metadata"]["displayName"] for policy in openslo(BundleConfig())["AlertPolicy"]}
    expected = {
        budget_alert_name(objective, burn) for objective in objectives(BundleConfig()) for burn in objective.burns
    }
    assert titles == expected <= {alert.name for alert in alerts(BundleConfig())}


def test_the_bundle_is_the_same_each_time() -> None:
    """Two exports of the same settings are equal to the byte."""
    assert json.dumps(bundle(BundleConfig())) == json.dumps(bundle(BundleConfig()))
