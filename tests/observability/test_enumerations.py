"""What a layer can say and what the catalogue knows are the same words."""

from __future__ import annotations

from typing import get_args, get_type_hints

from oneiric.core.events import ResolutionFailed
from oneiric.core.lifecycle.attempt import Reason
from oneiric.core.resolution import CandidateSource
from oneiric.core.resolution.ranking import Miss
from oneiric.observability.catalogue import ORIGINS, SELECTION_REASONS, SWAP_REASONS, SYNC_REASONS
from oneiric.remote.errors import FAILURE_REASONS


def test_the_reasons_of_failed_swaps_agree() -> None:
    """Whatever the lifecycle manager gives as the reason of a swap is a value of the label."""
    assert get_args(Reason) == SWAP_REASONS


def test_the_reasons_of_failed_resolutions_agree() -> None:
    """The event, the ranking and the catalogue know the same reasons."""
    assert get_args(get_type_hints(ResolutionFailed)["reason"]) == (*get_args(Miss), "error") == SELECTION_REASONS


def test_the_reasons_of_failed_synchronisations_agree() -> None:
    """Whatever the remote layer gives as the reason of a failure is a value of the label."""
    assert FAILURE_REASONS == SYNC_REASONS


def test_the_origins_of_candidates_agree() -> None:
    """Every source of a candidate is a value of the label."""
    assert tuple(source.value for source in CandidateSource) == ORIGINS
