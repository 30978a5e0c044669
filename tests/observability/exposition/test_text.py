"""The exposition is byte for byte what the reference client writes for the same content."""

from __future__ import annotations

import math
import subprocess
import threading
from itertools import accumulate, combinations
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings, strategies
from processes import executable
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar as ClientExemplar

from oneiric.observability.exposition import text_of
from oneiric.observability.exposition.text import BUSY_CHARS, QUIET_CHARS, number_text
from oneiric.observability.metrics import (
    Distribution,
    Exemplar,
    Snapshot,
    SnapshotFamily,
    YieldPoints,
    restricted,
    sample_names,
)
from oneiric.observability.metrics.cells import CounterCell
from oneiric.observability.metrics.yield_points import QUIET_YIELDS
from oneiric.observability.model import Label, Metric

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client.metrics_core import Metric as MetricFamily

NAMES = ("domain", "key", "zone")  # "le" belongs between the second and the third
LABELS = tuple(Label(name) for name in NAMES)
BUCKETS = (0.00001, 0.25, 1.0, 300_000.0, 30_000_000.0)
SPECIAL = [0.0, -0.0, 1.0, 999_999.0, 1e6, 1_234_567.5, 1e15, 1e16, 1e17, 1e308, -1e308, 5e-324, -1.5e6]

texts = strategies.text(strategies.characters(exclude_categories=["Cs"]), max_size=30)
awkward = strategies.sampled_from(["", '"', "\\", "\n", "\\n", 'a"b\\c\nd', "é€𝄞", "\u2028", "\r", "x" * 10_240])
label_values = texts | awkward
numbers = strategies.floats() | strategies.sampled_from(SPECIAL) | strategies.integers(-(2**53), 2**53).map(float)
counts = strategies.integers(0, 2_000_000)
label_sets = strategies.tuples(label_values, label_values, label_values)


def traced_at(value: float) -> Exemplar:
    """Return an exemplar of *value*."""
    return Exemplar("ab" * 16, "cd" * 8, value, 1.5e9)


class Given(Collector):
    """A collector of given families."""

    def __init__(self, *families: MetricFamily) -> None:
        self.families = families

    def collect(self) -> Iterable[MetricFamily]:
        """Return them."""
        return self.families


def reference(*families: MetricFamily, openmetrics: bool) -> bytes:
    """Return what the reference client writes."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Given(*families))
    written: bytes = generate_openmetrics(registry) if openmetrics else generate_latest(registry)
    return written


def assert_equal(snapshot: Snapshot, family: MetricFamily) -> None:
    """Check our text of *snapshot*, the second time from what was kept, against the reference client's of *family*."""
    for openmetrics in (False, True):
        expected = reference(family, openmetrics=openmetrics)
        for _ in range(2):
            assert text_of([SnapshotFamily(snapshot)], openmetrics=openmetrics, pause=int) == expected
        for names in subsets(sorted({sample.name for sample in family.samples})):
            part = restricted(SnapshotFamily(snapshot), names)
            expected = reference(restricted(family, names), openmetrics=openmetrics)
            assert text_of([part], openmetrics=openmetrics, pause=int) == expected
            assert {sample.name for sample in part.samples} == sample_names(part) == names


def subsets(names: list[str]) -> list[frozenset[str]]:
    """Return every set of some of *names*."""
    return [frozenset(some) for count in range(1, len(names) + 1) for some in combinations(names, count)]


@settings(deadline=None)
@given(help_=label_values, series=strategies.dictionaries(label_sets, numbers, max_size=8))
@example(help_="", series={(str(place), "b", "c"): number for place, number in enumerate(SPECIAL)})
def test_counters_and_gauges(help_: str, series: dict[tuple[str, str, str], float]) -> None:
    """Whatever stands in help and labels, and whatever the values, the bytes are the reference client's."""
    for kind, name in (("counter", "things_total"), ("gauge", "level")):
        metric = Metric(name, kind, help_, LABELS)  # type: ignore[arg-type]
        cells = [CounterCell(metric) for _ in series] if kind == "counter" else []
        make = CounterMetricFamily if kind == "counter" else GaugeMetricFamily
        family: MetricFamily = make(name, help_, labels=NAMES)
        for labels, value in series.items():
            family.add_metric(labels, value)  # type: ignore[attr-defined]
        assert_equal(Snapshot(metric, list(series), list(series.values()), cells), family)


@settings(deadline=None)
@given(
    names=strategies.sampled_from([(), ("domain",), ("zone",), NAMES]),
    label_values_=label_sets,
    buckets=strategies.lists(counts, min_size=6, max_size=6),
    total=numbers,
    exemplars=strategies.none() | strategies.lists(strategies.none() | numbers.map(traced_at), min_size=6, max_size=6),
)
def test_histograms(
    names: tuple[str, ...],
    label_values_: tuple[str, ...],
    buckets: list[int],
    total: float,
    exemplars: list[Exemplar | None] | None,
) -> None:
    """Buckets, count, sum and exemplars are the reference client's, with labels on both sides of `le`."""
    metric = Metric("took_seconds", "histogram", "Took.", tuple(map(Label, names)), buckets=BUCKETS)
    labels = label_values_[: len(names)]
    family = HistogramMetricFamily(metric.name, metric.help, labels=names)
    bounds = [*map(number_text, BUCKETS), "+Inf"]
    found = [
        None
        if one is None
        else ClientExemplar({"trace_id": one.trace_id, "span_id": one.span_id}, one.value, one.timestamp)
        for one in exemplars or [None] * 6
    ]
    family.add_metric(labels, list(zip(bounds, accumulate(buckets), found, strict=True)), total)  # type: ignore[arg-type]
    assert_equal(Snapshot(metric, [labels], [Distribution(buckets, total, exemplars)]), family)


@given(numbers)
@example(math.nan)
def test_a_number_reads_back(number: float) -> None:
    """The text of a number is that number again."""
    read = float(number_text(number))
    assert read == number or (math.isnan(read) and math.isnan(number))


@settings(deadline=None)
@given(series=strategies.dictionaries(label_sets, numbers, min_size=1, max_size=6))
def test_both_parsers_read_it(series: dict[tuple[str, str, str], float]) -> None:
    """The reference parsers of both formats read every label and value back."""
    metric = Metric("level", "gauge", "Level.", LABELS)
    family = SnapshotFamily(Snapshot(metric, list(series), list(series.values())))
    for parse, openmetrics in ((parse_text, False), (parse_openmetrics, True)):
        text = text_of([family], openmetrics=openmetrics, pause=int).decode()
        read = {tuple(s.labels.values()): s.value for found in parse(text) for s in found.samples}
        assert repr(read) == repr(series)


def test_a_foreign_family_is_written_by_the_reference_client() -> None:
    """A family that is not of our catalogue, an info or one with timestamps for instance, is left to the client."""
    family = GaugeMetricFamily("other", "Other.", labels=["a"])
    family.add_metric(["x"], 2, timestamp=12.5)
    for openmetrics in (False, True):
        assert text_of([family], openmetrics=openmetrics, pause=int) == reference(family, openmetrics=openmetrics)


@pytest.mark.parametrize(("others_run", "chars"), [(True, BUSY_CHARS), (False, QUIET_CHARS)])
def test_long_expositions_let_others_run(others_run: bool, chars: int) -> None:
    """There are many breaks while other threads run, and few while they do not."""
    metric = Metric("level", "gauge", "Level.", (Label("key"),))
    keys = [(f"key-{number}",) for number in range(50_000)]
    pauses: list[None] = []

    def pause() -> bool:
        pauses.append(None)
        return others_run

    text = text_of([SnapshotFamily(Snapshot(metric, keys, [1.0] * len(keys)))], openmetrics=False, pause=pause)
    assert len(text) / chars / 1.5 < len(pauses) <= len(text) / chars + 1


def test_a_break_tells_whether_others_ran() -> None:
    """A thread that uses the processor is noticed; one that waits is not."""
    stop = threading.Event()
    waiting, working = threading.Thread(target=stop.wait), threading.Thread(target=lambda: sum(range(3_000_000)))
    waiting.start()
    pause = YieldPoints()
    quiet = [pause() for _ in range(QUIET_YIELDS + 20)][QUIET_YIELDS:]
    working.start()
    busy = [pause() for _ in range(20)]
    working.join()
    stop.set()
    waiting.join()
    assert not all(quiet)
    assert any(busy)


@pytest.mark.prometheus
def test_promtool_reads_it() -> None:
    """Prometheus' own checker finds nothing to object to, whatever stands in the labels."""
    metric = Metric("level_bytes", "gauge", "Level of things.", LABELS)
    odd = ['a"b\\c\nd', "é€𝄞", "", "\u2028", "x" * 10_240]
    labels = [(value, str(place), "z") for place, value in enumerate(odd)]
    values = [math.inf, -0.0, math.nan, 1e308, 7.0]
    text = text_of([SnapshotFamily(Snapshot(metric, labels, values))], openmetrics=False, pause=int)
    command = [executable("promtool", package="prometheus"), "check", "metrics"]
    checked = subprocess.run(command, input=text, capture_output=True, check=False)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")
