"""The contract with whoever watches: the frozen metrics and queries, held as data, against a real run."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from processes import Demo, Prometheus, eventually, executable, get
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families
from promised import CONTRACT

from oneiric.observability.catalogue import CATALOGUE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

QUERIES = {
    '{app="oneiric"} |= "resolver-decision" | json | decision="failed"': {
        "event": "resolver-decision",
        "decision": "failed",
    },
    '{app="oneiric"} |= "swap-complete" | json | domain="adapter"': {"event": "swap-complete", "domain": "adapter"},
    '{app="oneiric"} |= "remote-sync-error" | json': {"event": "remote-sync-error"},
    '{app="oneiric"} |= "health-check-failed" | json': {"event": "health-check-failed"},
    '{app="oneiric"} |= "resolver-decision"': {"event": "resolver-decision"},
    '{app="oneiric"} |= "swap-failed"': {"event": "swap-failed"},
    '{app="oneiric"} |= "SHA256 mismatch"': {"event": "artifact-digest-mismatch"},
}
"""Each query with what the lines that it means have, and no others."""


@pytest.fixture(scope="module")
def prometheus(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus that has scraped the demonstration."""
    target = demo.metrics_url.removeprefix("http://").removesuffix("/metrics")
    server = Prometheus.start(tmp_path_factory.mktemp("prometheus"), target)
    try:
        eventually(lambda: server.query('up{job="oneiric"} == 1'), what="Prometheus scraped the demonstration")
        yield server
    finally:
        server.stop()


def evaluate(query: str, lines: list[str]) -> list[str]:
    """Return the lines that a LogQL log query selects: line filters, `| json` and equality on extracted labels."""
    _, stages = re.fullmatch(r"(\{[^}]*\})((?: \|=? ?.*)*)", query).groups()  # type: ignore[union-attr]
    extracted = [(line, json.loads(line)) for line in lines]
    for operator, text, label, value in re.findall(r'(\|=) "([^"]*)"|\| (?:json|(\w+)="([^"]*)")', stages):
        extracted = [
            (line, fields)
            for line, fields in extracted
            if (not operator or text in line) and (not label or fields.get(label) == value)
        ]
    return [line for line, _ in extracted]


def test_the_contract_is_read_whole() -> None:
    """The block of metrics holds the ten that are promised."""
    assert len(CONTRACT) == 10


@pytest.mark.parametrize("metric", CONTRACT)
def test_a_promised_metric_is_exposed_with_its_labels(demo: Demo, metric: str) -> None:
    """In a real run each promised metric has samples above 0, and exactly its labels beside `le`."""
    family = metric.removesuffix("_total")
    samples = [
        sample
        for exposed in text_string_to_metric_families(demo.metrics())
        for sample in exposed.samples
        if exposed.name == family
    ]
    assert {frozenset(sample.labels.keys() - {"le"}) for sample in samples} == {frozenset(CONTRACT[metric])}
    assert any(sample.value > 0 for sample in samples)


@pytest.mark.parametrize("metric", CONTRACT)
@pytest.mark.prometheus
def test_prometheus_answers_for_a_promised_metric(prometheus: Prometheus, metric: str) -> None:
    """A real Prometheus that scrapes the run has each promised metric under its name, with exactly its labels."""
    is_histogram = any(m.name == metric and m.type == "histogram" for m in CATALOGUE.metrics)
    name = f"{metric}_bucket" if is_histogram else metric
    result = prometheus.query(name)
    extra = {"__name__", "instance", "job"} | ({"le"} if is_histogram else set())
    assert {frozenset(series["metric"].keys() - extra) for series in result} == {frozenset(CONTRACT[metric])}
    assert float(prometheus.query(f"sum({name})")[0]["value"][1]) > 0


@pytest.mark.prometheus
def test_what_prometheus_counts_grows(prometheus: Prometheus) -> None:
    """Rates over the scraped counters are above 0 while the run goes on: the counters count."""
    found = eventually(lambda: prometheus.query("sum(rate(oneiric_resolution_total[10s])) > 0"), what="a rate above 0")
    assert len(found) == 1


@pytest.mark.prometheus
def test_promtool_has_one_objection(demo: Demo) -> None:
    """`promtool check metrics` finds nothing but the frozen name in milliseconds."""
    promtool = executable("promtool", package="prometheus")
    checked = subprocess.run(
        [promtool, "check", "metrics"], input=demo.metrics(), capture_output=True, text=True, check=False
    )
    objections = (checked.stdout + checked.stderr).splitlines()
    assert [line.split(" ")[0] for line in objections] == ["oneiric_lifecycle_swap_duration_ms"]


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_returns_exactly_the_lines_it_means(demo: Demo, query: str) -> None:
    """On the lines that the run wrote, a query selects all that it is meant for, at least one, and no other."""
    lines = demo.lines()
    meant = [line for line in lines if QUERIES[query].items() <= json.loads(line).items()]
    assert evaluate(query, lines) == meant
    assert meant


def test_every_line_is_one_flat_object_of_the_catalogue(demo: Demo) -> None:
    """Each line is one JSON object of scalars with the common fields, and an event, level and fields as promised."""
    promised: dict[tuple[str, str], list[set[str]]] = {}
    for signal, log in CATALOGUE.log_events:
        common = {"domain", "key"} & signal.fields
        promised.setdefault((log.name, log.level), []).append({*log.fields, *log.const, *common})
    for line in demo.lines():
        fields: dict[str, Any] = json.loads(line)
        if not fields["logger"].startswith("oneiric."):
            continue  # a library's own line, at debug level
        assert {"timestamp", "level", "logger", "service.name", "service.version"} <= fields.keys()
        assert not [value for value in fields.values() if isinstance(value, (list, dict))]
        assert any(needed <= fields.keys() for needed in promised[fields["event"], fields["level"]]), line


def test_the_counters_agree_with_the_log(tmp_path: Path) -> None:
    """What was counted when the run ended is what the log says: swaps, syncs and failed resolutions."""
    demo = Demo.start(tmp_path, "--seconds", "4", "--rate", "60")
    output, _ = demo.process.communicate(timeout=120)
    last = [line for line in output.splitlines() if line.startswith("resolutions:")][-1]
    events = [json.loads(line)["event"] for line in demo.lines()]
    swaps = re.search(r"swaps: succeeded (\d+), failed (\d+), rolled back (\d+)", last)
    failed = re.search(r"attempted \d+, failed (\d+)", last)
    syncs = re.search(r"syncs: succeeded (\d+), failed (\d+)", last)
    assert swaps and failed and syncs  # noqa: PT018 - the line has them all or is another one
    names = ("swap-complete", "swap-failed", "swap-rollback", "resolver-decision")
    assert [events.count(name) for name in names] == [int(figure) for figure in (*swaps.groups(), failed[1])]
    assert [events.count(name) for name in ("remote-sync-complete", "remote-sync-error")] == [
        int(figure) for figure in syncs.groups()
    ]


def test_openmetrics_of_the_run_is_parsed_by_the_reference(demo: Demo) -> None:
    """Asked for OpenMetrics the run answers with what the reference parser accepts."""
    text = get(demo.metrics_url, {"Accept": "application/openmetrics-text; version=1.0.0"})
    names = {family.name for family in parse_openmetrics(text)}
    assert {metric.name.removesuffix("_total") for metric in CATALOGUE.metrics} <= names
