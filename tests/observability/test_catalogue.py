"""The catalogue: what it promises, and that it cannot contradict itself."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from promised import CONTRACT

from oneiric.core import events
from oneiric.monitoring.generated import generated_files
from oneiric.observability.catalogue import CATALOGUE
from oneiric.observability.model import Catalogue, CatalogueError, Count, Label, Log, Metric, Observe, Read, Signal

ROOT = Path(__file__).parents[2]
COUNTER = Metric("x_total", "counter", "X.", (Label("domain"),))
HISTOGRAM = Metric("x_seconds", "histogram", "X.", (Label("domain"),), buckets=(1.0,))
GAUGE = Metric("x", "gauge", "X.", (Label("domain"),))
GENERATED = {path.relative_to(ROOT).as_posix(): text for path, text in generated_files(ROOT).items()}


def test_the_frozen_metrics_are_exactly_these() -> None:
    """The metrics frozen for good have these names and label sets, and no other metric is marked as frozen."""
    frozen = {metric.name: set(metric.label_names) for metric in CATALOGUE.metrics if metric.stability == "plan"}
    assert frozen == CONTRACT


@pytest.mark.parametrize("path", GENERATED)
def test_generated_files_are_current(path: str) -> None:
    """What is generated from the catalogue equals what is committed; `python -m oneiric.monitoring` makes it anew."""
    assert (ROOT / path).read_text(encoding="utf-8") == GENERATED[path]


def test_telemetry_names_are_written_in_the_catalogue_only() -> None:
    """No module but the catalogue holds the name of a metric, a log event or a span as a literal."""
    names = {metric.name for metric in CATALOGUE.metrics}
    names |= {log.name for _, log in CATALOGUE.log_events} | {signal.span for signal in CATALOGUE.signals} - {""}
    literal = re.compile("|".join(f"[\"']{re.escape(name)}[\"']" for name in sorted(names)))
    written = [
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "oneiric").rglob("*.py")
        if path.name != "catalogue.py" and literal.search(path.read_text(encoding="utf-8"))
    ]
    assert written == []


def test_every_event_type_of_the_runtime_is_bound() -> None:
    """There is no event, operation or state that the runtime reports and the catalogue ignores."""
    bases = (events.Event, events.Operation, events.State)
    reported = {
        value
        for value in vars(events).values()
        if isinstance(value, type) and issubclass(value, (events.Event, events.State)) and value not in bases
    }
    assert reported == {s.event for s in CATALOGUE.signals if s.event.__module__ == events.__name__}


def test_names_follow_the_conventions() -> None:
    """Counters end in `_total`, nothing else does, event names are lower-case ASCII words, buckets ascend."""
    for metric in CATALOGUE.metrics:
        assert metric.name.startswith("oneiric_")
        assert metric.name.endswith("_total") == (metric.type == "counter")
        assert bool(metric.buckets) == (metric.type == "histogram")
        assert list(metric.buckets) == sorted(set(metric.buckets))
    for _, log in CATALOGUE.log_events:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)+", log.name)


@pytest.mark.parametrize(
    ("metrics", "signal", "message"),
    [
        ((COUNTER,), Signal(events.Resolved, "x", (Observe(COUNTER),)), "x_total cannot be a Observe"),
        ((GAUGE,), Signal(events.Resolved, "x", (Read(GAUGE),)), "x cannot be a Read"),
        ((COUNTER,), Signal(events.SourceAdded, "x", (Count(COUNTER),)), r"x_total needs \['domain'\]"),
        ((COUNTER,), Signal(events.Paused, "x", (Count(COUNTER, amount="bytes"),)), r"x_total needs \['bytes'\]"),
        ((HISTOGRAM,), Signal(events.Paused, "x", (Observe(HISTOGRAM),)), r"x_seconds needs \['duration'\]"),
        ((), Signal(events.Paused, "x", logs=(Log("a-b", "info", ("colour",)),)), r"a-b needs \['colour'\]"),
        ((), Signal(events.Paused, "x", known=("source",)), r"known needs \['source'\]"),
        ((COUNTER,), Signal(events.Paused, "x"), r"without a signal, or fed but not listed: \['x_total'\]"),
        ((COUNTER, COUNTER), Signal(events.Paused, "x", (Count(COUNTER),)), r"metric defined more than once"),
    ],
)
def test_a_contradiction_is_refused(metrics: tuple[Metric, ...], signal: Signal, message: str) -> None:
    """A catalogue that its events cannot feed is refused when it is made, naming the signal and what is wrong."""
    with pytest.raises(CatalogueError, match=message):
        Catalogue(metrics, (signal,))


def test_the_module_writes_what_is_committed() -> None:
    """`python -m oneiric.monitoring` runs and leaves a current tree unchanged."""
    before = {path: path.read_bytes() for path in generated_files(ROOT)}
    subprocess.run([sys.executable, "-m", "oneiric.monitoring"], cwd=ROOT, check=True)
    assert before == {path: path.read_bytes() for path in generated_files(ROOT)}
