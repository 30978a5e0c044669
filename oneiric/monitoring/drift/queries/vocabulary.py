"""What exists: the names, types, labels and values of every signal, as the catalogue and the runtime's events say."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import TYPE_CHECKING, get_args, get_type_hints

from oneiric.monitoring.promql import TARGET_LABELS, number
from oneiric.observability.catalogue import CATALOGUE, DOMAIN

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from oneiric.monitoring.drift.findings import Level
    from oneiric.observability.model import Catalogue, Metric, Read

DOMAINS = ("adapter", "service", "task", "event", "workflow", "action")
"""The domains that exist without registration; others may be registered."""

KUBERNETES_LABELS = frozenset(
    {
        *("namespace", "pod", "container", "service", "endpoint", "node", "app", "prometheus", "prometheus_replica"),
        *("kubernetes_namespace", "kubernetes_pod_name", "kubernetes_name", "kubernetes_node", "pod_name"),
        *("container_name", "node_name", "k8s_namespace_name", "k8s_pod_name", "k8s_container_name", "k8s_node_name"),
        *("app_kubernetes_io_name", "app_kubernetes_io_instance", "app_kubernetes_io_component"),
        *("app_kubernetes_io_part_of", "app_kubernetes_io_version"),
    }
)
"""Labels that configurations for Kubernetes usually give to targets."""

SUFFIXES = ("_bucket", "_sum", "_count")
INFINITE = "+Inf"
_LIKE_OUR_PREFIX = 0.8
_VALUE = re.compile(r"[\"'`]([a-z]{5,9})[\"'`]")
_NAME = re.compile(r"[a-zA-Z]+_(?=\w)")


@dataclass(frozen=True, slots=True)
class Series:
    """What a name in a query stands for: a metric, and of a histogram which of its parts."""

    metric: Metric
    suffix: str = ""

    @property
    def labels(self) -> frozenset[str]:
        """The labels that the metric itself gives."""
        return frozenset(self.metric.label_names) | ({"le"} if self.suffix == "_bucket" else frozenset())


@dataclass(frozen=True)
class Vocabulary:
    """Every name that a query may use, from *catalogue*.

    Attributes:
        catalogue: The signals.
        target_labels: Labels that series of a scraped target can have, beside the metric's own.
        has_targets: Whether it is known which labels targets have; otherwise they may have further ones.
    """

    catalogue: Catalogue = CATALOGUE
    target_labels: frozenset[str] = field(default=TARGET_LABELS | KUBERNETES_LABELS)
    has_targets: bool = False

    @cached_property
    def prefix(self) -> str:
        """What the name of every metric begins with."""
        return self.catalogue.metrics[0].name.partition("_")[0]

    @cached_property
    def series(self) -> Mapping[str, Series]:
        """Every name under which there are series."""
        named: dict[str, Series] = {}
        for metric in self.catalogue.metrics:
            for suffix in SUFFIXES if metric.type == "histogram" else ("",):
                named[metric.name + suffix] = Series(metric, suffix)
        return named

    @cached_property
    def metrics(self) -> Mapping[str, Metric]:
        """Every metric by its name."""
        return {metric.name: metric for metric in self.catalogue.metrics}

    @cached_property
    def own_labels(self) -> frozenset[str]:
        """Every label of a metric."""
        return frozenset(label for metric in self.catalogue.metrics for label in metric.label_names)

    def level_of(self, label: str, labels: Iterable[str]) -> Level | None:
        """Return how grave it is to ask for *label* where only *labels* are known: targets may have it, too.

        None stands for what the finding's code says.
        """
        if self.has_targets or label in self.own_labels or difflib.get_close_matches(label, labels, n=1):
            return None
        return "note"

    @cached_property
    def log_names(self) -> frozenset[str]:
        """The name of every log event."""
        return frozenset(log.name for _, log in self.catalogue.log_events)

    def is_ours(self, name: str) -> bool:
        """Whether *name* claims to be one of ours: it has our prefix, or one that is nearly ours."""
        start = name.lower().partition("_")[0]
        return start == self.prefix or ("_" in name and self._is_like_us(start))

    def is_nearly_us(self, word: str) -> bool:
        """Whether *word* seems to be a misspelling of our prefix; what has it in it is no misspelling."""
        return self.prefix not in word.lower() and self._is_like_us(word)

    def _is_like_us(self, word: str) -> bool:
        return difflib.SequenceMatcher(None, word, self.prefix).ratio() >= _LIKE_OUR_PREFIX

    def is_about_us(self, text: str) -> bool:
        """Whether *text* has our prefix in it, or a name or value that is nearly one of ours."""
        if self.prefix in text.lower():
            return True
        named = any(self.is_ours(name) for name in {*_NAME.findall(text)})
        return named or any(self._is_like_us(value) for value in {*_VALUE.findall(text)})

    def is_our_record(self, name: str) -> bool:
        """Whether *name* is one that a recording rule over our metrics gives."""
        return ":" in name and re.search(rf"(?:^|[:_]){self.prefix}_", name) is not None

    def values(self, metric: Metric, label: str) -> tuple[str, ...]:
        """Return all values that *label* of *metric* can have, () where they are not known."""
        if label == "le":
            return (*(number(bound) for bound in metric.buckets), INFINITE)
        own = next((one for one in metric.labels if one.name == label), None)
        if own is None:
            return ()
        if own.values:
            return own.values
        return tuple(sorted({"event": self.log_names, "metric": frozenset(self.metrics)}.get(label, ())))

    def near_domain(self, value: str) -> str:
        """Return the domain that *value* seems to be a misspelling of, or ""."""
        if value in DOMAINS:
            return ""
        return next(iter(difflib.get_close_matches(value, DOMAINS, n=1, cutoff=0.75)), "")

    def is_domain(self, metric: Metric, label: str) -> bool:
        """Whether *label* of *metric* names a domain."""
        return label == DOMAIN.name and label in metric.label_names

    def starts_at_zero(self, metric: Metric) -> bool:
        """Whether every series of *metric* is there, at 0, before the first event that it counts."""
        if not metric.labels:
            return True
        return any(
            {*signal.known} & {*metric.label_names}
            and all(label.name in signal.known or label.values for label in metric.labels)
            for signal in self.catalogue.signals
        )

    def range_of(self, metric: Metric) -> tuple[float, float]:
        """Return the smallest and the largest value that a sample of *metric* can have."""
        if metric.type != "gauge":
            return 0.0, float("inf")
        reads = [
            (signal, read) for signal in self.catalogue.signals for read in signal.metrics if read.metric is metric
        ]
        fields = {_kind(signal.event, read) for signal, read in reads}  # type: ignore[arg-type]
        if fields == {"constant"}:
            return 1.0, 1.0
        return (0.0, 1.0) if fields == {"flag"} else (0.0, float("inf"))

    def unit(self, metric: Metric) -> str:
        """Return what a value of *metric* is measured in: seconds, milliseconds, timestamp, bytes, or ""."""
        for ending, unit in _UNITS.items():
            if metric.name.removesuffix("_total").endswith(ending):
                return unit
        return ""


_UNITS = {
    "_timestamp_seconds": "timestamp",
    "_seconds": "seconds",
    "_ms": "milliseconds",
    "_bytes": "bytes",
}


@cache
def _hints(event: type) -> Mapping[str, object]:
    return get_type_hints(event)


def _kind(event: type, read: Read) -> str:
    if not read.value:
        return "constant"
    hint = _hints(event)[read.value]
    return "flag" if hint is bool or {*get_args(hint)} == {bool, type(None)} else "number"
