"""The catalogue: what it promises, and that it cannot contradict itself."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from promised import CONTRACT

from oneiric.core import events
from oneiric.monitoring.generated import generated_files
from oneiric.observability import catalogue
from oneiric.observability.catalogue import CATALOGUE
from oneiric.observability.model import Catalogue, CatalogueError, Count, Label, Log, Metric, Observe, Read, Signal


def _counter(*labels: Label, name: str = "y_total", **options: Any) -> Metric:
    return Metric(name, "counter", "Y.", labels, **options)


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
        if path != ROOT / "oneiric/observability/catalogue.py" and literal.search(path.read_text(encoding="utf-8"))
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
    ("signal", "message"),
    [
        (
            Signal(events.Resolved, "x", (Observe(COUNTER),)),
            "Resolved: x_total cannot be a Observe, which binds a histogram to a kind of Event; .* is a counter",
        ),
        (Signal(events.Resolved, "x", (Read(GAUGE),)), "Resolved: x cannot be a Read, which .* to a kind of State"),
        (
            Signal(events.SourceAdded, "x", (Count(COUNTER),)),
            r"SourceAdded: x_total needs \['domain'\], which the event does not have; it has \['source'\]",
        ),
        (Signal(events.Paused, "x", (Count(COUNTER, amount="bytes"),)), r"Paused: x_total needs \['bytes'\]"),
        (Signal(events.Paused, "x", (Observe(HISTOGRAM),)), r"Paused: x_seconds needs \['duration'\]"),
        (Signal(events.Paused, "x", logs=(Log("a-b", "info", ("colour",)),)), r"Paused: a-b needs \['colour'\]"),
        (Signal(events.Paused, "x", logs=(Log("a-b", "info", on=("failed",)),)), "a-b: on= is for an operation only"),
        (Signal(events.Swap, "x", logs=(Log("a-b", "info"),)), "Swap: a-b: an operation's log event needs on="),
        (Signal(events.Paused, "x", known=("source",)), r"Paused: known needs \['source'\]"),
        (
            Signal(events.Paused, "x", (Count(COUNTER), Count(replace(COUNTER)))),
            r"metric .* once: \['x_total'\]",
        ),
        (
            Signal(events.Paused, "x", (Count(_counter(Label("state", ("on", "off"))), const={"state": "of"}),)),
            r"Paused: y_total cannot have state \['of'\]: the label's values are on, off",
        ),
        (
            Signal(events.WorkBlocked, "x", (Count(_counter(Label("reason", ("paused",)))),)),
            r"WorkBlocked: y_total cannot have reason \['draining'\]: the label's values are paused; Label.of takes",
        ),
        (
            Signal(events.Paused, "x", (Count(_counter(part_of=COUNTER)),)),
            "y_total: part_of must be a metric of",
        ),
        (
            Signal(events.Paused, "x", (Count(_counter(Label("state", ("on", "off"))), const={"state": "on"}),)),
            "y_total: no signal gives state the value off",
        ),
        (Signal(events.Paused, "x", (Count(_counter(moved_by="moon")),)), "moved_by must be one of sync, probe, scan"),
        (Signal(events.Paused, "x", (Count(_counter(name="Y-total")),)), "Y-total: its name must be lower-case words"),
        (
            Signal(events.Paused, "x", (Count(_counter(name="y")),)),
            "y: a counter's name, and no other, must end",
        ),
        (Signal(events.Paused, "x", (Count(_counter(buckets=(1.0,))),)), "a histogram, and no other metric, must have"),
        (Signal(events.Resolved, "x", (Observe(replace(HISTOGRAM, buckets=(2.0, 1.0))),)), "its buckets must ascend"),
    ],
)
def test_a_contradiction_is_refused(signal: Signal, message: str) -> None:
    """A catalogue that its events cannot feed is refused when it is made, naming the signal and what is wrong."""
    with pytest.raises(CatalogueError, match=message):
        Catalogue((signal,))


def test_two_signals_of_one_type_are_refused() -> None:
    """An event type has one signal, which has all that is counted, logged and traced of it."""
    with pytest.raises(CatalogueError, match=r"signal defined more than once: \['Paused'\]"):
        Catalogue((Signal(events.Paused, "x"), Signal(events.Paused, "y")))


def test_a_label_of_a_field_that_enumerates_nothing_is_refused() -> None:
    """The values of a label can be taken only from a field that has a Literal type."""
    for name in ("domain", "colour"):
        with pytest.raises(CatalogueError, match=f"Paused.{name}: must be a field whose type is a Literal"):
            Label.of(events.Paused, name)


def test_every_metric_of_the_module_is_fed() -> None:
    """No metric is defined that no signal feeds."""
    defined = {name for name, value in vars(catalogue).items() if isinstance(value, Metric)}
    fed = {name for name in defined if any(vars(catalogue)[name] is metric for metric in CATALOGUE.metrics)}
    assert defined == fed


def test_metrics_come_in_the_order_of_their_definition() -> None:
    """A catalogue has its metrics in the order in which they are made, each once, in whatever order they are bound."""
    first, second = _counter(), replace(COUNTER, name="z_total")
    signals = (Signal(events.Paused, "x", (Count(second),)), Signal(events.Resumed, "x", (Count(first), Count(second))))
    assert Catalogue(signals).metrics == (first, second)


def test_the_module_writes_what_is_committed() -> None:
    """`python -m oneiric.monitoring` runs and leaves a current tree unchanged."""
    before = {path: path.read_bytes() for path in generated_files(ROOT)}
    subprocess.run([sys.executable, "-m", "oneiric.monitoring"], cwd=ROOT, check=True)
    assert before == {path: path.read_bytes() for path in generated_files(ROOT)}
