"""Metric families of the reference client, made from the catalogue's metrics and the values at hand."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, TypeAlias

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prometheus_client.metrics_core import Metric as MetricFamily

    from oneiric.observability._cells import CounterCell, HistogramCell
    from oneiric.observability._model import Metric

LabelSet: TypeAlias = tuple[str, ...]


def counter_family(metric: Metric, cells: Mapping[LabelSet, CounterCell]) -> CounterMetricFamily:
    """Return *metric* with the values of *cells*."""
    family = CounterMetricFamily(metric.name, metric.help, labels=metric.label_names)
    for labels, cell in cells.items():
        family.add_metric(labels, cell.value)
    return family


def gauge_family(metric: Metric, values: Mapping[LabelSet, float]) -> GaugeMetricFamily:
    """Return *metric* with *values*."""
    family = GaugeMetricFamily(metric.name, metric.help, labels=metric.label_names)
    for labels, value in values.items():
        family.add_metric(labels, value)
    return family


def histogram_family(metric: Metric, cells: Mapping[LabelSet, HistogramCell]) -> HistogramMetricFamily:
    """Return *metric* with the cumulative buckets of *cells*; the count is that of the +Inf bucket."""
    family = HistogramMetricFamily(metric.name, metric.help, labels=metric.label_names)
    bounds = [*(str(float(bound)) for bound in metric.buckets), "+Inf"]
    for labels, cell in cells.items():
        total = cell.sum
        family.add_metric(labels, list(zip(bounds, accumulate(cell.counts[:]), strict=True)), total)
    return family


def empty_family(metric: Metric) -> MetricFamily:
    """Return *metric* without samples."""
    if metric.type == "counter":
        return counter_family(metric, {})
    return histogram_family(metric, {}) if metric.type == "histogram" else gauge_family(metric, {})
