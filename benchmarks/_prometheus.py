"""The same metrics made with prometheus_client, as its documentation does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, GCCollector, Histogram, PlatformCollector, ProcessCollector

from benchmarks._watched import DOMAIN, FASTEST
from oneiric.observability.catalogue import RESOLUTION_DURATION, RESOLUTIONS

if TYPE_CHECKING:
    from oneiric.observability.model import Metric


class Twin:
    """The counter and the histogram of resolutions, in a registry with the collectors that ours has too."""

    def __init__(self) -> None:
        prometheus_client.disable_created_metrics()  # no such series are on our page
        self.registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        self.resolutions = Counter(*_described(RESOLUTIONS), registry=self.registry)
        self.durations = Histogram(
            *_described(RESOLUTION_DURATION), buckets=RESOLUTION_DURATION.buckets, registry=self.registry
        )

    def resolved(self, key: str, provider: str = "redis") -> None:
        """Count that *provider* was selected for *key*."""
        self.resolutions.labels(DOMAIN, key, provider).inc()
        self.durations.labels(DOMAIN, key).observe(FASTEST)

    def page(self) -> bytes:
        """Render the page."""
        return prometheus_client.generate_latest(self.registry)


def _described(metric: Metric) -> tuple[str, str, tuple[str, ...]]:
    return metric.name, metric.help, metric.label_names
