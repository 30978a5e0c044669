"""A scrape: gauges from their sources, counts of one instant, and those of the other processes of the service."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

from oneiric.observability import events as own
from oneiric.observability.metrics.shared import COLLECTOR, CorruptFileError
from oneiric.observability.metrics.yield_points import request_yields

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from oneiric.core.events import State
    from oneiric.observability.metrics.backlog import Backlog
    from oneiric.observability.metrics.batches import Batches
    from oneiric.observability.metrics.families import Snapshot
    from oneiric.observability.metrics.gauges import Gauges
    from oneiric.observability.metrics.series import Series
    from oneiric.observability.metrics.shared import Sharing
    from oneiric.observability.model import Metric


class OwnStates:
    """What a sink knows of itself; called in a scrape, in no turn of the backlog.

    Args:
        version: Version of the runtime.
        series: Whose numbers it tells.

    Attributes:
        duration: Seconds of the last scrape; None: there was none.
    """

    def __init__(self, version: str, series: Series) -> None:
        self.duration: float | None = None
        self._series = series
        self._build = own.BuildState(
            version=version, python=platform.python_version(), implementation=platform.python_implementation()
        )

    def __call__(self, gauges: Gauges) -> list[State]:
        """Return the states, with the numbers of *gauges* too."""
        return [
            self._build,
            own.ScrapeState(duration=self.duration),
            *(own.SeriesCount(metric=family.metric.name, count=len(family.cells)) for family in self._series),
            *(own.SeriesCount(metric=name, count=len(values)) for name, values in gauges.values.items()),
        ]


class Scrape:
    """Reads what a sink has; called by any thread, several at once, under no lock.

    Recorders only append while it waits for its turn of the backlog. It reads gauges outside of its turns, as their
    sources may be slow, and copies numbers in one.

    Args:
        metrics: Of the catalogue, in its order.
        gauges: Reads the gauges.
        series: What is copied.
        batches: What is counted first, together with the backlog.
        backlog: Gives it the next turn.
        sharing: The counts of the other processes, if they are shared.
        failed: Called with the name of what could not be read, and why.
    """

    def __init__(  # noqa: PLR0913 - one for each part of the sink
        self,
        metrics: Sequence[Metric],
        *,
        gauges: Callable[[], Gauges],
        series: Series,
        batches: Batches,
        backlog: Backlog,
        sharing: Sharing | None,
        failed: Callable[[str, BaseException], None],
    ) -> None:
        self._metrics = metrics
        self._read_gauges = gauges
        self._series = series
        self._batches = batches
        self._backlog = backlog
        self._sharing = sharing
        self._failed = failed

    def snapshots(self) -> list[Snapshot]:
        """Return the values of every metric, those of one metric being of the same instant."""
        request_yields()
        self._backlog.count(self._batches.take)
        gauges = self._read_gauges()
        request_yields()  # again, as a source may be slow
        snapshots: list[Snapshot] = []

        def copy() -> None:
            self._batches.take()
            snapshots.extend(self._copies(gauges))

        if not self._backlog.count(copy):  # what came up while reading too
            snapshots.extend(self._copies(gauges))  # a handler is in the middle of counting
        return snapshots if self._sharing is None else self._merged(snapshots, self._sharing)

    def _copies(self, gauges: Gauges) -> list[Snapshot]:
        return [self._series.snapshot(metric, gauges) for metric in self._metrics]

    def _merged(self, snapshots: list[Snapshot], sharing: Sharing) -> list[Snapshot]:
        merged, problems = sharing.merged(snapshots)
        for name, error in problems:
            self._failed(COLLECTOR, CorruptFileError(f"{name}: {error}"))
        return merged
