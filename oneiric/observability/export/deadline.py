"""Until when something may last, known to whoever waits and to whoever wants it to end sooner."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

STEP_SECONDS = 0.1
"""Longest wait before it is looked again whether the deadline was brought forward."""


class Deadline:
    """An instant *seconds* from now, and never later than that of *parent*; thread-safe.

    Args:
        seconds: How long from now; may be infinite.
        parent: The deadline of the whole that this is a part of.
        clock: Monotonic seconds.
    """

    def __init__(
        self, seconds: float, *, parent: Deadline | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._parent = parent
        self._at = clock() + seconds

    @property
    def remaining(self) -> float:
        """Seconds that are left, 0 at least."""
        own = max(0.0, self._at - self._clock())
        return own if self._parent is None else min(own, self._parent.remaining)

    def within(self, seconds: float) -> Deadline:
        """Return a deadline *seconds* from now that is not after this one, also when this one is brought forward."""
        return Deadline(seconds, parent=self, clock=self._clock)

    def bring_forward(self, seconds: float) -> None:
        """Let it be no later than *seconds* from now."""
        self._at = min(self._at, self._clock() + seconds)

    def step(self) -> float:
        """Return how long to wait before asking again, above 0; TimeoutError once it has passed."""
        remaining = self.remaining
        if remaining <= 0.0:
            raise TimeoutError("the deadline has passed")
        return min(STEP_SECONDS, remaining)
