"""The label values that are retired: no gauge shows them though their state can still be read."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oneiric.observability.model import Metric

MAX_RETIRED = 10_000
"""Retired label values that are remembered; over that the oldest are shown again if somebody still reports them."""

Names: TypeAlias = tuple[str, ...]


class RetiredSeries:
    """Label values by label names, from their retirement until they are known again. Not thread-safe for writers."""

    def __init__(self) -> None:
        self._values: dict[Names, dict[Names, None]] = {}

    def add(self, labels: Mapping[str, str]) -> None:
        """Retire what has these *labels*."""
        values = self._values.setdefault(tuple(labels), {})
        values[tuple(labels.values())] = None
        if len(values) > MAX_RETIRED:
            del values[next(iter(values))]

    def remove(self, labels: Mapping[str, str]) -> None:
        """Forget whatever is retired that *labels* are a part of, or more of."""
        for names, values in self._values.items():
            if labels.keys() >= set(names):
                values.pop(tuple(labels[name] for name in names), None)

    def contains(self, names: Names, values: Names) -> bool:
        """Whether what has *values* of the labels *names* is retired."""
        return values in self._values.get(names, ())

    def has(self, metric: Metric, labels: Names) -> bool:
        """Whether a series of *metric* with *labels* belongs to what is retired."""
        for names, values in self._values.copy().items():
            if values and set(names) <= set(metric.label_names):
                own = dict(zip(metric.label_names, labels, strict=True))
                if tuple(own[name] for name in names) in values:
                    return True
        return False


class Retirement:
    """What the catalogue says is over: no gauge shows it, or late events make no new series of it, or both.

    Written in a turn of the backlog; read by a scrape in no turn, and by whoever counts.
    """

    def __init__(self) -> None:
        self._all = RetiredSeries()
        self._hidden = RetiredSeries()

    def retire(self, labels: Mapping[str, str], *, gauges: bool) -> None:
        """Let what has these *labels* be over; with *gauges*, no gauge shows it any more."""
        self._all.add(labels)
        if gauges:
            self._hidden.add(labels)

    def make_known(self, labels: Mapping[str, str]) -> None:
        """Let what has these *labels* be there again."""
        self._hidden.remove(labels)
        self._all.remove(labels)

    def contains(self, names: Names, values: Names) -> bool:
        """Whether what has *values* of the labels *names* is over."""
        return self._all.contains(names, values)

    def hides(self, metric: Metric, labels: Names) -> bool:
        """Whether no series of *metric* with *labels* is shown."""
        return self._hidden.has(metric, labels)
