"""What a layer can say and what the catalogue knows are the same words."""

from __future__ import annotations

from typing import get_args

from oneiric.core import events
from oneiric.core.resolution import CandidateSource
from oneiric.observability import catalogue


def test_every_failure_has_a_label_value() -> None:
    """Whatever a layer gives as the reason of a failed swap, resolution or synchronisation is a value of the label."""
    by_label = {
        catalogue.RESOLUTION_FAILURES: events.SelectionFailure,
        catalogue.SWAP_FAILURES: events.SwapFailure,
        catalogue.SYNC_FAILURES: events.SyncFailure,
    }
    for metric, failure in by_label.items():
        assert next(label.values for label in metric.labels if label.name == "reason") == get_args(failure)


def test_the_origins_of_candidates_agree() -> None:
    """Every source of a candidate is an origin that the event can give."""
    assert tuple(source.value for source in CandidateSource) == get_args(events.Origin)
