"""One defect a time in the files of the real bundle, or in one beside them: found where it is, and nothing else is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from drift_misspellings import MISSPELLINGS
from drift_seeds import CONFIG, EXPECTED, Seed, found, write_bundle

from oneiric.monitoring.bundle import bundle

if TYPE_CHECKING:
    from pathlib import Path

RULES = "prometheus/rules/oneiric-alerts.yml"
EXTRA = "prometheus/rules/extra.yml"
ROUTES = "alertmanager/alertmanager.yml"
RESOLUTION = "grafana/dashboards/oneiric-resolution.json"
LOGS = "loki/rules/fake/oneiric-logs.yml"
PROMTAIL = "promtail/file.yml"
ALLOY = "alloy/file.alloy"
SLO = "openslo/oneiric.yml"
GUIDE = "docs/guide.md"
DASHBOARD = "grafana/dashboards/extra.json"
RATE = "job_domain:oneiric_resolution:rate5m"
RATES = "sum by (job, domain) (rate(oneiric_resolution_total[5m]))"
PERCENT = ', "fieldConfig": {"defaults": {"unit": "«percent"}}'
RUNBOOKS = "https://docs.example/runbooks/"
NOTICE = "description: d, runbook_url: 'https://x/', dashboard_url: 'https://y/'"


def rule(body: str) -> str:
    """Return a rule file with one rule."""
    return f"groups:\n- name: extra\n  rules:\n  - {body}\n"


def alert(*, name: str = "OneiricExtra", expr: str = "vector(1)", more: str = "", summary: str = "s") -> str:
    """Return a rule file with one alert."""
    return rule(
        f"alert: {name}\n    expr: {expr}\n    {more}\n    labels: {{severity: info}}\n"
        f"    annotations: {{summary: '{summary}', {NOTICE}}}"
    )


def dashboard(panel: str = "", more: str = "") -> str:
    """Return a dashboard with one panel."""
    return '{"uid": "extra", "panels": [{"id": 1' + panel + "}]" + more + "}"


def panel(expr: str, more: str = "", fields: str = "") -> str:
    """Return a dashboard with one panel that has one query."""
    return dashboard(f', "targets": [{{"expr": "{expr}"{more}}}]{fields}')


SEEDS = [
    Seed("ON003", EXTRA, "groups:\n- name: extra\n  rules: «}\n"),
    Seed("ON004", DASHBOARD, '{"panels": [«}'),
    Seed("ON006", DASHBOARD, '{"panels": ' + "[" * 100 + "«[" + "]" * 101 + "}"),
    Seed("ON007", SLO, "query: sum by «(job (oneiric", old="query: sum by (job) (oneiric"),
    Seed("ON008", LOGS, 'count_over_time(«[1m] {app="oneiric"}', old='count_over_time({app="oneiric"} [1m]'),
    Seed("ON011", EXTRA, rule("«expr: up")),
    Seed("ON011", EXTRA, "groups: «nothing\n"),
    Seed("ON011", ALLOY, "«}\n\nlocal.file_match", old="local.file_match"),
    Seed("ON012", EXTRA, alert(more="«expr: up")),
    Seed("ON101", RULES, 'up{job="oneiric"} == 0 + «oneiric_nothing', old='up{job="oneiric"} == 0'),
    Seed("ON101", RESOLUTION, "(rate(«oneiric_resolutions_total{", old="(rate(oneiric_resolution_total{"),
    Seed(
        "ON101",
        SLO,
        "query: sum by (job) («oneiric_resolutions_total",
        old="query: sum by (job) (oneiric_resolution_total",
    ),
    Seed("ON101", GUIDE, "The counter `«oneiric_resolutions_total` counts.\n"),
    Seed("ON101", GUIDE, "1. Ask:\n\n   ```promql\n   # of all\n   sum(\n     «oneiric_nothing)\n   ```\n"),
    Seed("ON101", GUIDE, "```promql\nup == 0\n\nsum(oneiric_cache_size_bytes)\n\n«oneiric_nothing\n```\n"),
    Seed("ON101", GUIDE, "```promql\nup == 0\n«oneiric_nothing\n```\n"),
    Seed("ON101", GUIDE, "> ~~~~yaml\n> - alert: X\n>   expr: «oneiric_nothing > 1\n> ~~~~\n"),
    Seed("ON101", GUIDE, "```bash\ncurl -s http://h:9/metrics | grep «oneiric_resolutions_total\n```\n"),
    Seed("ON101", GUIDE, "```bash\npromtool query instant http://h:9 'sum(«oneiric_nothing)'\n```\n"),
    Seed(
        "ON105",
        GUIDE,
        "```sh\ncurl http://h -d 'query=oneiric_lifecycle_swap_total{outcome=\"«bad\"}'\n```\n",
    ),
    Seed("ON121", RESOLUTION, '|= \\"«swap-completed\\"', old='|= \\"swap-complete\\"'),
    Seed("ON121", GUIDE, '```logql\n{app="oneiric"} |= "«swap-fails"\n```\n'),
    Seed("ON121", GUIDE, '```bash\nlogcli query \'{app="oneiric"} | json | event="«swap-fails"\'\n```\n'),
    Seed("ON122", LOGS, "by (app, env, domain, key, «raeson,", old="by (app, env, domain, key, reason,"),
    Seed("ON122", GUIDE, '```logql\n{app="oneiric"} |= "swap-failed" | json | «decision="failed"\n```\n'),
    Seed("ON122", GUIDE, '```logql\n{app="oneiric"} |= "swap-failed" | «reason="health"\n```\n'),
    Seed("ON122", GUIDE, '```logql\n{app="oneiric"} |= "swap-failed" | json | line_format "{{.«kye}}"\n```\n'),
    Seed("ON123", GUIDE, '```logql\n{app="oneiric"} |= "resolver-decision" | json | decision="«failure"\n```\n'),
    Seed("ON123", GUIDE, '```logql\n{app="oneiric"} |= "swap-failed" | json | reason=~"health|«unwell"\n```\n'),
    Seed("ON123", GUIDE, '```logql\n{app="oneiric"} |= "swap-failed" | json | level="«critical"\n```\n'),
    Seed("ON124", LOGS, '({app="oneiric", «domain="x"} |= "swap-failed"', old='({app="oneiric"} |= "swap-failed"'),
    Seed("ON131", GUIDE, "```bash\n$ oneiric monitoring «exports --out x\n```\n"),
    Seed("ON131", GUIDE, "Run `oneiric «rehearse` then.\n"),
    Seed("ON131", GUIDE, "```sh\n«oneiric.cli list --domain adapter\n```\n"),
    Seed("ON132", GUIDE, "```bash\nuv run oneiric monitoring export \\\n  «--output x\n```\n"),
    Seed("ON132", GUIDE, "```bash\nkubectl exec pod -- oneiric demo «--second 3\n```\n"),
    Seed("ON133", GUIDE, "```bash\noneiric monitoring check --format «yaml\n```\n"),
    Seed("ON134", GUIDE, "```bash\noneiric monitoring export --out x --set «swap_slow_second=60\n```\n"),
    Seed("ON134", GUIDE, "```bash\noneiric monitoring export --out x --set «swap_slow_seconds=61\n```\n"),
    Seed("ON135", GUIDE, "```bash\nexport «ONEIRIC_METRIC_ADDRESS=127.0.0.1:1\n```\n"),
    Seed("ON135", GUIDE, "```bash\n«ONEIRIC_LIFECYCLE__HOOK_TIMEOUTS=1 oneiric demo\n```\n"),
    Seed("ON307", EXTRA, alert(expr="increase(oneiric_lifecycle_rollbacks_total[5m]) > 0", more="for: «10m")),
    Seed("ON401", RULES, "alert: «Oneiric_swap_slow", old="alert: OneiricSwapSlow"),
    Seed("ON402", RULES, "severity: «urgent\n      team: providers", old="severity: warning\n      team: providers"),
    Seed("ON402", EXTRA, alert(name="«OneiricExtra").replace("severity: info", "team: platform")),
    Seed("ON403", EXTRA, alert(name="«OneiricExtra", summary="")),
    Seed("ON404", RULES, "ALERTS.md#«oneiricswapslown", old="ALERTS.md#oneiricswapslow"),
    Seed("ON404", RULES, f"«{RUNBOOKS}ALERT.md#x", old=f"{RUNBOOKS}ALERTS.md#oneiricswapslow"),
    Seed("ON405", RULES, "/d/«oneiric-lifecycles", old="/d/oneiric-lifecycle"),
    Seed("ON406", EXTRA, alert(expr="oneiric_lifecycle_instances > 1", summary="{{ $labels.«domian }}")),
    Seed(
        "ON407", "prometheus/rules/twice.yml", rule(f"record: «job_domain:oneiric_resolution:rate5m\n    expr: {RATES}")
    ),
    Seed("ON408", EXTRA, rule("record: «oneiric_resolution_rate\n    expr: rate(oneiric_resolution_total[5m])")),
    Seed("ON409", EXTRA, alert(more="for: «5minutes")),
    Seed("ON501", ROUTES, "receiver: «mail-platfrom", old="receiver: mail-platform"),
    Seed("ON502", ROUTES, '- «severty="critical"', old='- severity="critical"'),
    Seed("ON503", ROUTES, '- severity="«urgent"', old='- severity="critical"'),
    Seed("ON503", ROUTES, '- team=~"platform|«plattform"', old='- team="platform"'),
    Seed("ON504", ROUTES, "equal:\n  - domain\n  - job\n  - «source", old="equal:\n  - domain\n  - job"),
    Seed("ON505", ROUTES, 'alertname="«OneiricSwapFailure"', old='alertname="OneiricSwapFailures"'),
    Seed("ON506", ROUTES, "receivers:\n- name: «nobody", old="receivers:"),
    Seed("ON507", ROUTES, "- alertname\n  - «jobs", old="- alertname"),
    Seed("ON508", ROUTES, "- «severity critical", old='- severity="critical"'),
    Seed("ON601", RESOLUTION, '"uid": "«prometheus-1"', old='"uid": "${datasource}"'),
    Seed("ON602", RESOLUTION, 'domain=~\\"«$domian\\"', old='domain=~\\"$domain\\"'),
    Seed("ON603", RESOLUTION, "}, «providers)", old="}, provider)"),
    Seed("ON604", RESOLUTION, '"unit": "«ms"', old='"unit": "s"'),
    Seed(
        "ON604",
        DASHBOARD,
        panel("oneiric_lifecycle_health_status", fields=PERCENT),
    ),
    Seed("ON605", DASHBOARD, panel("oneiric_lifecycle_instances", fields=', "panels": [{"id": «1}]')),
    Seed("ON606", DASHBOARD, panel("oneiric_lifecycle_instances", ', "legendFormat": "{{«provider}}"')),
    Seed("ON607", "grafana/dashboards/twice.json", '{"panels": [{}], "uid": "«oneiric-remote"}'),
    Seed("ON801", PROMTAIL, "level: «levle\n", old="level: level\n"),
    Seed("ON801", ALLOY, 'trace_id = "«traceid"', old='trace_id = "trace_id"'),
    Seed("ON802", PROMTAIL, "- labels:\n      «logger: logger\n  - structured_metadata:", old="- structured_metadata:"),
    Seed(
        "ON802",
        ALLOY,
        'stage.labels {\n    values = {«logger = ""}\n  }\n\n  stage.structured_metadata',
        old="stage.structured_metadata",
    ),
    Seed("ON803", PROMTAIL, "source: «time\n", old="source: timestamp\n"),
    Seed("ON803", ALLOY, 'source            = "«time"', old='source            = "timestamp"'),
]
"""Each of these is found, once, at its mark."""


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the real bundle and the runbooks."""
    directory = tmp_path_factory.mktemp("bundle")
    write_bundle(directory)
    return directory


ALL = [*SEEDS, *MISSPELLINGS]


BESIDE = {
    "prometheus": ("prometheus",),
    "alertmanager": ("prometheus", "alertmanager"),
    "loki": ("loki",),
    "ON102": ("prometheus", "loki"),
    "ON404": ("prometheus", "docs"),
    "ON405": ("prometheus", "grafana"),
    "ON607": ("grafana",),
}
"""What of the bundle a seeded file is checked with: by the seed's code, or else by its folder; otherwise alone."""

KINDS = {(seed.code, seed.path.partition("/")[0]): seed for seed in reversed(ALL)}
"""One defect of each kind in each folder: what is judged differently for it is not a matter of its words."""

each_seed = pytest.mark.parametrize("seed", ALL, ids=[f"{number} {seed.code}" for number, seed in enumerate(ALL)])


@each_seed
def test_a_defect_is_found_where_it_is(directory: Path, seed: Seed) -> None:
    """A file with one defect, beside what it refers to, gives one finding: its path, line, column and code."""
    folder = seed.path.partition("/")[0]
    assert seed.sown(directory, BESIDE.get(seed.code) or BESIDE.get(folder, ())) == [EXPECTED]


@pytest.mark.slow
@pytest.mark.parametrize("seed", KINDS.values(), ids=map(" ".join, KINDS))
def test_a_defect_is_the_only_finding_of_the_bundle(directory: Path, seed: Seed) -> None:
    """One defect in the whole bundle gives one finding: no other file is judged differently for it."""
    assert seed.sown(directory) == [EXPECTED]


def test_everything_is_as_before(directory: Path) -> None:
    """The bundle that the defects were put into has none now, and is what it was."""
    assert found(directory) == []
    files = bundle(CONFIG)
    assert {path: (directory / path).read_text(encoding="utf-8") for path in files} == files
