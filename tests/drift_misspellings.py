"""Words that are nearly ours, where others may stand as well: defects for the real bundle."""

from __future__ import annotations

from drift_seeds import Seed

RULES = "prometheus/rules/oneiric-alerts.yml"
ROUTES = "alertmanager/alertmanager.yml"
OVERVIEW = "grafana/dashboards/oneiric-overview.json"
LOGS = "loki/rules/fake/oneiric-logs.yml"
PROMTAIL = "promtail/file.yml"
GUIDE = "docs/guide.md"
START = 'process_start_time_seconds{job=~\\"'

MISSPELLINGS = [
    Seed(
        "ON102",
        RULES,
        "expr: «job:oneriic_resolution_errors:ratio_rate6h",
        old="expr: job:oneiric_resolution_errors:ratio_rate6h",
    ),
    Seed(
        "ON007",
        OVERVIEW,
        '"expr": "«time() - process_start_time_seconds{job=~\\"$job\\"} =>',
        old='"expr": "time() - process_start_time_seconds{job=~\\"$job\\", instance=~\\"$instance\\"} <',
    ),
    Seed("ON102", GUIDE, "It is `«env:oneiric_log_swap_faild:count`.\n"),
    Seed("ON104", OVERVIEW, 'ALERTS{«alertstaet=\\"firing', old='ALERTS{alertstate=\\"firing'),
    Seed(
        "ON105",
        RULES,
        'resolution_failures_total{job="«oneiirc"',
        old='resolution_failures_total{job="oneiric"',
    ),
    Seed("ON105", RULES, 'ratio_rate6h{job="«oneirc"', old='ratio_rate6h{job="oneiric"'),
    Seed("ON111", GUIDE, '```promql\nALERTS{alertname=~"Oneiric.+|«OneircSwapFailures"}\n```\n'),
    Seed("ON123", OVERVIEW, '{app=\\"«oneirc\\"} |= \\"swap-rollback', old='{app=\\"oneiric\\"} |= \\"swap-rollback'),
    Seed("ON408", LOGS, "record: «oneiric_log_lines", old="record: env_host:oneiric_log_lines:count"),
    Seed("ON504", ROUTES, "equal:\n  - «jbo", old="equal:\n  - domain"),
    Seed("ON505", ROUTES, 'alertname="«OneircSwapFailures"', old='alertname="OneiricSwapFailures"'),
    Seed("ON602", OVERVIEW, f"time() - {START}«$jbo", old=f"time() - {START}$job"),
    Seed("ON602", OVERVIEW, f"min by (instance) ({START}«$jobs", old=f"min by (instance) ({START}$job"),
    Seed(
        "ON603",
        OVERVIEW,
        'label_values(up{job=~\\"$job\\"}, «instnace)',
        old='label_values(up{job=~\\"$job\\"}, instance)',
    ),
    Seed(
        "ON803",
        PROMTAIL,
        "time: timestamp\n        level: level\n        logger: logger\n        trace_id: trace_id\n"
        "        span_id: span_id\n  - timestamp:\n      source: «timestamp",
        old="timestamp: timestamp\n        level: level\n        logger: logger\n        trace_id: trace_id\n"
        "        span_id: span_id\n  - timestamp:\n      source: timestamp",
    ),
]
"""Each of these is found, once, at its mark."""
