"""A swap that is under way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from oneiric.core.errors import CallTimeoutError

if TYPE_CHECKING:
    from oneiric.core.events import Swap, SwapFailure
    from oneiric.core.lifecycle.instances import Served
    from oneiric.core.lifecycle.key_locks import Hold
    from oneiric.core.lifecycle.status_book import Component
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
        healthy: How its checks ended; None while there is nothing to say.
    """

    component: Component
    running: Running[Swap]
    hold: Hold
    previous: Served | None
    started: float
    forced: bool
    reason: SwapFailure = "other"
    candidate: Candidate | None = None
    served: Served | None = None
    healthy: bool | None = None

    def reason_for(self, error: BaseException) -> SwapFailure:
        """Return why it fails, now that *error* was raised."""
        if not isinstance(error, Exception):
            return "cancelled"
        return "timeout" if isinstance(error, CallTimeoutError) else self.reason
