"""Where the lines of a queue go: a stream, a file or a log receiver."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oneiric.core.logging.buffer import EncodedLine


class Target(Protocol):
    """Where the lines of a queue go; called by one thread at a time.

    Attributes:
        waiting: Bytes that were handed over and are not written yet.
        prompt: Whether sending with a wait of 0 makes nobody wait, so that whoever logs may do it.
        in_memory: Whether it takes whatever comes at once.
        batch: Bytes it is best handed at a time; at least one line.
    """

    waiting: int
    prompt: bool
    in_memory: bool
    batch: int

    @property
    def unwritten(self) -> int:
        """Lines that were handed over and are not written yet."""

    def send(self, lines: Sequence[EncodedLine], wait: float) -> Exception | None:
        """Write *lines* after what waits, for at most about *wait* seconds; return what went wrong, never raise.

        Lines come without a newline. What cannot be written now waits or is counted as lost.
        """

    def forget(self) -> None:
        """Forget what waits, in a forked child whose parent writes it."""
