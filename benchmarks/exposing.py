"""What a page of 10,000 series takes, beside generate_latest of the same content.

The content is 500 label sets of the counter of resolutions and as many of the histogram of their durations, with the
collectors of process, platform and garbage collection. Between two pages every one of the 10,000 values changes, unless
the row says otherwise; what telling that costs is not measured here, what taking it in costs is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks._measure import ELAPSED, in_turns, once
from benchmarks._prometheus import Twin
from benchmarks._report import Row
from benchmarks._watched import page, resolved
from oneiric.core.observers import Observers
from oneiric.observability import attach

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks._measure import Effort, Ratios, Subject

WHAT = "10,000 series exposed vs generate_latest"
ROWS = (
    Row(name="exposition", what=WHAT, at_least=1 / 10, aim=1 / 25),
    Row(name="exposition-steady", what=WHAT + ", unchanged"),
)

KEYS = 500
"""Each has 20 series: a counter, 17 buckets, a count and a sum."""


def measure(effort: Effort) -> Ratios:
    """Return the ratios of every row."""
    keys = [f"key-{number}" for number in range(effort.of(KEYS))]
    observers, twin = Observers(), Twin()

    def ours() -> None:
        for key in keys:
            observers.notify(resolved(key))

    def theirs() -> None:
        for key in keys:
            twin.resolved(key)

    with attach(observers, series_budget=2 * KEYS) as telemetry:
        subjects = {
            "ours": _after(ours, lambda: page(telemetry)),
            "theirs": _after(theirs, twin.page),
            "ours steady": _after(lambda: page(telemetry), lambda: page(telemetry)),
            "theirs steady": _after(twin.page, twin.page),
        }
        rounds = list(in_turns(subjects, effort.rounds))
        _require_same(page(telemetry), twin.page(), 20 * len(keys))
    return {
        "exposition": [r["ours"] / r["theirs"] for r in rounds],
        "exposition-steady": [r["ours steady"] / r["theirs steady"] for r in rounds],
    }


def _after(change: Callable[[], object], render: Callable[[], object]) -> Subject:
    """Return *render*, measured after a *change* that is not."""
    timed = once(render, clock=ELAPSED)

    def seconds() -> float:
        change()
        return timed()

    return seconds


def _require_same(ours: bytes, theirs: bytes, count: int) -> None:
    lines = [{line for line in text.splitlines() if line.startswith(b"oneiric_resolution_")} for text in (ours, theirs)]
    if not len(lines[1]) == count or not lines[1] <= lines[0]:
        raise AssertionError(f"the pages differ: {sorted(lines[1] - lines[0])[:3]} of {len(lines[1])} lines")
