"""Every alert, judged by `promtool test rules`: silent just below its threshold, firing just above it, silent after."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from processes import executable
from timelines import DAY, NONE, TIMELINES, A, P, Timeline, growing, held

from oneiric.monitoring.bundle import bundle
from oneiric.monitoring.bundle.alerts import alerts
from oneiric.monitoring.config import BundleConfig

if TYPE_CHECKING:
    from pathlib import Path

    from oneiric.monitoring.rules import Alert

pytestmark = [pytest.mark.prometheus, pytest.mark.slow]
ALERTS = {alert.name: alert for alert in alerts(BundleConfig())}
WATCHDOG = "OneiricWatchdog"
RELEASE = {"job": "oneiric", "severity": "critical", "team": "release"}


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory in which each alert's group has a file of its own: promtool evaluates all that it is given."""
    directory = tmp_path_factory.mktemp("rules")
    document = yaml.safe_load(bundle(BundleConfig())["prometheus/rules/oneiric-alerts.yml"])
    for group in document["groups"]:
        for rule in group["rules"]:
            if "alert" in rule:
                (directory / f"{rule['alert']}.yml").write_text(yaml.safe_dump({"groups": [group]}), encoding="utf-8")
    return directory


def judge(rules: Path, name: str, document: dict[str, Any]) -> str:
    """Return what `promtool test rules` finds wrong with *document* of the group with the alert *name*."""
    test = rules / f"{name}.json"  # JSON is YAML
    test.write_text(json.dumps({"rule_files": [f"{name}.yml"], **document}), encoding="utf-8")
    program = executable("promtool", package="prometheus")
    done = subprocess.run([program, "test", "rules", test], capture_output=True, text=True, check=False)
    assert done.returncode == 0 or "FAILED" in done.stdout + done.stderr
    return "" if done.returncode == 0 else done.stdout + done.stderr


def fired(alert: Alert, timeline: Timeline) -> dict[str, Any]:
    """Return how promtool writes *alert* firing as *timeline* says."""
    config = BundleConfig()
    return {
        "exp_labels": {"severity": alert.severity, "team": alert.team, **timeline.labels},
        "exp_annotations": {
            "summary": timeline.summary,
            "description": f"{timeline.description} {alert.runbook.impact}",
            "runbook": config.runbook(alert.name),
            "dashboard_url": f"{config.grafana_url}/d/{alert.dashboard}",
        },
    }


def judged(timeline: Timeline, name: str, *expected: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the document that expects of alert *name* the *expected* at the end of two parts, and when it must end."""
    *moments, last = [(timeline.part * part - 1) * timeline.interval for part in (1, 2, 3)]
    over = moments[-1] + timeline.interval + timeline.evaluation + int(ALERTS[name].looks_back)
    ends = [*moments, min(over, last)]
    return {
        "evaluation_interval": f"{timeline.evaluation}s",
        "tests": [
            {
                "interval": f"{timeline.interval}s",
                "input_series": [{"series": name, "values": values} for name, values in timeline.series.items()],
                "alert_rule_test": [
                    {
                        "eval_time": f"{end // timeline.evaluation * timeline.evaluation}s",
                        "alertname": name,
                        "exp_alerts": alerts,
                    }
                    for end, alerts in zip(ends, expected, strict=True)
                ],
            }
        ],
    }


def test_every_alert_has_a_timeline() -> None:
    """No alert is without one, and no timeline without an alert."""
    assert TIMELINES.keys() | {WATCHDOG} == ALERTS.keys()


@pytest.mark.parametrize("name", TIMELINES)
def test_an_alert_fires_just_above_its_threshold_and_stops(name: str, rules: Path) -> None:
    """It is silent just below its threshold, fires with its labels and texts just above, and ends as its book says."""
    timeline = TIMELINES[name]
    assert judge(rules, name, judged(timeline, name, [], [fired(ALERTS[name], timeline)], [])) == ""


def firing(rules: Path, name: str, series: dict[str, str], expected: list[dict[str, str]], *, at: str = "20m") -> str:
    """Return what is wrong with expecting that *name* fires with just the labels *expected* at the time *at*."""
    alert = {"alertname": name, "alertstate": "firing", "severity": ALERTS[name].severity, "team": ALERTS[name].team}
    samples = [{"labels": labelled("ALERTS", alert | labels), "value": 1} for labels in expected]
    asked = {"expr": f'ALERTS{{alertname="{name}", alertstate="firing"}}', "eval_time": at, "exp_samples": samples}
    inputs = [{"series": selector, "values": values} for selector, values in series.items()]
    test = {"interval": "30s", "input_series": inputs, "promql_expr_test": [asked]}
    return judge(rules, name, {"evaluation_interval": "30s", "tests": [test]})


def labelled(name: str, labels: dict[str, str]) -> str:
    """Return the text of a series."""
    return f"{name}{{{', '.join(f'{label}={json.dumps(value)}' for label, value in labels.items())}}}"


def test_the_watchdog_always_fires(rules: Path) -> None:
    """The dead-man's switch fires without a single series."""
    assert firing(rules, WATCHDOG, {}, [{"job": "oneiric"}]) == ""


def test_metrics_are_missing_where_there_is_no_target(rules: Path) -> None:
    """A job without any target is told of, without an instance."""
    assert firing(rules, "OneiricMetricsMissing", {}, [{"job": "oneiric"}]) == ""


def test_a_manifest_that_expired_is_not_said_to_expire(rules: Path) -> None:
    """What says how long a manifest is valid says no negative time."""
    name = "OneiricManifestExpiring"
    selector = labelled("oneiric_remote_manifest_expiry_timestamp_seconds", A | {"source": "shop"})
    description = "The manifest of shop on a:9464 has expired (threshold 24 h)."
    over = replace(TIMELINES[name], series={selector: held(P, 2 * DAY, 1, 2 * DAY)}, description=description)
    assert judge(rules, name, judged(over, name, [], [fired(ALERTS[name], over)], [])) == ""


def test_a_full_file_system_is_told_of_too(rules: Path) -> None:
    """The cache's file system alone, or a cache without a limit, makes the alert fire."""
    series = {
        "size_bytes": 10,
        "limit_bytes": 0,
        "filesystem_size_bytes": 1000,
        "filesystem_avail_bytes": 199,
    }
    inputs = {labelled(f"oneiric_cache_{name}", A): held(50, value) for name, value in series.items()}
    assert firing(rules, "OneiricCacheDiskUsageHigh", inputs, [A]) == ""


def test_quick_swaps_are_never_slow(rules: Path) -> None:
    """However many swaps there were before and are now, none is taken for slow by extrapolation."""
    labels = A | {"domain": "adapter", "key": "cache"}
    name = "oneiric_lifecycle_swap_duration_ms"
    inputs = {
        labelled(f"{name}_count", labels): f"{held(10, NONE)} {growing(60, 31, start=1000)}",
        labelled(f"{name}_bucket", labels | {"le": "30000"}): f"{held(10, NONE)} {growing(60, 31, start=2)}",
    }
    assert [firing(rules, "OneiricSwapSlow", inputs, [], at=f"{minute}m") for minute in (16, 20, 30)] == [""] * 3


def test_a_few_slow_resolutions_are_no_incident(rules: Path) -> None:
    """Below the minimum of resolutions in the window the latency alert is silent."""
    labels = A | {"domain": "adapter", "key": "cache"}
    name = "oneiric_resolution_duration_seconds"
    inputs = {
        labelled(f"{name}_bucket", labels | {"le": "0.1"}): held(60, 0),
        labelled(f"{name}_bucket", labels | {"le": "+Inf"}): growing(60, 9.9),
        labelled(f"{name}_count", labels): growing(60, 9.9),
    }
    assert firing(rules, "OneiricResolutionLatencyHigh", inputs, []) == ""
    more = {selector: values if values.startswith("0") else growing(60, 10.1) for selector, values in inputs.items()}
    more[labelled(f"{name}_bucket", labels | {"le": "0.25"})] = growing(60, 10.1)
    assert firing(rules, "OneiricResolutionLatencyHigh", more, [{"job": "oneiric", "domain": "adapter"}]) == ""


@pytest.mark.parametrize(("total", "fires"), [(8.2, False), (8.5, True)])
def test_few_events_burn_no_budget(rules: Path, total: float, fires: bool) -> None:
    """Below the minimum of events in the long window no budget alert fires, whatever share of them failed."""
    outcome = A | {"domain": "adapter", "key": "cache"}
    inputs = {
        labelled("oneiric_resolution_total", outcome | {"provider": "none"}): growing(140, total),
        labelled("oneiric_resolution_failures_total", outcome | {"reason": "error"}): growing(140, total),
    }
    expected = [{"job": "oneiric"}] if fires else []
    assert firing(rules, "OneiricResolutionBudgetBurn1h", inputs, expected, at="65m") == ""


def test_one_failed_synchronisation_of_few_is_no_burn(rules: Path) -> None:
    """The objective of synchronisations has a minimum of its own."""
    name = "oneiric_remote_sync_total"
    inputs = {labelled(name, A | {"source": "shop", "outcome": "failed"}): growing(140, 0.08)}
    assert firing(rules, "OneiricSyncBudgetBurn1h", inputs, [], at="65m") == ""


def test_a_budget_that_burns_by_turns_burns_all_the_time(rules: Path) -> None:
    """Where a loop of the default interval fails every second time, the alert does not come and go each time."""
    name, hours, labels = "OneiricSyncBudgetBurn1h", 4, {"alertname": "OneiricSyncBudgetBurn1h"} | RELEASE
    turns = {"failed": (1, 0), "success": (0, 1)}
    inputs = [
        {
            "series": labelled("oneiric_remote_sync_total", A | {"source": "shop", "outcome": outcome}),
            "values": growing(1, *[step for turn in each * (hours * 6) for step in (turn, 0, 0, 0, 0)]),
        }
        for outcome, each in turns.items()
    ]
    begun = f'changes(ALERTS_FOR_STATE{{alertname="{name}"}}[2h])'
    asked = {"expr": begun, "eval_time": f"{hours}h", "exp_samples": [{"labels": labelled("", labels), "value": 0}]}
    test = {"interval": "1m", "input_series": inputs, "promql_expr_test": [asked]}
    assert judge(rules, name, {"evaluation_interval": "1m", "tests": [test]}) == ""


def test_every_alert_says_what_it_must() -> None:
    """Names, severities and texts follow the conventions, and each has a runbook with every part."""
    for alert in ALERTS.values():
        assert alert.name.startswith("Oneiric")
        assert alert.name.isalnum()
        assert alert.severity in {"critical", "warning", "info"}
        assert alert.summary[0].isupper() or alert.summary.startswith("{{")
        assert not alert.summary.endswith(".")
        assert alert.description.endswith(".")
        book = alert.runbook
        assert book.meaning
        assert book.impact
        assert book.diagnosis
        assert book.resolution
