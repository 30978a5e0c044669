"""The log queries of the bundle on lines that a real run wrote: each returns exactly the lines that it means."""

from __future__ import annotations

import json
import math
from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from logql.lines import Line
from logql.measurement import measure
from logql.selection import select

from oneiric.monitoring.bundle.loki import METADATA
from oneiric.monitoring.bundle.loki.queries import further_searches, measurements, plan_searches
from oneiric.monitoring.bundle.loki.rules import INTERVAL, OFFSET, log_rules
from oneiric.monitoring.config import configured
from oneiric.monitoring.notation.logql import LogQuery, VectorAggregation, parse, replaced

if TYPE_CHECKING:
    from collections.abc import Callable

    from processes import Demo

    from oneiric.monitoring.bundle.loki.queries import Search

CONFIG = configured(["swap_slow_seconds=0.005"])
QUICK = 0.1
"""Milliseconds that some swaps of the demonstration take longer than: none is slow."""
STREAM = {"app": "oneiric", "env": "production", "host": "here"}

Fields = dict[str, Any]
PLANNED: dict[str, Callable[[Fields], bool]] = {
    "Resolution errors": lambda line: line["event"] == "resolver-decision" and line["decision"] == "failed",
    "Lifecycle swaps": lambda line: line["event"] == "swap-complete" and line["domain"] == "adapter",
    "Remote sync errors": lambda line: line["event"] == "remote-sync-error",
    "Health check failures": lambda line: line["event"] == "health-check-failed",
    "Resolver decisions": lambda line: line["event"] == "resolver-decision",
    "Failed swaps": lambda line: line["event"] == "swap-failed",
    "Digest mismatches": lambda line: line["event"] == "artifact-digest-mismatch",
}
FURTHER: dict[str, Callable[[Fields], bool]] = {
    "Warnings and errors": lambda line: line["level"] in {"warning", "error"},
    "One component": lambda line: (line.get("domain"), line.get("key")) == ("adapter", "cache"),
    "One trace": lambda line: "artifact-downloaded" in json.dumps(line),
    "Rollbacks": lambda line: line["event"] == "swap-rollback",
    "Slow swaps": lambda line: line["event"] == "swap-complete" and line["duration_ms"] > QUICK,
    "Pauses and drains": lambda line: (
        line["event"].startswith("domain-") and line["event"] != "domain-activity-blocked"
    ),
    "Manifests that are not trusted": lambda line: line["event"] == "manifest-signature-invalid",
    "Failed checks of swaps": lambda line: line["event"] == "health-check-failed" and line["phase"] == "swap",
}
"""What a line is that a search means, by its title."""
VARIABLES = {"domain": "adapter", "key": "cache", "trace_id": "artifact-downloaded", "__auto": "2h"}


@pytest.fixture(scope="module")
def written(demo: Demo) -> list[Line]:
    """The lines of a run that did everything at least once, as the shippers of the bundle hand them to Loki."""
    return [_shipped(line.rstrip("\n")) for line in demo.lines()]


def _shipped(text: str) -> Line:
    fields = json.loads(text)
    metadata = {name: fields[name] for name in METADATA if name in fields}
    return Line(text, STREAM, metadata, datetime.fromisoformat(fields["timestamp"]).timestamp())


def test_every_search_has_a_meaning_here() -> None:
    """The table above says of every search of the bundle which lines it means, and of nothing else."""
    assert [search.title for search in plan_searches(CONFIG)] == [*PLANNED]
    assert [search.title for search in further_searches(CONFIG)] == [*FURTHER]


@pytest.mark.parametrize("search", [*plan_searches(CONFIG), *further_searches(CONFIG)], ids=lambda search: search.title)
def test_a_search_returns_exactly_the_lines_it_means(written: list[Line], search: Search) -> None:
    """A search selects all lines that it is meant for, at least one, and no other; none is marked as unreadable."""
    text = search.query.replace("duration_ms > 5", f"duration_ms > {QUICK}")
    query = parse(replaced(text, VARIABLES))
    assert isinstance(query, LogQuery)
    meant = [line for line in written if (PLANNED | FURTHER)[search.title](json.loads(line.text))]
    found = select(query, written)
    assert [entry.line for entry in found] == meant
    assert meant
    assert not [entry for entry in found if "__error__" in entry.labels]


COUNTED: dict[str, tuple[str, tuple[str, ...]]] = {
    "Failed resolutions by reason": ("Resolution errors", ("domain", "key", "reason")),
    "Failed swaps by error": ("Failed swaps", ("domain", "key", "error_type")),
    "Failed synchronisations by host": ("Remote sync errors", ("source", "host")),
}
"""Which search's lines a measurement counts, and by which fields."""


@pytest.mark.parametrize("title", COUNTED)
def test_a_count_is_that_of_the_lines(written: list[Line], title: str) -> None:
    """Lines are counted by fields, the field that is called as a label of the stream included."""
    search, fields = COUNTED[title]
    meant = (json.loads(line.text) for line in written if PLANNED[search](json.loads(line.text)))
    expected = Counter(tuple(str(line[name]) for name in fields if name in line) for line in meant)
    assert _measured(title, written) == expected
    assert expected


def test_lines_are_counted_by_level(written: list[Line]) -> None:
    """Every line counts once, under its level."""
    expected = Counter((json.loads(line.text)["level"],) for line in written)
    assert _measured("Lines by level", written) == expected


def test_the_longest_swap_is_found(written: list[Line]) -> None:
    """The longest swap of each component is the largest duration that a line has for it."""
    longest: dict[tuple[str, ...], float] = {}
    for line in map(json.loads, (line.text for line in written)):
        if line["event"] == "swap-complete":
            component = (line["domain"], line["key"])
            longest[component] = max(longest.get(component, 0.0), line["duration_ms"])
    assert _measured("Longest swaps", written) == longest


def test_volume_and_silence(written: list[Line]) -> None:
    """The volume is that of the lines without their ends, and there is no silence while there are lines."""
    size = sum(len(line.text.encode()) for line in written)
    assert _measured("Volume", written) == {(): pytest.approx(size / 7200)}
    assert _measured("Silence", written) == {}


def _measured(title: str, written: list[Line]) -> dict[tuple[str, ...], float]:
    """Return what the measurement *title* says when the last line was written, by label values in its order."""
    text = next(search.query for search in measurements(CONFIG) if search.title == title)
    query = parse(replaced(text, VARIABLES))
    assert not isinstance(query, LogQuery)
    found = measure(query, written, at=max(line.seconds for line in written))
    assert isinstance(found, dict)
    order = ["domain", "key", "source", "reason", "error_type", "host_extracted", "level"]
    return {
        tuple(value for _, value in sorted(labels, key=lambda label: order.index(label[0]))): number
        for labels, number in found.items()
    }


@pytest.mark.parametrize("name", log_rules(CONFIG))
def test_a_recording_rule_counts_each_line_once(written: list[Line], name: str) -> None:
    """Over minute after minute a rule adds up to all lines of its event, by labels and fields."""
    query = parse(log_rules(CONFIG)[name])
    assert isinstance(query, VectorAggregation)
    assert query.grouping is not None
    found: Counter[frozenset[tuple[str, str]]] = Counter()
    # The evaluation that counts a line is the first one after it that is late enough for the rule's offset.
    first = math.floor(min(line.seconds for line in written) / INTERVAL)
    last = math.ceil((max(line.seconds for line in written) + OFFSET) / INTERVAL)
    for evaluation in range(first, last + 1):
        vector = measure(query, written, at=evaluation * INTERVAL)
        assert isinstance(vector, dict)
        found.update({labels: int(value) for labels, value in vector.items()})
    by = [label.text for label in query.grouping.labels]
    event = name.removeprefix("env:oneiric_log_").removesuffix(":count").replace("_", "-")
    expected: Counter[frozenset[tuple[str, str]]] = Counter()
    for line in written:
        fields = json.loads(line.text)
        if "oneiric_log_lines" in name or "oneiric_log_bytes" in name or fields["event"] == event:
            known = {**fields, "host_extracted": fields.get("host"), **STREAM}
            labels = frozenset((label, str(known[label])) for label in by if known.get(label) is not None)
            expected[labels] += len(line.text.encode()) if "bytes" in name else 1
    assert found == expected
