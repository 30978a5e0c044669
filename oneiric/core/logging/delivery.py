"""Hand the lines of a buffer to their target: a batch at a time, one thread at a time."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from oneiric.core.concurrency import Turn
from oneiric.core.logging.buffer import LineBuffer

if TYPE_CHECKING:
    from oneiric.core.logging.buffer import QueueLimits
    from oneiric.core.logging.target import Target

GATHERED = 32
"""Lines in quick succession that are written together; so many may wait beyond the limits."""

_ROUNDS = 8  # batches that whoever logs writes, before it leaves the rest to the thread


class Delivery:
    """Knows what waits and what is settled, and who has the turn to write.

    Attributes:
        buffer: The lines that wait.
        turn: Had by whoever writes.
        refused: Whether the target refused what it was handed last, which waits to be tried again.
        progress: The moment at which the target last took all that it was handed.
    """

    def __init__(self, target: Target, limits: QueueLimits) -> None:
        self.buffer = LineBuffer(limits)
        self.turn = Turn()
        self.refused = False
        self.progress = 0.0
        self._target = target
        self._settled = 0

    @property
    def entered(self) -> bool:
        """Whether the calling thread was interrupted in the middle of a call, which it has to finish first."""
        return self.turn.is_mine or self.buffer.entered

    def is_empty(self) -> bool:
        """Whether nothing waits, here or at the target."""
        buffer = self.buffer
        return not (buffer.incoming or buffer.lines or self._target.waiting)

    def mark(self) -> int:
        """Return what :meth:`has_settled` takes: the number of lines that came until now."""
        self.buffer.account()
        return self.buffer.added

    def has_settled(self, mark: int) -> bool:
        """Whether the lines that came before *mark* are written or lost."""
        return self._settled >= mark or (self.is_empty() and bool(self.turn.free))

    def hold(self, error: Exception | None) -> None:
        """See to it that a flush waits for a line that was handed over and waits."""
        self.buffer.count_handed_over()
        self.refused = error is not None

    def send_batch(self, wait: float) -> Exception | None:
        """Write one batch, or more of the last one, for at most *wait* seconds; for whoever has the turn."""
        target, buffer = self._target, self.buffer
        batch = () if target.waiting else buffer.take(target.batch, 2 * GATHERED)
        taken = buffer.taken
        try:
            error = target.send(batch, wait)
        except Exception as broken:  # noqa: BLE001 - isolation is the job
            error = broken
        if not target.waiting:
            self._settled = taken
            self.progress = monotonic()
        self.refused = error is not None and target.waiting > 0
        return error

    def send_at_once(self) -> Exception | None:
        """Write some batches as far as they are taken at once; for whoever has the turn."""
        for _ in range(_ROUNDS):
            error = self.send_batch(0.0)
            if error is not None or self.is_empty() or self._target.waiting:
                return error
        return None
