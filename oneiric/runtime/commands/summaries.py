"""Figures about many components."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from oneiric.core.activity import DomainActivity
    from oneiric.core.lifecycle import LifecycleStatus

PERCENTILES = (50, 95, 99)


def swaps_of(statuses: Iterable[LifecycleStatus]) -> dict[str, Any]:
    """Return how many durations of swaps are known of *statuses*, their percentiles, in ms, and the success rate, in %.

    Percentiles are interpolated linearly, and None of no durations; of no swaps the rate is 100.
    """
    known = list(statuses)
    samples = sorted(sample for one in known for sample in one.recent_swap_durations_ms)
    good, bad = sum(one.successful_swaps for one in known), sum(one.failed_swaps for one in known)
    return {
        "samples": len(samples),
        **{f"p{percent}": percentile(samples, percent) for percent in PERCENTILES},
        "success_rate": round(100 * good / (good + bad), 2) if good + bad else 100.0,
    }


def activity_of(activities: Iterable[DomainActivity]) -> dict[str, int]:
    """Return how many are paused, are draining, and have a note only."""
    known = list(activities)
    return {
        "paused": sum(one.paused for one in known),
        "draining": sum(one.draining for one in known),
        "note_only": sum(not (one.paused or one.draining) for one in known),
    }


def percentile(ordered: Sequence[float], percent: int) -> float | None:
    """Return the *percent*-th percentile of what is *ordered*, interpolated linearly; None of nothing."""
    if not ordered:
        return None
    place = (len(ordered) - 1) * percent / 100
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return round(ordered[below] + (ordered[above] - ordered[below]) * (place - below), 3)
