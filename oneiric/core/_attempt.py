"""A swap that is under way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from oneiric.core.errors import CallTimeoutError

if TYPE_CHECKING:
    from oneiric.core._instances import Served
    from oneiric.core._key_locks import Hold
    from oneiric.core._status_book import Component
    from oneiric.core.events import Swap
    from oneiric.core.observers import Running
    from oneiric.core.resolution import Candidate


@dataclass(eq=False, slots=True)
class Attempt:
    """What is known of a swap while it is under way.

    Attributes:
        hold: The lock of the component.
        previous: What served when it began.
        started: Seconds on the seam's clock.
        reason: Why it fails if it fails now.
        candidate: What the resolver selected.
        served: The new instance, once there is one.
    """

    component: Component
    running: Running[Swap]
    hold: Hold
    previous: Served | None
    started: float
    forced: bool
    reason: Literal["no_candidate", "factory", "health", "hook", "other"] = "other"
    candidate: Candidate | None = None
    served: Served | None = None

    def reason_for(self, error: BaseException) -> str:
        """Return why it fails, now that *error* was raised."""
        if not isinstance(error, Exception):
            return "cancelled"
        if self.reason == "factory" and isinstance(error, CallTimeoutError):
            return "timeout"
        return self.reason
