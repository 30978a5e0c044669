"""One defect of a query a time, in a rule that stands alone: each is found, where it is, and nothing else is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from drift_seeds import EXPECTED, Seed, write_bundle

if TYPE_CHECKING:
    from pathlib import Path

    from drift_seeds import Found

RESOLUTIONS = "oneiric_resolution_total"
FAILURES = "oneiric_resolution_failures_total"
LATENCY = "oneiric_resolution_duration_seconds"
SWAPS = "oneiric_lifecycle_swap_total"
SWAP_MS = "oneiric_lifecycle_swap_duration_ms"
SWAP_FAILURES = "oneiric_lifecycle_swap_failures_total"
INSTANCES = "oneiric_lifecycle_instances"
SYNCED = "oneiric_remote_sync_last_success_timestamp_seconds"

SEEDS = [
    ("ON007", f"sum«(rate({SWAPS}[5m])"),
    ("ON007", f"«ratio({SWAPS}[5m])"),
    ("ON101", "rate(«oneiric_lifecycle_swaps_total[5m])"),
    ("ON101", "rate(«onieric_lifecycle_swap_total[5m])"),
    ("ON101", 'sum({__name__=~"«oneiric_lifecycle_exchange.*"})'),
    ("ON102", "max(«job_domain:oneiric_resolution:rate7m)"),
    ("ON103", f"rate(«{SWAP_MS}[5m])"),
    ("ON103", f"rate(«{SWAPS}_count[5m])"),
    ("ON104", f'rate({SWAPS}{{«domian="adapter"}}[5m])'),
    ("ON104", 'job_domain:oneiric_resolution:rate5m{«provider="redis"} > 1'),
    ("ON105", f'rate({SWAPS}{{outcome="«fail"}}[5m])'),
    ("ON105", f'rate({SWAPS}{{outcome=~"success|«fail"}}[5m])'),
    ("ON105", f'rate({SWAPS}{{outcome!="«succes"}}[5m])'),
    ("ON105", f'rate({SWAPS}{{domain="«adaptor"}}[5m])'),
    ("ON105", 'rate(oneiric_log_events_total{event="«swap-fail"}[5m])'),
    ("ON106", f'rate({SWAP_MS}_bucket{{le="«20000"}}[5m])'),
    ("ON107", f'rate({SWAP_MS}_bucket{{le="«30000"}}[5m])'),
    ("ON108", f"sum by (domain, «provider) (rate({SWAPS}[5m]))"),
    ("ON108", f"sum without («provider) (rate({SWAPS}[5m]))"),
    ("ON109", f"sum by (domain) (rate({FAILURES}[5m])) / on («key) sum by (domain) (rate({SWAPS}[5m]))"),
    ("ON109", f"{INSTANCES} * on (instance) group_left («version) up{{job='oneiric'}}"),
    ("ON110", f"rate({FAILURES}[5m]) «/ rate({RESOLUTIONS}[5m])"),
    ("ON111", 'ALERTS{alertname="«OneiricSwapFailure"}'),
    ("ON201", f"«rate({INSTANCES}[5m])"),
    ("ON201", "«increase(job_domain:oneiric_resolution:rate5m[5m])"),
    ("ON202", f"sum({SWAP_FAILURES}) > «5"),
    ("ON203", f"histogram_quantile(0.9, «sum by (domain) (rate({SWAP_MS}_bucket[5m])))"),
    ("ON204", f"histogram_quantile(0.9, «rate({SWAP_MS}_count[5m]))"),
    ("ON205", f"histogram_quantile(0.9, «{SWAP_MS}_bucket)"),
    ("ON206", f"«deriv({SWAPS}[5m])"),
    ("ON207", f"«rate(sum({SWAPS})[5m:])"),
    (
        "ON208",
        f"rate({SWAP_MS}_sum[5m]) / rate({SWAP_MS}_count[5m]) «> rate({LATENCY}_sum[5m]) / rate({LATENCY}_count[5m])",
    ),
    ("ON209", f"{SYNCED} > «3600"),
    ("ON210", f"histogram_quantile(«99, rate({SWAP_MS}_bucket[5m]))"),
    ("ON211", f"«sum(rate({SWAP_MS}_bucket[5m]))"),
    ("ON301", f"histogram_quantile(0.9, rate({LATENCY}_bucket[5m])) > «100"),
    ("ON301", f"histogram_quantile(0.9, rate({SWAP_MS}_bucket[5m])) > «0.03"),
    ("ON302", f"rate({SWAPS}[«20s])"),
    ("ON303", "rate(oneiric_remote_sync_total[«1m])"),
    ("ON303", "increase(oneiric_remote_sync_failures_total[10m]) > «5"),
    ("ON304", "increase(oneiric_observability_series_dropped_total[5m]) > «0"),
    ("ON305", "oneiric_lifecycle_health_status > «1"),
    ("ON305", "1 - oneiric_lifecycle_health_status > «1"),
    ("ON305", f"sum(rate({SWAP_FAILURES}[5m])) / sum(rate({SWAPS}[5m])) > «5"),
    ("ON305", "job:oneiric_resolution_errors:ratio_rate1h > «1.5"),
    ("ON306", "oneiric_lifecycle_health_status < «2"),
    ("ON308", f"time() - {SYNCED} > «60"),
]
"""The code that each query is found with; the mark is where."""

RULE = """groups:
- name: extra
  rules:
  - alert: OneiricExtra
    expr: {expr}
    labels:
      severity: info
    annotations:
      summary: s
      description: d
      runbook_url: https://runbooks.example/
      dashboard_url: https://grafana.example/
"""


EXTRA = "prometheus/extra.yml"
BESIDE = ("prometheus/prometheus.yml",)
"""What is checked with the rule: how often targets are scraped. The bundle's rules are known without their files."""


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the configuration of Prometheus that is checked with each rule."""
    directory = tmp_path_factory.mktemp("bundle")
    write_bundle(directory, below=BESIDE[0])
    return directory


@pytest.mark.parametrize(("code", "query"), SEEDS, ids=[f"{code} {query}" for code, query in SEEDS])
def test_a_defect_is_found_where_it_is(directory: Path, code: str, query: str) -> None:
    """A rule with one defect gives one finding: its file, line, column and code."""
    assert Seed(code, EXTRA, RULE.format(expr=query)).sown(directory, BESIDE) == [EXPECTED]


_DROPPED = "oneiric_observability_series_dropped_total"


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (f"{_DROPPED} offset 5m", []),
        (f"last_over_time({_DROPPED}[1h] offset 5m)", []),
        (f"last_over_time({_DROPPED}[1h])", [EXPECTED]),
    ],
)
def test_a_first_event_is_seen_where_new_series_are_asked_for(directory: Path, before: str, expected: Found) -> None:
    """Asking for series that were not there in the past, at a moment or in a time, is enough; anything else is not."""
    text = RULE.format(expr=f"increase({_DROPPED}[5m]) > «0 or {_DROPPED} unless {before}")
    assert Seed("ON304", EXTRA, text).sown(directory, BESIDE) == expected


LAYOUTS = {
    "folded": "    expr: >-\n      sum(\n        rate(«oneiric_nothing[5m])\n      )\n",
    "literal": '    expr: |\n      # a comment\n      sum(rate(\n        «oneiric_nothing{domain="adapter"}[5m]))\n',
    "single quotes": "    expr: 'sum(rate(up{a=''b''}[5m])) + «oneiric_nothing'\n",
    "double quotes": '    expr: "sum(rate(up{a=\\"b\\u0063\\"}[5m])) \\\n      + «oneiric_nothing"\n',
    "plain, of two lines": "    expr: sum(up) +\n      «oneiric_nothing\n",
    "flow": "    'expr': \"1 + «oneiric_nothing\"\n",
    "beyond the basic plane": '    expr: up{a="𝄞é"} + «oneiric_nothing\n',
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_places_are_exact_however_yaml_is_written(directory: Path, layout: str) -> None:
    """A finding's place is that of the file, in block scalars, quotes, folded lines and after escapes."""
    text = f"groups:\n- name: extra\n  rules:\n  - record: level:extra:sum\n{layout}"
    assert Seed("ON101", EXTRA, text).sown(directory, BESIDE) == [EXPECTED]
