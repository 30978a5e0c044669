"""The values of one metric at one instant, and the same as a metric family of the reference client."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as MetricFamily
from prometheus_client.samples import Exemplar as ClientExemplar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prometheus_client.samples import Sample

    from oneiric.observability.metrics.exemplar import Exemplar
    from oneiric.observability.metrics.labels import LabelSet
    from oneiric.observability.model import Metric


class Distribution(NamedTuple):
    """The value of a histogram series: counts of the buckets (not cumulative, +Inf last), and the sum."""

    counts: Sequence[int]
    sum: float
    exemplars: Sequence[Exemplar | None] | None = None


class Snapshot(NamedTuple):
    """The values of one metric by series: numbers, or distributions for a histogram.

    ``cells`` has, where a series has one, the place where the text of its labels may be kept; else it is empty.
    """

    metric: Metric
    labels: Sequence[LabelSet]
    values: Sequence[Any]
    cells: Sequence[Any] = ()


class SnapshotFamily(MetricFamily):
    """A metric family that makes its samples when somebody asks for them: our own exposition does not.

    Args:
        snapshot: What it is made from.
        names: The names of those samples that it has; None: of all.

    Attributes:
        snapshot: As above.
        names: As above.
    """

    def __init__(self, snapshot: Snapshot, *, names: frozenset[str] | None = None) -> None:
        metric = snapshot.metric
        self.snapshot = snapshot
        self.names = names
        self._made: list[Sample] | None = None
        super().__init__(metric.name.removesuffix("_total"), metric.help, metric.type)

    @property
    def samples(self) -> list[Sample]:
        """Its samples."""
        if self._made is None:
            samples = client_family(self.snapshot).samples
            self._made = [sample for sample in samples if self.names is None or sample.name in self.names]
        return self._made

    @samples.setter
    def samples(self, samples: list[Sample]) -> None:
        self._made = samples or None


def sample_names(family: MetricFamily) -> frozenset[str]:
    """Return the names of the samples that *family* has, without making any."""
    if not isinstance(family, SnapshotFamily):
        return frozenset([sample.name for sample in family.samples])
    metric = family.snapshot.metric
    if not family.snapshot.labels:
        return frozenset()
    parts = ("_bucket", "_count", "_sum") if metric.type == "histogram" else ("",)
    names = frozenset([f"{metric.name}{part}" for part in parts])
    return names if family.names is None else names & family.names


def restricted(family: MetricFamily, names: frozenset[str]) -> MetricFamily:
    """Return *family* with only the samples whose names are in *names*."""
    if isinstance(family, SnapshotFamily):
        return SnapshotFamily(family.snapshot, names=None if sample_names(family) <= names else names)
    some = MetricFamily(family.name, family.documentation, family.type)
    some.samples = [sample for sample in family.samples if sample.name in names]
    return some


def client_family(snapshot: Snapshot) -> MetricFamily:
    """Return *snapshot* as the reference client makes families; a histogram's count is that of its +Inf bucket."""
    metric, names = snapshot.metric, snapshot.metric.label_names
    if metric.type == "histogram":
        return _histogram(snapshot)
    kind = CounterMetricFamily if metric.type == "counter" else GaugeMetricFamily
    family: CounterMetricFamily | GaugeMetricFamily = kind(metric.name, metric.help, labels=names)
    for labels, value in zip(snapshot.labels, snapshot.values, strict=True):
        family.add_metric(labels, value)
    return family


def _histogram(snapshot: Snapshot) -> HistogramMetricFamily:
    metric = snapshot.metric
    family = HistogramMetricFamily(metric.name, metric.help, labels=metric.label_names)
    bounds = [*(str(float(bound)) for bound in metric.buckets), "+Inf"]
    value: Distribution
    for labels, value in zip(snapshot.labels, snapshot.values, strict=True):
        exemplars = [None] * len(bounds) if value.exemplars is None else map(_client_exemplar, value.exemplars)
        buckets: Any = list(zip(bounds, accumulate(value.counts), exemplars, strict=True))
        family.add_metric(labels, buckets, value.sum)
    return family


def _client_exemplar(exemplar: Exemplar | None) -> ClientExemplar | None:
    if exemplar is None:
        return None
    labels = {"trace_id": exemplar.trace_id, "span_id": exemplar.span_id}
    return ClientExemplar(labels, exemplar.value, exemplar.timestamp)
