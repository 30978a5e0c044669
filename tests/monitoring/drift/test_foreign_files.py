"""Files of other systems beside ours: they are left alone, whatever they are, and ours among them are checked."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from drift_seeds import found

if TYPE_CHECKING:
    from pathlib import Path

CONFIG_MAP = """apiVersion: v1
kind: ConfigMapList
items:
- apiVersion: v1
  kind: ConfigMap
  data:
    rules.yml: |
      groups:
      - name: extra
        rules:
        - record: level:extra:sum
          expr: sum(oneiric_nothing)
    board.json: |-
      {"panels": [{"targets": [{"expr": "oneiric_nothing"}]}]}
    notes.txt: "groups: ["
"""
MERGED = """groups:
- name: extra
  rules:
  - &first
    alert: OneiricFirst
    expr: &expr oneiric_lifecycle_instances > 1
    labels: &labels {severity: warning, domain: x}
    annotations: {summary: s, description: d, runbook_url: 'https://x/', dashboard_url: 'https://y/'}
  - <<: *first
    alert: OneiricSecond
    labels:
      <<: [*labels]
      severity: info
"""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("tsconfig.json", '{\n  // paths\n  "compilerOptions": {},\n}\n'),
        ("empty.json", ""),
        ("lines.json", '{"a": 1}\n{"a": 2}\n'),
        ("fixture.yml", "a: [1\nb: }\n"),
        ("deployment.yaml", "{{- if .Values.enabled }}\napiVersion: v1\nkind: Deployment\n{{- end }}\n"),
        (
            "rule.yaml",
            "groups:\n- name: {{ .Release.Name }}-oneiric\n  rules:\n{{ toYaml .Values.rules | indent 2 }}\n",
        ),
        ("jinja.yml", "groups:\n{% for job in jobs %}\n- name: {{ job }}\n  rules: []\n{% endfor %}\n"),
        ("deep.json", "[" * 200 + "]" * 200),
        ("users.yml", "groups:\n- name: admins\n  members: [a]\n- name: others\n"),
        ("grafana.yml", "apiVersion: 1\ngroups:\n- name: a\n  rules:\n  - uid: u\n    data: [{refId: A}]\n"),
        ("empty.yml", "groups:\n- name: a\n  rules:\n- name: b\n"),
        ("none.yml", "groups:\n"),
        ("crd.yml", "kind: PrometheusRule\nspec: {}\n"),
        ("twice.json", '{"panels": [{"title": "a", "title": "b"}]}'),
    ],
)
def test_what_is_not_ours_is_left_alone(tmp_path: Path, name: str, text: str) -> None:
    """A file that is broken, deep, a template, or of a kind that looks like one of ours, is no finding."""
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert found(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("rule.yml", "groups:\n- name: a\n  rules:\n  - alert: A\n    expr: up\n    for: {{ $labels.x }} y\n", "ON003"),
        ("board.json", '{\n"panels": [},\n"uid": "x"}', "ON004"),
        ("other.json", '{"oneiric_resolution_total": }', "ON004"),
        ("values.yaml", "a: [oneiric_resolution_total\n", "ON003"),
    ],
)
def test_what_is_broken_and_meant_is_told(tmp_path: Path, name: str, text: str, code: str) -> None:
    """A file that does not read is a finding where it has a name of ours, or the look of a kind that is checked."""
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert [one[3] for one in found(tmp_path)] == [code]


def test_a_template_that_is_named_is_told(tmp_path: Path) -> None:
    """A template that was named itself cannot be checked as it is, which is a finding."""
    (tmp_path / "rule.yaml").write_text('groups:\n{{ include "x" . }}\n', encoding="utf-8")
    assert [one[3] for one in found(tmp_path / "rule.yaml", root=tmp_path)] == ["ON003"]


def test_a_config_map_is_checked_for_what_it_carries(tmp_path: Path) -> None:
    """Rules and dashboards in the files of a ConfigMap, and in lists of such, have their findings where they are."""
    (tmp_path / "maps.yml").write_text(CONFIG_MAP, encoding="utf-8")
    assert found(tmp_path) == [("maps.yml", 12, 21, "ON101"), ("maps.yml", 14, 42, "ON101")]


def test_a_broken_file_of_a_config_map_has_its_place(tmp_path: Path) -> None:
    """What does not read within a ConfigMap is told where it stands in the file."""
    broken = CONFIG_MAP.replace('"oneiric_nothing"}', '"oneiric_nothing"')
    (tmp_path / "maps.yml").write_text(broken, encoding="utf-8")
    assert found(tmp_path) == [("maps.yml", 14, 58, "ON004")]


def test_merged_keys_count(tmp_path: Path) -> None:
    """A rule has what ``<<`` merges into it, as it has for Prometheus."""
    (tmp_path / "rules.yml").write_text(MERGED, encoding="utf-8")
    assert found(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("changes.md", "### Added\n"),
        ("fence.sh.md", "cat <<A\n"),
    ],
)
def test_long_files_take_as_long_as_they_are(tmp_path: Path, name: str, line: str) -> None:
    """A file ten times as long, of what repeats itself, takes far less than a hundred times as long."""
    before = "```bash\n" if ".sh" in name else ""
    seconds = []
    for number in (2_000, 20_000):
        (tmp_path / name).write_text(before + line * number, encoding="utf-8")
        begun = time.process_time()
        assert found(tmp_path) == []
        seconds.append(time.process_time() - begun)
    assert seconds[1] < 40 * max(seconds[0], 0.05)
