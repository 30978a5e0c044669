"""Queries in other languages, and those that are completed later, are not judged as what they are not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from drift_seeds import found

if TYPE_CHECKING:
    from pathlib import Path

RULES = "groups:\n- name: a\n  rules:\n"


def rules(*queries: str, group: str = "") -> str:
    """Return a rule file with a recording rule for each of *queries*; *group* is a key and a value of the group."""
    before = RULES.replace("- name: a", f"- name: a\n  {group}") if group else RULES
    return before + "".join(f"  - record: a:b:c{n}\n    expr: {json.dumps(query)}\n" for n, query in enumerate(queries))


def panel(query: str, kind: str = "prometheus") -> str:
    """Return a dashboard with one query."""
    source = {"type": kind, "uid": "${ds}"}
    board = {"templating": {"list": [{"name": one, "type": "custom"} for one in ("ds", "n", "by", "f")]}}
    return json.dumps({**board, "panels": [{"id": 1, "targets": [{"expr": query, "datasource": source}]}]})


def test_promql_in_a_directory_of_loki_is_promql(tmp_path: Path) -> None:
    """What watches Loki is kept beside Loki and asks for Loki's metrics; a wrong name of ours is found there."""
    (tmp_path / "loki").mkdir()
    queries = (
        'sum by (route) (rate(loki_request_duration_seconds_count{status=~"5.."}[1m]))',
        "histogram_quantile(0.99, sum(rate(loki_ingester_chunk_age_seconds_bucket[5m])) by (le))",
        "absent(up{job='loki'})",
        "sum(rate(oneiric_resolution_total[5m]))",
    )
    (tmp_path / "loki" / "rules.yml").write_text(rules(*queries), encoding="utf-8")
    assert found(tmp_path) == []
    (tmp_path / "loki" / "rules.yml").write_text(rules("sum(oneiric_nothing)"), encoding="utf-8")
    assert [one[3] for one in found(tmp_path)] == ["ON101"]


@pytest.mark.parametrize("directory", ["loki", "elsewhere"])
def test_logql_is_logql_in_any_directory(tmp_path: Path, directory: str) -> None:
    """A rule for Loki is known by its query; one that can be read either way, by its place."""
    queries = (
        'sum(count_over_time({app="oneiric"} |= "swap-failed" [1m]))',
        'bytes_rate({app="other"}[5m])',
        'sum by (app) (rate({env="prod"}[5m]))',
    )
    (tmp_path / directory).mkdir()
    (tmp_path / directory / "rules.yml").write_text(rules(*queries), encoding="utf-8")
    assert found(tmp_path) == []
    wrong = rules('sum(count_over_time({app="oneiric"} |= "swap-fails" [1m]))')
    (tmp_path / directory / "rules.yml").write_text(wrong, encoding="utf-8")
    assert [one[3] for one in found(tmp_path)] == ["ON121"]


def test_a_rule_for_loki_in_a_document_is_logql(tmp_path: Path) -> None:
    """A fence shows a rule for Loki as its files have it."""
    text = "```yaml\n" + rules('sum(rate({app="oneiric"} |= "swap-failed" [1m]))') + "```\n"
    (tmp_path / "a.md").write_text(text, encoding="utf-8")
    assert found(tmp_path) == []
    (tmp_path / "a.md").write_text(text.replace("swap-failed", "swap-fails"), encoding="utf-8")
    assert [one[3] for one in found(tmp_path)] == ["ON121"]


@pytest.mark.parametrize(
    "query",
    [
        *("...", "<string>", "<your expression>", "sum(rate(<metric>[5m])) > <threshold>", "rate(oneiric_…[5m])"),
        *("oneiric_resolution_total > {{ .Values.limit }}", "rate(oneiric_resolution_total[<window>])", "up =="),
    ],
)
def test_a_document_may_leave_parts_open(tmp_path: Path, query: str) -> None:
    """What a document shows of a rule, or of others' queries, need not be whole."""
    rule = f"- alert: A\n  expr: {json.dumps(query)}\n  for: <duration>\n"
    (tmp_path / "a.md").write_text(f"```yaml\n{rule}```\n\n```promql\n{query}\n```\n", encoding="utf-8")
    assert found(tmp_path) == []


@pytest.mark.parametrize("query", ["oneiric_cache_size_bytes > {{ threshold }}", "__METRIC__ > 1", "%(metric)s > 1"])
def test_a_template_in_quotes_is_no_query_yet(tmp_path: Path, query: str) -> None:
    """A rule file may be one that a program completes, and be YAML all the same."""
    (tmp_path / "rules.yml").write_text(rules(query), encoding="utf-8")
    assert found(tmp_path) == []


SHIFTED = "max(oneiric_lifecycle_instances)"


@pytest.mark.parametrize(
    "query",
    [
        "sum(increase(oneiric_resolution_total[${__range_s}s]))",
        "sum(increase(oneiric_resolution_total[${__range_ms}ms:]))",
        "sum(rate(oneiric_resolution_total[1${n}]))",
        "max(oneiric_lifecycle_instances offset ${n}d)",
        "sum(rate(oneiric_resolution_total[$__interval:$__interval]))",
        "topk($n, oneiric_lifecycle_instances)",
        "sum by ($by) (oneiric_lifecycle_instances)",
        "max(oneiric_lifecycle_instances{$f})",
        'max(oneiric_lifecycle_instances{domain="task", $f})',
        'max(oneiric_lifecycle_instances{domain="task"$f})',
        'max(oneiric_lifecycle_instances{$by="x"})',
        "max(oneiric_lifecycle_instances{domain=$f})",
        "${f}(oneiric_lifecycle_instances)",
        "${f:raw}(rate(oneiric_resolution_total[5m])) by (domain)",
        "max(oneiric_lifecycle_instances) $f 5",
        "sum($f) + sum(oneiric_lifecycle_instances)",
        "avg($f{a='b'}) - avg($n) + sum(oneiric_lifecycle_instances)",
        "max(oneiric_lifecycle_instances) @ ${__to:date:seconds}",
    ],
)
def test_grafana_puts_its_variables_anywhere(tmp_path: Path, query: str) -> None:
    """A variable can be a number, a part of a time, a name, a matcher, a function or an operator."""
    (tmp_path / "a.json").write_text(panel(query), encoding="utf-8")
    assert found(tmp_path) == []


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("sum(increase(oneiric_nothing[${__range_s}s]))", "ON101"),
        ("sum($f) + sum(oneiric_nothing)", "ON101"),
        ('max(oneiric_lifecycle_instances{$f, domian="task"})', "ON104"),
        ("topk($n, oneiric_lifecycle_instances", "ON007"),
    ],
)
def test_defects_beside_variables_are_found(tmp_path: Path, query: str, code: str) -> None:
    """What stands beside a variable is judged as it is without one."""
    (tmp_path / "a.json").write_text(panel(query), encoding="utf-8")
    assert [one[3] for one in found(tmp_path)] == [code]


@pytest.mark.parametrize(
    "query",
    [
        "rollup_rate(oneiric_resolution_total[5m])",
        "range_median(oneiric_lifecycle_instances)",
        "oneiric_lifecycle_instances default 0",
        "oneiric_lifecycle_instances if up",
        "WITH (x = oneiric_lifecycle_instances) sum(x)",
        "sum(oneiric_lifecycle_instances) by (domain) limit 5",
        "oneiric_cache_size_bytes > 1Gi",
        "rate(oneiric_resolution_total[5m] smoothed)",
        "rate(oneiric_resolution_total[5m + 1m])",
        "rate(oneiric_resolution_total[5i])",
    ],
)
def test_what_other_servers_and_newer_versions_read_is_no_error(tmp_path: Path, query: str) -> None:
    """MetricsQL and experiments of Prometheus are not known here, and not wrong."""
    (tmp_path / "rules.yml").write_text(rules(query), encoding="utf-8")
    assert found(tmp_path) == []


def test_groups_in_languages_of_others_are_left_alone(tmp_path: Path) -> None:
    """A group can say that its queries are in neither language."""
    query = "_time:5m AND error | stats by (app) count() as errors"
    text = rules(query, "sumSeries(oneiric.*)", group="type: vlogs")
    (tmp_path / "rules.yml").write_text(text, encoding="utf-8")
    (tmp_path / "a.md").write_text(f"```yaml\n{text}```\n", encoding="utf-8")
    assert found(tmp_path) == []
