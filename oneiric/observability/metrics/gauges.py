"""Gauges: read from states in a scrape, kept by nobody in between."""

from __future__ import annotations

from math import inf
from operator import add
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from oneiric.observability.fields import Getter, getter, label_values
from oneiric.observability.metrics.labels import LabelSet, fit_labels
from oneiric.observability.model import Catalogue, Metric, Read

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from oneiric.core.events import State

Plan: TypeAlias = dict[type, tuple[tuple[Metric, Getter, Getter], ...]]


def compile_reads(catalogue: Catalogue) -> Plan:
    """Return, by state type, the gauges to set with what gives their label values and their value."""
    return {
        signal.event: tuple(
            (
                read.metric,
                label_values(signal.event, read.metric.label_names, read.const),
                getter(signal.event, read.value) if read.value else _one,
            )
            for read in signal.metrics
            if isinstance(read, Read)
        )
        for signal in catalogue.signals
    }


class Gauges:
    """The gauges of one scrape: ``values`` by metric name and label set, ``folded`` counted by metric name.

    Label sets over *budget* are folded as those of counters are; the values combine as the metric's ``fold`` says.
    Label sets that *is_gone* says are over are left out.
    """

    def __init__(self, plan: Plan, *, budget: int, is_gone: Callable[[Metric, LabelSet], bool]) -> None:
        self._plan = plan
        self._budget = budget
        self._is_gone = is_gone
        self.values: dict[str, dict[LabelSet, float]] = {}
        self.folded: dict[str, int] = {}

    def read(self, state: State) -> None:
        """Take what *state* says; a label or a value of None leaves the sample out."""
        for metric, labels_of, value_of in self._plan.get(type(state), ()):
            labels, value = labels_of(state), value_of(state)
            if value is not None and None not in labels and not self._is_gone(metric, labels):
                self._set(metric, labels, float(value))

    def _set(self, metric: Metric, labels: LabelSet, value: float) -> None:
        samples = self.values.setdefault(metric.name, {})
        if labels in samples or len(samples) < self._budget or not metric.foldable:
            samples[fit_labels(labels)] = value
            return
        self.folded[metric.name] = self.folded.get(metric.name, 0) + 1
        folded = metric.folded(fit_labels(labels))
        combine = _COMBINE[metric.fold]
        samples[folded] = combine(samples[folded], value) if folded in samples else value


def _one(_: Any) -> int:
    return 1


def oldest(left: float, right: float) -> float:
    """Return the smaller of the two that is not 0; 0 where both are."""
    return min(left or inf, right or inf) if left or right else 0.0


_COMBINE: Final[Mapping[str, Callable[[float, float], float]]] = {"sum": add, "min": min, "oldest": oldest}
