"""What promtool and amtool refuse is found, in their words, at the line in the file that it is about."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from drift_seeds import marked
from processes import executable

from oneiric.monitoring.drift import Options, check

if TYPE_CHECKING:
    from pathlib import Path

    from oneiric.monitoring.drift import Finding

pytestmark = pytest.mark.prometheus

VALIDATED = Options(is_validated=True)


def told(directory: Path) -> list[Finding]:
    """Return what is found in *directory* with both programs."""
    executable("promtool", package="prometheus")
    executable("amtool", package="prometheus-alertmanager")
    outcome = check([directory], VALIDATED)
    assert outcome.notices == ()
    return list(outcome.findings)


def rule(more: str = "", *, group: str = "a", before: str = "") -> str:
    """Return a group of a rule file with one alert."""
    lines = f"- name: {group}\n  rules:\n  - alert: Down\n    expr: up == 0\n{more}"
    return before + lines


def indented(text: str) -> str:
    """Return *text* two columns further in."""
    return "".join(f"  {line}\n" for line in text.splitlines())


ROUTE = "route:\n  receiver: a\n  routes:\n  - receiver: a\n"
REFUSED = {
    "an unknown key": ("groups:\n" + rule("    «colour: red\n"), "ON013", "field colour not found"),
    "a group twice": ("groups:\n" + rule() + rule().replace("- name", "- «name"), "ON013", '"a" is repeated'),
    "a function of templates": (
        "groups:\n" + rule("    annotations:\n      summary: ok\n      «description: '{{ $value | humanise }}'\n"),
        "ON013",
        'function "humanise" not defined',
    ),
    "a key of a configuration": (
        "global:\n  scrape_interval: 15s\nscrape_configs:\n- job_name: a\n  «metric_path: /x\n",
        "ON013",
        "field metric_path not found",
    ),
    "a duration of a configuration": (
        "global:\n  «scrape_interval: 15sec\nscrape_configs:\n- job_name: a\n",
        "ON013",
        "15sec",
    ),
    "a matcher that does not compile": (
        ROUTE + '    matchers:\n    - «service=~"("\nreceivers:\n- name: a\n',
        "ON014",
        "missing closing )",
    ),
    "a time that is not defined": (
        ROUTE + "    mute_time_intervals:\n    - «nights\nreceivers:\n- name: a\n",
        "ON014",
        "undefined time interval",
    ),
    "a key of a receiver": (
        "route:\n  receiver: a\nreceivers:\n- name: a\n  «webhook_config: []\n",
        "ON014",
        "field webhook_config not found",
    ),
    "a ConfigMap": (
        "kind: ConfigMap\ndata:\n  a.yml: |\n    groups:\n" + indented(indented(rule("    «colour: red\n"))),
        "ON013",
        "field colour not found",
    ),
    "an object of Kubernetes, behind another": (
        "kind: Service\n---\nkind: PrometheusRule\nspec:\n  groups:\n" + indented(rule("    «colour: red\n")),
        "ON013",
        "field colour not found",
    ),
    "merged keys": (
        "groups:\n- name: a\n  rules:\n  - &x {alert: A, expr: up}\n  - <<: *x\n    alert: B\n    «colour: 1\n",
        "ON013",
        "field colour not found",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_server_refuses_is_found_at_its_line(name: str, tmp_path: Path) -> None:
    """A file that the server would not load is an error, in the words of the server's own program."""
    text, code, words = REFUSED[name]
    text, line, _ = marked(text)
    (tmp_path / "a.yml").write_text(text, encoding="utf-8")
    (finding,) = told(tmp_path)
    assert (finding.line, finding.code, finding.level) == (line, code, "error")
    assert words in finding.message


def test_a_defect_is_told_once(tmp_path: Path) -> None:
    """What the check has said at a line the programs do not say again."""
    text = "groups:\n" + rule("    for: 5minutes\n") + "  - alert: B\n    expr: |\n      sum(up\n"
    (tmp_path / "a.yml").write_text(text, encoding="utf-8")
    (tmp_path / "b.yml").write_text("route: {receiver: b}\nreceivers: [{name: a}]\n", encoding="utf-8")
    assert sorted(one.code for one in told(tmp_path)) == ["ON007", "ON409", "ON501"]


FOREIGN = {
    "vmalert": "groups:\n" + rule("  eval_offset: 1m\n"),
    "Thanos": "groups:\n" + rule("  partial_response_strategy: warn\n"),
    "Mimir": "namespace: x\ngroups:\n" + rule(),
    "Loki": 'groups:\n- name: a\n  rules:\n  - record: a:b:c\n    expr: \'sum(rate({app="x"} |= "y" [1m]))\'\n',
    "vmagent": "scrape_configs:\n- job_name: a\n  stream_parse: true\n",
    "a template": "route: {receiver: a}\nreceivers: [{name: a, webhook_configs: [{url: '<your url>'}]}]\n",
    "variables": "route: {receiver: a}\nreceivers: [{name: a, webhook_configs: [{url: '${URL}'}]}]\n",
    "a rule twice": "groups:\n" + rule() + rule(group="b"),
    "notices": "route: {receiver: a}\nreceivers: [{name: a, webhook_configs: [{url: 'http://x/', max_alerts: 3}]}]\n",
}


@pytest.mark.parametrize("name", FOREIGN)
def test_what_another_server_reads_is_not_held_against_prometheus(name: str, tmp_path: Path) -> None:
    """Files for servers that read more, and those that are not finished, are not given to the programs."""
    (tmp_path / "a.yml").write_text(FOREIGN[name], encoding="utf-8")
    assert told(tmp_path) == []


def test_a_function_that_this_promtool_lacks_is_a_note(tmp_path: Path) -> None:
    """Another version, or a server like Prometheus, may have it."""
    (tmp_path / "a.yml").write_text("groups:\n" + rule().replace("up == 0", "range_avg(up) == 0"), encoding="utf-8")
    assert [(one.line, one.code, one.level) for one in told(tmp_path)] == [(5, "ON013", "note")]


def test_without_the_programs_one_line_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not on the path is not asked, and the outcome says for how many files."""
    (tmp_path / "a.yml").write_text("groups:\n" + rule("    colour: red\n"), encoding="utf-8")
    (tmp_path / "b.yml").write_text("route: {receiver: a}\nreceivers: [{name: a}]\n", encoding="utf-8")
    monkeypatch.setenv("PATH", str(tmp_path))
    outcome = check([tmp_path], VALIDATED)
    assert outcome.findings == ()
    assert outcome.notices == (
        "1 rule file not validated: promtool is not on the path",
        "1 Alertmanager configuration not validated: amtool is not on the path",
    )


def test_a_program_that_hangs_or_talks_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program has a time limit, and no more is read of what it says than can be shown."""
    (tmp_path / "a.yml").write_text("groups:\n" + rule(), encoding="utf-8")
    program = tmp_path / "promtool"
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr("oneiric.monitoring.drift.documents.validators.TIMEOUT_SECONDS", 0.2)
    program.write_text("#!/bin/sh\nexec sleep 60\n", encoding="utf-8")
    program.chmod(0o755)
    assert check([tmp_path], VALIDATED).notices == ("1 rule file not validated: promtool took longer than 0.2 s",)
    monkeypatch.setattr("oneiric.monitoring.drift.documents.validators.TIMEOUT_SECONDS", 60)
    monkeypatch.setattr("oneiric.monitoring.drift.documents.validators.MAX_OUTPUT_BYTES", 5_000)
    program.write_text(
        '#!/bin/sh\necho "Checking $4"\necho "  FAILED:"\nyes "$4: $(printf %09000d 0)" | head -n 9\n', "utf-8"
    )
    (finding,) = check([tmp_path], VALIDATED).findings
    assert len(finding.message) < 600


def fires(rules: Path, series: str, times: dict[str, bool]) -> str:
    """Return what `promtool test rules` finds wrong with the alert of *rules* firing at *times* as they say."""
    alerts: list[dict[str, Any]] = [
        {"eval_time": time, "alertname": "A", "exp_alerts": [{"exp_labels": {"domain": "x"}}] if is_firing else []}
        for time, is_firing in times.items()
    ]
    inputs = [{"series": 'oneiric_lifecycle_rollbacks_total{domain="x"}', "values": series}]
    tests = [{"interval": "1m", "input_series": inputs, "alert_rule_test": alerts}]
    document = {"rule_files": [rules.name], "evaluation_interval": "1m", "tests": tests}
    (rules.parent / "test.json").write_text(json.dumps(document), encoding="utf-8")
    program = executable("promtool", package="prometheus")
    done = subprocess.run(
        [program, "test", "rules", "test.json"], cwd=rules.parent, capture_output=True, text=True, check=False
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_one_event_never_fires_what_waits_longer_than_its_window(tmp_path: Path) -> None:
    """ON307 says that one event is not enough, and that events that keep coming are: so it is for Prometheus."""
    rules = tmp_path / "rules.yml"
    query = "increase(oneiric_lifecycle_rollbacks_total[5m]) > 0"
    rules.write_text(f"groups:\n- name: a\n  rules:\n  - alert: A\n    expr: {query}\n    for: 10m\n", encoding="utf-8")
    assert [(one.code, one.level) for one in check([rules]).findings if one.code != "ON304"] == [("ON307", "warning")]
    assert fires(rules, "0x10 1x40", {f"{minute}m": False for minute in range(0, 50, 5)}) == ""
    assert fires(rules, "0+1x60", {"5m": False, "30m": True}) == ""


def test_a_rate_that_lasts_fires_however_long_it_must(tmp_path: Path) -> None:
    """`rate(...) > 0` with a long `for` asks for events that go on, and fires on them: no finding."""
    rules = tmp_path / "rules.yml"
    query = "rate(oneiric_lifecycle_rollbacks_total[5m]) > 0"
    rules.write_text(f"groups:\n- name: a\n  rules:\n  - alert: A\n    expr: {query}\n    for: 15m\n", encoding="utf-8")
    assert check([rules]).findings == ()
    assert fires(rules, "0+1x60", {"10m": False, "30m": True}) == ""
