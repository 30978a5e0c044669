"""Metric families of Prometheus as metrics of OpenTelemetry, encoded in requests of bounded size."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AGGREGATION_TEMPORALITY_CUMULATIVE,
    Gauge,
    Histogram,
    Metric,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from oneiric.observability.export.otlp_names import otel_name
from oneiric.observability.export.otlp_points import (
    Starts,
    attributes,
    histogram_points,
    number_points,
    snapshot_points,
)
from oneiric.observability.metrics import SnapshotFamily

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from opentelemetry.proto.metrics.v1.metrics_pb2 import HistogramDataPoint, NumberDataPoint
    from prometheus_client import Metric as Family

MAX_POINTS = 1000
"""Points in one request: 500 bytes each or so, where a collector takes 4 MiB unless configured otherwise."""

_WITH_BUCKETS = frozenset({"histogram", "gaugehistogram", "summary"})


class MetricProducer:
    """Reads families and encodes them; for one thread.

    Counters are monotonic cumulative sums; histograms, and summaries without their quantiles, cumulative histograms;
    everything else gauges. A family that cannot be encoded is reported and left out.

    Args:
        collect: Returns the families.
        resource: Attributes of what is measured.
        version: Of the runtime, the instrumentation scope's.
        failed: Called with what a family raised.
        pause: Called now and then, so that other threads can run.
        clock: Nanoseconds since the epoch.
    """

    def __init__(  # noqa: PLR0913 - parts that a test exchanges
        self,
        collect: Callable[[], Iterable[Family]],
        *,
        resource: Mapping[str, object],
        version: str,
        failed: Callable[[Exception], object],
        pause: Callable[[], object],
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._collect = collect
        self._resource = Resource(attributes=attributes(resource))
        self._scope = InstrumentationScope(name="oneiric", version=version)
        self._failed = failed
        self._pause = pause
        self._clock = clock
        self._starts = Starts(clock())

    def requests(self) -> Iterator[bytes]:
        """Collect, and yield encoded requests of at most :data:`MAX_POINTS` points each."""
        now = self._clock()
        self._starts.begin()
        batch: list[Metric] = []
        points = 0
        for family in self._collect():
            for metric, size in self._pieces(family, now):
                if points + size > MAX_POINTS and batch:
                    yield self._request(batch)
                    batch, points = [], 0
                batch.append(metric)
                points += size
        if batch:
            yield self._request(batch)
        self._starts.commit(now)

    def _pieces(self, family: Family, now: int) -> Sequence[tuple[Metric, int]]:
        """Return the metric of *family*, in as many pieces as its points need, with the number of points."""
        try:
            points = list(self._points(family, now))
            return [
                (_metric(family, piece), len(piece))
                for piece in (points[at : at + MAX_POINTS] for at in range(0, len(points), MAX_POINTS))
            ]
        except Exception as error:  # noqa: BLE001 - isolation is the job: anybody's families
            self._failed(error)
            return ()

    def _points(self, family: Family, now: int) -> Iterator[NumberDataPoint | HistogramDataPoint]:
        if isinstance(family, SnapshotFamily):  # ours, whose samples need not be made for that
            return snapshot_points(family.snapshot, self._starts, now, self._pause)
        make = histogram_points if family.type in _WITH_BUCKETS else number_points
        return make(family, self._starts, now, self._pause)

    def _request(self, metrics: Sequence[Metric]) -> bytes:
        scopes = [ScopeMetrics(scope=self._scope, metrics=metrics)]
        request = ExportMetricsServiceRequest(
            resource_metrics=[ResourceMetrics(resource=self._resource, scope_metrics=scopes)]
        )
        encoded: bytes = request.SerializeToString()
        return encoded


def _metric(family: Family, points: Sequence[Any]) -> Metric:
    name, unit = otel_name(f"{family.name}_info" if family.type == "info" else family.name)
    metric = Metric(name=name, description=family.documentation, unit=unit)
    if family.type == "counter":
        metric.sum.CopyFrom(
            Sum(data_points=points, is_monotonic=True, aggregation_temporality=AGGREGATION_TEMPORALITY_CUMULATIVE)
        )
    elif family.type in _WITH_BUCKETS:
        metric.histogram.CopyFrom(
            Histogram(data_points=points, aggregation_temporality=AGGREGATION_TEMPORALITY_CUMULATIVE)
        )
    else:
        metric.gauge.CopyFrom(Gauge(data_points=points))
    return metric
