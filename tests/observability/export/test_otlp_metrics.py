"""Families of Prometheus as metrics of OpenTelemetry: names, units, kinds, starts, exemplars, bad families."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from prometheus_client import CollectorRegistry, Counter, Enum, Gauge, Histogram, Info, Summary
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

from oneiric.observability.catalogue import CATALOGUE
from oneiric.observability.export.otlp_metrics import MAX_POINTS, MetricProducer
from oneiric.observability.export.otlp_names import otel_name
from oneiric.observability.metrics import Distribution, Exemplar, Snapshot, SnapshotFamily

if TYPE_CHECKING:
    from collections.abc import Iterable

    from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
    from prometheus_client import Metric as Family

UNITS = {"s": "seconds", "ms": "milliseconds", "By": "bytes"}


class Producing:
    """A producer of given families, whose clock is set by hand, and what failed."""

    def __init__(self, families: Iterable[Family]) -> None:
        self.families = families
        self.failures: list[Exception] = []
        self.now = 1000
        self.pauses = 0
        self._producer = MetricProducer(
            lambda: self.families,
            resource={"service.name": "shop", "numbers": (1, 2.5, True)},
            version="1",
            failed=self.failures.append,
            pause=self._pause,
            clock=lambda: self.now,
        )

    def requests(self) -> list[ExportMetricsServiceRequest]:
        """Return what is sent now."""
        return [ExportMetricsServiceRequest.FromString(each) for each in self._producer.requests()]

    def metrics(self) -> dict[str, Metric]:
        """Return the metrics of all requests, by name."""
        return {
            metric.name: metric
            for request in self.requests()
            for metric in request.resource_metrics[0].scope_metrics[0].metrics
        }

    def abandon(self) -> None:
        """Collect, and stop at the first request, as when it cannot be sent."""
        next(self._producer.requests())

    def _pause(self) -> None:
        self.pauses += 1


def counter(value: float, *labels: str) -> CounterMetricFamily:
    """Return a counter with a series for each label, or with one."""
    family = CounterMetricFamily("jobs", "Jobs.", labels=["kind"] if labels else [])
    for label in labels or [None]:
        family.add_metric([] if label is None else [label], value)
    return family


def starts(producing: Producing) -> dict[str, int]:
    """Return the start of each series of the counter, by label."""
    points = producing.metrics()["jobs"].sum.data_points
    return {point.attributes[0].value.string_value: point.start_time_unix_nano for point in points}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("oneiric_resolution", ("oneiric.resolution", "")),
        ("oneiric_resolution_duration_seconds", ("oneiric.resolution.duration", "s")),
        ("oneiric_lifecycle_swap_total", ("oneiric.lifecycle.swap", "")),
        ("oneiric_lifecycle_swap_duration_ms", ("oneiric.lifecycle.swap.duration", "ms")),
        ("oneiric_lifecycle_health_check_failures_total", ("oneiric.lifecycle.health_check_failures", "")),
        ("oneiric_remote_artifact_download_bytes_total", ("oneiric.remote.artifact_download", "By")),
        ("oneiric_cache_filesystem_avail_bytes", ("oneiric.cache.filesystem_avail", "By")),
        ("process_cpu_seconds_total", ("process_cpu", "s")),
        ("seconds", ("seconds", "")),
        ("oneiric", ("oneiric", "")),
    ],
)
def test_names_and_units_are_opentelemetrys(name: str, expected: tuple[str, str]) -> None:
    """The unit and _total leave the name, and our names have dots between namespaces."""
    assert otel_name(name) == expected


@pytest.mark.parametrize("metric", CATALOGUE.metrics, ids=lambda metric: metric.name)
def test_prometheus_gives_the_name_back(metric: Any) -> None:
    """Translated as Prometheus does, each name of the catalogue is what is scraped, but for one in milliseconds."""
    name, unit = otel_name(metric.name)
    back = name.replace(".", "_") + (f"_{UNITS[unit]}" if unit else "") + ("_total" if metric.type == "counter" else "")
    assert back.replace("_milliseconds", "_ms") == metric.name


def test_names_stay_different() -> None:
    """No two metrics of the catalogue get one name."""
    names = [otel_name(metric.name)[0] for metric in CATALOGUE.metrics]
    assert len(set(names)) == len(names)


def test_each_kind_is_what_it_is() -> None:
    """Every kind of metric of the reference client arrives, with its values."""
    registry = CollectorRegistry()
    Counter("jobs", "Jobs.", registry=registry).inc(3)
    Gauge("depth_bytes", "Depth.", registry=registry).set(-0.5)
    Info("build", "Build.", registry=registry).info({"version": "1"})
    Enum("state", "State.", states=["on", "off"], registry=registry).state("off")
    Summary("size_bytes", "Size.", registry=registry).observe(5)
    histogram = Histogram("wait_seconds", "Wait.", ["kind"], buckets=(1, 2), registry=registry)
    for seconds in (0.5, 1.5, 1.7, 9):
        histogram.labels("slow").observe(seconds)
    producing = Producing(list(registry.collect()))
    metrics = producing.metrics()
    assert (metrics["jobs"].sum.data_points[0].as_double, metrics["jobs"].description) == (3.0, "Jobs.")
    assert (metrics["depth"].gauge.data_points[0].as_double, metrics["depth"].unit) == (-0.5, "By")
    assert metrics["build_info"].gauge.data_points[0].as_double == 1.0
    assert [point.as_double for point in metrics["state"].gauge.data_points] == [0.0, 1.0]
    size = metrics["size"].histogram.data_points[0]
    assert (size.count, size.sum, list(size.bucket_counts), list(size.explicit_bounds)) == (1, 5.0, [1], [])
    wait = metrics["wait"].histogram.data_points[0]
    assert (wait.count, wait.sum, list(wait.bucket_counts), list(wait.explicit_bounds)) == (4, 12.7, [1, 2, 1], [1, 2])
    assert [(pair.key, pair.value.string_value) for pair in wait.attributes] == [("kind", "slow")]
    assert not wait.HasField("min")
    assert producing.failures == []


def test_values_that_are_no_numbers_are_sent_as_they_are() -> None:
    """NaN and infinities are values of a gauge like any other."""
    family = GaugeMetricFamily("depth", "Depth.", labels=["kind"])
    for kind, value in (("a", math.nan), ("b", math.inf), ("c", -math.inf)):
        family.add_metric([kind], value)
    points = Producing([family]).metrics()["depth"].gauge.data_points
    assert [str(point.as_double) for point in points] == ["nan", "inf", "-inf"]


def test_a_series_starts_when_it_was_first_not_there() -> None:
    """A series begins with the process, a later one at the export before, and one that fell back there as well."""
    producing = Producing([counter(5, "old")])
    producing.now = 2000
    assert starts(producing) == {"old": 1000}
    producing.now, producing.families = 3000, [counter(5, "old", "new")]
    assert starts(producing) == {"old": 1000, "new": 2000}
    producing.now, producing.families = 4000, [counter(1, "old"), counter(6, "new")]
    assert producing.metrics()["jobs"].sum.data_points[0].start_time_unix_nano == 2000
    producing.families = [counter(1, "old")]
    producing.now = 5000
    assert starts(producing) == {"old": 3000}


def test_a_series_that_went_away_and_came_back_starts_anew() -> None:
    """A series of a component that was unregistered meanwhile is another one."""
    producing = Producing([counter(5, "old")])
    producing.requests()
    producing.now, producing.families = 2000, []
    producing.requests()
    producing.families = [counter(7, "old")]
    assert starts(producing) == {"old": 2000}


def test_an_export_that_was_not_finished_changes_no_start() -> None:
    """Series that an interrupted export did not come to keep their start."""
    kinds = [str(number) for number in range(MAX_POINTS + 1)]
    producing = Producing([counter(1, *kinds)])
    producing.requests()
    producing.now = 2000
    producing.abandon()
    producing.now = 3000
    assert set(starts(producing).values()) == {1000}


def test_what_an_unfinished_export_sent_counts() -> None:
    """A series that fell back from what an interrupted export had sent starts anew."""
    kinds = [str(number) for number in range(MAX_POINTS + 1)]
    producing = Producing([counter(1, *kinds)])
    producing.now = 1500
    producing.requests()
    producing.families = [counter(7, *kinds[:MAX_POINTS]), counter(7, kinds[-1])]
    producing.abandon()
    producing.now, producing.families = 2000, [counter(6, "0")]
    assert starts(producing) == {"0": 1500}


def test_exemplars_keep_their_trace() -> None:
    """An exemplar's trace and span become its identifiers, what is none of those an attribute."""
    registry = CollectorRegistry()
    histogram = Histogram("wait_seconds", "Wait.", buckets=(1,), registry=registry)
    histogram.observe(0.5, {"trace_id": "0a" * 16, "span_id": "0b" * 8, "tenant": "a"})
    histogram.observe(5.0, {"trace_id": "xyz", "span_id": "0b"})
    first, second = Producing(list(registry.collect())).metrics()["wait"].histogram.data_points[0].exemplars
    assert (first.trace_id, first.span_id, first.as_double) == (b"\x0a" * 16, b"\x0b" * 8, 0.5)
    assert [(pair.key, pair.value.string_value) for pair in first.filtered_attributes] == [("tenant", "a")]
    assert (second.trace_id, second.span_id) == (b"", b"")
    assert first.time_unix_nano > 1_600_000_000 * 10**9


def test_requests_are_bounded() -> None:
    """More points than fit into a request are sent in several, each point once, with pauses between."""
    kinds = [str(number) for number in range(2 * MAX_POINTS + 1)]
    producing = Producing([counter(1), counter(2, *kinds)])
    sizes = [
        [len(metric.sum.data_points) for metric in request.resource_metrics[0].scope_metrics[0].metrics]
        for request in producing.requests()
    ]
    assert sizes == [[1], [MAX_POINTS], [MAX_POINTS], [1]]
    assert producing.pauses > 60


def test_a_bad_family_costs_itself_only() -> None:
    """A family that cannot be encoded is reported, and the others are sent."""
    wrong = HistogramMetricFamily("wait", "Wait.")
    wrong.add_sample("wait_bucket", {"le": "zero"}, 1.0)
    surrogate = GaugeMetricFamily("depth", "Depth.", labels=["kind"])
    surrogate.add_metric(["\ud800"], 1.0)
    producing = Producing([wrong, surrogate, counter(1)])
    assert list(producing.metrics()) == ["jobs"]
    assert len(producing.failures) == 2


def test_the_resource_and_the_scope_are_named() -> None:
    """Each request says what is measured, and by whom."""
    (request,) = Producing([counter(1)]).requests()
    resource = request.resource_metrics[0]
    name, numbers = resource.resource.attributes
    assert (name.key, name.value.string_value) == ("service.name", "shop")
    assert len(numbers.value.array_value.values) == 3
    scope = resource.scope_metrics[0].scope
    assert (scope.name, scope.version) == ("oneiric", "1")


def test_our_own_families_need_no_samples() -> None:
    """A counter, a gauge and a histogram of the catalogue arrive with labels, values and exemplars."""
    resolutions, durations, candidates = (
        next(metric for metric in CATALOGUE.metrics if metric.name == name)
        for name in ("oneiric_resolution_total", "oneiric_resolution_duration_seconds", "oneiric_resolver_candidates")
    )
    counts = [0] * 16 + [2]
    exemplars = [None] * 16 + [Exemplar("0a" * 16, "0b" * 8, 7.0, 1000.5)]
    families: list[Family] = [
        SnapshotFamily(Snapshot(resolutions, [("adapter", "cache", "redis")], [3.0])),
        SnapshotFamily(Snapshot(durations, [("adapter", "cache")], [Distribution(counts, 14.0, exemplars)])),
        SnapshotFamily(Snapshot(candidates, [("adapter", "active")], [1])),
    ]
    metrics = Producing(families).metrics()
    assert metrics["oneiric.resolution"].sum.data_points[0].as_double == 3.0
    assert metrics["oneiric.resolver.candidates"].gauge.data_points[0].as_double == 1.0
    point = metrics["oneiric.resolution.duration"].histogram.data_points[0]
    assert (point.count, point.sum, list(point.bucket_counts)) == (2, 14.0, counts)
    assert {pair.key: pair.value.string_value for pair in point.attributes} == {"domain": "adapter", "key": "cache"}
    (exemplar,) = point.exemplars
    assert (exemplar.trace_id, exemplar.span_id, exemplar.as_double) == (b"\x0a" * 16, b"\x0b" * 8, 7.0)
    assert exemplar.time_unix_nano == 1000_500_000_000
