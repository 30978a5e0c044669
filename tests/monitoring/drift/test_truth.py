"""What is said of thresholds, windows and labels is so, whatever else the query is made of."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from oneiric.monitoring.drift import Options, check

if TYPE_CHECKING:
    from pathlib import Path

SYNCED = "oneiric_remote_sync_last_success_timestamp_seconds"
DROPPED = "oneiric_observability_series_dropped_total"
PROMETHEUS = "scrape_configs:\n- job_name: oneiric\n  static_configs: [{targets: ['a:9464']}]\n"


def told(directory: Path, query: str, more: str = "") -> list[tuple[str, str]]:
    """Return code and level of what is found in an alert that asks for *query*."""
    text = f"groups:\n- name: a\n  rules:\n  - alert: A\n    expr: {json.dumps(query)}\n{more}"
    (directory / "rules.yml").write_text(text, encoding="utf-8")
    return [(one.code, one.level) for one in check([directory], Options()).findings]


@pytest.mark.parametrize(
    ("query", "codes"),
    [
        (f"rate({DROPPED}[5m]) > 0", ["ON304"]),
        (f"rate({DROPPED}[5m]) > 0.5", []),
        (f"rate({DROPPED}[5m]) > 0.003", ["ON304"]),
        (f"rate({DROPPED}[5m]) * 300 > 0.5", ["ON304"]),
        (f"rate({DROPPED}[5m]) * 60 > 0.5", []),
        (f"irate({DROPPED}[5m]) > 0.5", []),
        (f"increase({DROPPED}[5m]) > 0.5", ["ON304"]),
        (f"increase({DROPPED}[5m]) / 5 > 0.5", []),
        (f"sum(increase({DROPPED}[5m])) >= 1", ["ON304"]),
        (f"sum(increase({DROPPED}[5m])) > 1", []),
    ],
)
def test_one_event_is_what_one_event_adds(tmp_path: Path, query: str, codes: list[str]) -> None:
    """A rate is by the second, and numbers that it is multiplied with count: one event adds that much, and no more."""
    assert [code for code, _ in told(tmp_path, query)] == codes


@pytest.mark.parametrize(
    ("query", "is_usual"),
    [
        (f"(time() - {SYNCED}) / 60 > 30", False),
        (f"(time() - {SYNCED}) / 60 > 3", True),
        (f"(time() - {SYNCED}) / 3600 > 1", False),
        (f"(time() - {SYNCED}) * 1000 > 60000", True),
        (f"(time() - {SYNCED}) * 1000 > 600000", False),
        (f"time() - {SYNCED} > 60", True),
        (f"30 < (time() - {SYNCED}) / 60", False),
    ],
)
def test_an_age_is_in_the_unit_it_is_counted_in(tmp_path: Path, query: str, *, is_usual: bool) -> None:
    """Minutes are not taken for seconds, nor milliseconds."""
    assert [code for code, _ in told(tmp_path, query)] == (["ON308"] if is_usual else [])


@pytest.mark.parametrize("label", ["namespace", "pod", "container", "service", "node", "endpoint", "app"])
def test_labels_that_kubernetes_gives_to_targets_are_known(tmp_path: Path, label: str) -> None:
    """They may be matched, grouped by, joined on and named in texts, with a configuration of Prometheus and without."""
    query = (
        f'sum by ({label}, domain) (oneiric_lifecycle_instances{{{label}="a"}}) > 1'
        f" and on ({label}) up{{job='oneiric'}} == 1"
    )
    more = f"    annotations: {{summary: '{{{{ $labels.{label} }}}}'}}\n"
    assert told(tmp_path, query, more) == []
    (tmp_path / "prometheus.yml").write_text(PROMETHEUS, encoding="utf-8")
    assert told(tmp_path, query, more) == []


def test_a_label_that_only_targets_can_have_is_a_note(tmp_path: Path) -> None:
    """Without a configuration nobody knows which labels targets have; nearly a label, or another metric's, is wrong."""
    for label, level in (("region", "note"), ("domian", "error"), ("provider", "error")):
        assert told(tmp_path, f'sum(oneiric_lifecycle_instances{{{label}="a"}}) > 1') == [("ON104", level)]
    (tmp_path / "prometheus.yml").write_text(PROMETHEUS, encoding="utf-8")
    assert told(tmp_path, 'sum(oneiric_lifecycle_instances{region="a"}) > 1') == [("ON104", "error")]
    mapped = PROMETHEUS + "  relabel_configs: [{action: labelmap, regex: __meta_(.+)}]\n"
    (tmp_path / "prometheus.yml").write_text(mapped, encoding="utf-8")
    assert told(tmp_path, 'sum(oneiric_lifecycle_instances{region="a"}) > 1') == [("ON104", "note")]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ('{app="oneiric"} | json | user_id="7"', [("ON122", "note")]),
        ('{app="oneiric"} | json | event="order-placed"', [("ON121", "note")]),
        ('{app="oneiric"} | json | level="critical"', []),
        ('{app="oneiric"} | json | raeson="x"', [("ON122", "error")]),
        ('{app="oneiric"} |= "swap-failed" | json | user_id="7"', [("ON122", "error")]),
        ('{app="oneiric", floor="2"} |= "x"', [("ON124", "note")]),
    ],
)
def test_an_application_has_lines_of_its_own(tmp_path: Path, query: str, expected: list[tuple[str, str]]) -> None:
    """Beside the runtime's lines stand an application's: what is not nearly a name of ours may be one of its own."""
    (tmp_path / "a.md").write_text(f"```logql\n{query}\n```\n", encoding="utf-8")
    assert [(one.code, one.level) for one in check([tmp_path]).findings] == expected


def test_the_same_rule_for_two_servers_is_there_once(tmp_path: Path) -> None:
    """Files in different directories are for different servers; beside each other they are for one."""
    text = "groups:\n- name: a\n  rules:\n  - alert: A\n    expr: sum(oneiric_lifecycle_instances) > 9\n"
    board = '{"uid": "x", "panels": [{"targets": [{"expr": "sum(oneiric_lifecycle_instances)"}]}]}'
    for name in ("staging", "production"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.yml").write_text(text, encoding="utf-8")
        (tmp_path / name / "a.json").write_text(board, encoding="utf-8")
    assert check([tmp_path]).findings == ()
    (tmp_path / "staging" / "b.yml").write_text(text, encoding="utf-8")
    (tmp_path / "staging" / "b.json").write_text(board, encoding="utf-8")
    assert sorted(one.code for one in check([tmp_path]).findings) == ["ON407", "ON607"]
