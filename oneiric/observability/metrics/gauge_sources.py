"""Where gauges are read from: whatever has states, asked in a scrape and waited for only so long."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Final

from oneiric.core.concurrency import renew_after_fork
from oneiric.observability.metrics.call_timeout import CallTimeout
from oneiric.observability.metrics.gauges import Gauges
from oneiric.observability.metrics.yield_points import YieldPoints

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from oneiric.core.events import State
    from oneiric.core.sources import Stateful
    from oneiric.observability.metrics.gauges import Plan
    from oneiric.observability.metrics.labels import LabelSet
    from oneiric.observability.model import Metric

_AT_ONCE: Final = 128  # states read before other threads are let run


class GaugeSources:
    """The sources of one sink; thread-safe.

    Args:
        plan: Which gauges are read from which states.
        budget: Label sets a gauge may have.
        is_gone: Says which label sets are over.
        failed: Called with the name of a source that raised, did not answer in time or had a state that cannot be read.
        folded: Called with a metric's name and how many more samples of it are over the budget than ever before.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        budget: int,
        is_gone: Callable[[Metric, LabelSet], bool],
        failed: Callable[[str, BaseException], None],
        folded: Callable[[str, int], None],
    ) -> None:
        self._plan = plan
        self._budget = budget
        self._is_gone = is_gone
        self._failed = failed
        self._report_folded = folded
        self._timeout: CallTimeout[tuple[str, int], list[State]] = CallTimeout()
        self._sources: tuple[tuple[str, Stateful], ...] = ()
        self._most_folded: dict[str, int] = {}
        self._lock = threading.Lock()
        renew_after_fork(self._renew)

    def add(self, source: Stateful) -> Callable[[], None]:
        """Read *source* from now on and return what ends that; both are idempotent."""
        with self._lock:
            if not any(known is source for _, known in self._sources):
                self._sources = (*self._sources, (type(source).__name__, source))

        def remove() -> None:
            with self._lock:
                self._sources = tuple(pair for pair in self._sources if pair[1] is not source)

        return remove

    def read(self, name: str, own_states: Callable[[Gauges], Sequence[State]]) -> Gauges:
        """Return the gauges of every source, and last those of *own_states*, which are of *name*."""
        gauges = Gauges(self._plan, budget=self._budget, is_gone=self._is_gone)
        calls = [((known, id(source)), partial(_states, source)) for known, source in self._sources]
        for (known, _), states in self._timeout.call(calls):
            self._take(known, states, gauges)
        self._take(name, own_states(gauges), gauges)
        for metric, count in gauges.folded.items():
            with self._lock:
                reported = self._most_folded.get(metric, 0)
                self._most_folded[metric] = max(count, reported)
            if count > reported:
                self._report_folded(metric, count - reported)
        return gauges

    def _take(self, name: str, states: Sequence[State] | BaseException, gauges: Gauges) -> None:
        if isinstance(states, BaseException):
            self._failed(name, states)
            return
        pause = YieldPoints()
        try:
            for place, state in enumerate(states, 1):
                gauges.read(state)
                if place % _AT_ONCE == 0:
                    pause()
        except Exception as error:  # noqa: BLE001 - one bad source never empties a scrape
            self._failed(name, error)

    def _renew(self) -> None:
        self._lock = threading.Lock()
        self._most_folded.clear()


def _states(source: Stateful) -> list[State]:
    return list(source.states())
