"""Queries, panels, routes and commands of other systems beside ours: what they name is not ours to know."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from drift_seeds import found, write_bundle

from oneiric.monitoring.drift import Options, check

if TYPE_CHECKING:
    from pathlib import Path

ALERT = "groups:\n- name: a\n  rules:\n"
OURS = "sum(oneiric_lifecycle_instances)"
SOURCE = {"type": "prometheus", "uid": "${ds}"}
VARIABLES = {"list": [{"name": "ds", "type": "datasource", "query": "prometheus"}]}


def rules(*queries: str) -> str:
    """Return a rule file with an alert for each of *queries*, all under one name."""
    return ALERT + "".join(f"  - alert: Other\n    expr: {json.dumps(query)}\n" for query in queries)


def panel(expr: str, *, number: int = 1, source: Any = SOURCE, **more: Any) -> dict[str, Any]:
    """Return a classic panel with one query."""
    return {"id": number, "datasource": source, "targets": [{"expr": expr}], **more}


def board(*panels: dict[str, Any], **more: Any) -> str:
    """Return a classic dashboard of *panels*, each on a line."""
    listed = ",\n".join(map(json.dumps, panels))
    return json.dumps({"templating": VARIABLES, **more})[:-1] + f', "panels": [\n{listed}]}}'


def second(expr: str, *, group: str = "prometheus", variable: str = "label_values(oneiric_build_info, job)") -> str:
    """Return a dashboard of Grafana's second model with one variable and one panel."""
    query = {"kind": "DataQuery", "group": group, "datasource": {"name": "${ds}"}}
    asked = {"kind": "PanelQuery", "spec": {"query": {**query, "spec": {"expr": expr}}}}
    spec = {
        "variables": [
            {"kind": "DatasourceVariable", "spec": {"name": "ds", "pluginId": "prometheus"}},
            {"kind": "QueryVariable", "spec": {"name": "v", "query": {**query, "spec": {"query": variable}}}},
        ],
        "elements": {"a": {"kind": "Panel", "spec": {"id": 1, "data": {"spec": {"queries": [asked]}}}}},
    }
    return json.dumps({"kind": "Dashboard", "metadata": {"name": "x"}, "spec": spec})


@pytest.mark.parametrize(
    "query",
    [
        "sum by (namespace) (up) == 0",
        "rate(process_cpu_seconds_total{pod='x'}[10s]) > 1",
        "sum by (pod) (up) * on (pod) group_left (node) kube_pod_info",
        "histogram_quantile(2, sum(rate(http_seconds_bucket[5m])))",
        r"x{device!~`sd[a-z]\d+`} > 1_000_000",
        "holt_winters(node_load1[1h], 0.5, 0.5)",
        "median_over_time(x[5m])",
        '{"http.server.duration", "service.name"="x"}',
    ],
)
def test_a_query_about_others_is_not_judged(tmp_path: Path, query: str) -> None:
    """Labels, windows and functions of other systems' metrics are theirs, and so are alerts with one name."""
    (tmp_path / "rules.yml").write_text(rules(query, query), encoding="utf-8")
    assert found(tmp_path) == []


def test_a_rule_that_no_server_loads_is_told(tmp_path: Path) -> None:
    """A query that Prometheus refuses is a finding in a rule file, whoever is asked for: the file is refused whole."""
    (tmp_path / "rules.yml").write_text(rules("up == "), encoding="utf-8")
    assert [one[3] for one in found(tmp_path)] == ["ON007"]


@pytest.mark.parametrize(
    "query", ["rate(oneiric_resolution_total{a=`\\d`}[5m])", "oneiric_lifecycle_instances > 1_0 * x"]
)
def test_places_hold_where_prometheus_reads_more_than_the_parser(tmp_path: Path, query: str) -> None:
    """Raw strings and numbers with underscores are read, and what stands behind them has its place."""
    (tmp_path / "a.md").write_text(f"```promql\n{query} + oneiric_nothing\n```\n", encoding="utf-8")
    assert found(tmp_path)[-1] == ("a.md", 2, len(query) + 4, "ON101")


def test_rules_about_others_do_not_hide_the_bundles(tmp_path: Path) -> None:
    """A panel may ask for what the bundle records, where only other systems' rules are among the files."""
    (tmp_path / "rules.yml").write_text(rules("up == 0"), encoding="utf-8")
    (tmp_path / "board.json").write_text(board(panel("job_domain:oneiric_resolution:rate5m")), encoding="utf-8")
    assert found(tmp_path) == []


MYSQL = {"type": "mysql", "uid": "fixed"}
INPUTS = [{"name": "DS_LOKI", "type": "datasource", "pluginId": "loki"}]
LINES = '{app="oneiric"} |= "swap-failed"'
LIBRARY = {"abc": {"model": {"datasource": SOURCE, "targets": [{"expr": OURS}]}}}


@pytest.mark.parametrize(
    "text",
    [
        board(panel(OURS), {"id": 2, "datasource": MYSQL, "targets": [{"rawSql": "SELECT $__time(x), '$unknown'"}]}),
        board(panel(OURS), panel("$metric{a='b'} default 0", number=2, source="fixed")),
        board(
            panel(OURS), panel("WITH (x = y) rate(x)", number=2, source={"type": "victoriametrics-metrics-datasource"})
        ),
        board(panel(OURS), {"id": 2, "links": [{"url": "/d/elsewhere/x"}]}, uid="mine"),
        board(panel("up"), panel("up"), uid="same"),
        board(panel(LINES, source="${DS_LOKI}"), __inputs=INPUTS),
        board(panel(f"sum(count_over_time({LINES} [5m]))", source=None)),
        board(panel(OURS), {"id": 2, "libraryPanel": {"uid": "abc"}}, __elements=LIBRARY),
        second(OURS),
        second(LINES, group="loki"),
        json.dumps({"rows": [{"panels": [panel(OURS, source=None)]}]}),
    ],
)
def test_panels_of_others_are_not_judged(tmp_path: Path, text: str) -> None:
    """Data sources, variables, numbers and links of what asks for nothing of ours are no findings beside ours."""
    (tmp_path / "a.json").write_text(text, encoding="utf-8")
    (tmp_path / "b.json").write_text(board(panel("up"), uid="same"), encoding="utf-8")
    assert found(tmp_path) == []


WRONG = "sum(oneiric_nothing)"


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"rows": [{"panels": [panel(WRONG)]}], "templating": VARIABLES}),
        board(panel(WRONG), __inputs=INPUTS),
        board(__elements={"abc": {"model": panel(WRONG)}}),
        board(__elements=[{"model": panel(WRONG)}]),
        json.dumps({"kind": "Dashboard", "spec": json.loads(board(panel(WRONG)))}),
        second(WRONG),
        second(OURS, variable="label_values(oneiric_nothing, job)"),
        board(panel(WRONG, source="a")).replace('"uid": "${ds}"', '"uid": "a"'),
    ],
)
def test_ours_is_found_wherever_it_stands(tmp_path: Path, text: str) -> None:
    """Rows, libraries, wrapped dashboards and Grafana's second model have their queries and variables judged."""
    (tmp_path / "a.json").write_text(text, encoding="utf-8")
    assert {one[3] for one in found(tmp_path)} - {"ON601"} == {"ON101"}


SHARED = """route:
  receiver: default
  group_by: [alertname, namespace, «]
  routes:
  - receiver: other
    matchers: [tenant="kube-system", severity=page]
  - receiver: ours
    matchers: ['{alertname=~"Oneiric.*", "severity"="critical"}']
receivers: [name: default, name: other, name: ours]
inhibit_rules:
- source_matchers: [alertname="InfoInhibitor"]
  target_matchers: [severity="info"]
  equal: [namespace]
""".replace("[name: default, name: other, name: ours]", "[{name: default}, {name: other}, {name: ours}]")


def test_routes_of_others_are_not_judged(tmp_path: Path) -> None:
    """Labels and values that only alerts of others can have are no findings; one nearly like ours is."""
    write_bundle(tmp_path, below="prometheus/rules")
    (tmp_path / "am.yml").write_text(SHARED.replace("«", "domain"), encoding="utf-8")
    assert found(tmp_path) == []
    (tmp_path / "am.yml").write_text(SHARED.replace("«", "domian"), encoding="utf-8")
    assert found(tmp_path) == [("am.yml", 3, 36, "ON507")]
    codes = {one.code for one in check([tmp_path], Options(is_complete=True)).findings}
    assert {"ON502", "ON503", "ON507"} <= codes


def test_receivers_of_others_may_be_unused(tmp_path: Path) -> None:
    """A receiver without a route is a finding only where alerts of ours are routed."""
    text = "route: {receiver: a}\nreceivers: [{name: a}, {name: b}]\n"
    (tmp_path / "am.yml").write_text(text, encoding="utf-8")
    assert found(tmp_path) == []
    (tmp_path / "am.yml").write_text(text.replace("name: b", "name: oneiric"), encoding="utf-8")
    assert found(tmp_path) == [("am.yml", 2, 31, "ON506")]


GUIDE = """The `oneiric namespace` has its own network.

```promql
sum(rate(<metric>[5m]))
```

```promql
rate(oneiric_resolution_total{domain="<domain>"}[<window>])
```

```logql
{app="x"} | whatever
```

```console
(venv) me@host:~/oneiric$ kubectl get pods -n oneiric
oneiric   1/1   Running  0  5m
$ oneiric monitoring check \\
    --complete
oneiric says nothing
```

```bash
ONEIRIC_VERSION=1.0
pip install "oneiric==$ONEIRIC_VERSION"
docker run --network oneiric_network -v oneiric_data:/data db oneiric_prod
promtool check rules oneiric_alerts.yaml
promtool query instant http://oneiric_prometheus:9090 'sum(oneiric_lifecycle_instances)'
curl -G http://loki/loki/api/v1/query_range --data-urlencode 'query={app="oneiric"} |= "swap-failed"'
curl 'http://h/api/v1/query' -d 'query=sum%28oneiric_lifecycle_instances%29'
gh api graphql -f query='{repository(owner:"x",name:"oneiric"){id}}'
cat > x.ini <<'END'
oneiric = 1
oneiric nothing
END
```
"""


def test_documents_are_for_people(tmp_path: Path) -> None:
    """Parts left open, prompts, what commands print, names of networks and documents in documents are no findings."""
    (tmp_path / "guide.md").write_text(GUIDE, encoding="utf-8")
    assert found(tmp_path) == []


@pytest.mark.parametrize(
    ("old", "new", "line", "code"),
    [
        ("--complete", "--completed", 19, "ON132"),
        ("swap-failed", "swap-failde", 29, "ON121"),
        ("sum(oneiric_lifecycle_instances)", "sum(oneiric_lifecycle_instance)", 28, "ON101"),
        ("oneiric = 1", "ONEIRIC_LIFECYCLE__HOOK_TIMEOUTS=1", 33, "ON135"),
        ("oneiric==$ONEIRIC_VERSION", "oneiric", 24, "ON135"),
        ("END\n```", "END\nif oneiric lifecycle; then\n```", 36, "ON131"),
    ],
)
def test_what_a_document_has_people_type_is_judged(tmp_path: Path, old: str, new: str, line: int, code: str) -> None:
    """Behind prompts, in queries, in documents that commands read and in control structures, defects are found."""
    assert old in GUIDE
    (tmp_path / "guide.md").write_text(GUIDE.replace(old, new, 1), encoding="utf-8")
    assert [one[1::2] for one in found(tmp_path)] == [(line, code)]
