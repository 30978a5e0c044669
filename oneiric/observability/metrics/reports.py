"""What a sink reports of itself: at once, or, if it comes up while counting, when that is over."""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from oneiric.core.redaction import describe
from oneiric.observability import events as own

if TYPE_CHECKING:
    from collections.abc import Callable

    from oneiric.core.observers import Observers

_MAX_ERRORS: Final = 16  # that wait to be reported; they come one a record, and all alike


class Alone(Protocol):
    """Does *work* while nobody counts, and returns whether that was so; :meth:`Backlog.alone`."""

    def __call__(self, work: Callable[[], None], *, wait: bool) -> bool:
        """Do *work*."""


class Reports:
    """The reports of one sink.

    :meth:`failed` and :meth:`folded` are called in a turn of the backlog, and only take note. :meth:`emit` is called
    after a turn; it and the ``report`` methods notify observers, under no lock. :meth:`clear` is for a forked child.

    Args:
        observers: The seam.
        name: Of the sink.
    """

    def __init__(self, observers: Observers, name: str) -> None:
        self._observers = observers
        self._name = name
        self._errors: deque[Exception] = deque(maxlen=_MAX_ERRORS)
        self._folded: dict[str, int] = {}
        self._limited: set[str] = set()
        self._emitting = False

    def failed(self, error: Exception) -> None:
        """Note that a record could not be counted or written."""
        self._errors.append(error)

    def folded(self, metric: str) -> None:
        """Note that a sample of *metric* was folded."""
        self._folded[metric] = self._folded.get(metric, 0) + 1

    def emit(self, alone: Alone) -> None:
        """Report what was noted; what comes up meanwhile, the next time."""
        if self._emitting or not (self._errors or self._folded):
            return
        self._emitting = True
        errors: list[Exception] = []
        folded: dict[str, int] = {}
        try:
            alone(partial(self._take, errors, folded), wait=False)
            for error in errors:
                self._observers.hook_failed(self._name, error)
            for metric, samples in folded.items():
                self.report_folded(metric, samples)
        finally:
            self._emitting = False

    def report_folded(self, metric: str, samples: int) -> None:
        """Report that so many *samples* of *metric* were folded, and the first time that its budget is spent."""
        self._observers.notify(own.SeriesFolded(metric=metric, samples=samples))
        if metric not in self._limited:
            self._limited.add(metric)
            self._observers.notify(own.SeriesLimitReached(metric=metric))

    def report_scrape(self, collector: str, error: BaseException) -> None:
        """Report that *collector* could not be read."""
        error_type, text = describe(error)
        self._observers.notify(own.ScrapeFailed(collector=collector, error_type=error_type, error=text))

    def clear(self) -> None:
        """Forget what was noted; in a child of a fork, whose parent reports it."""
        self._errors.clear()
        self._folded.clear()
        self._emitting = False

    def _take(self, errors: list[Exception], folded: dict[str, int]) -> None:
        errors += self._errors
        folded |= self._folded
        self._errors.clear()
        self._folded.clear()
