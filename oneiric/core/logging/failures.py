"""Count the lines that were lost, and the attempts to write that failed."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from oneiric.core.concurrency import renew_after_fork
from oneiric.core.redaction import describe


@dataclass(frozen=True)
class LogFailures:
    """What became of lines that could not be written.

    Attributes:
        dropped: Lines lost.
        failed: Attempts to write that raised.
        last_error: Class name and redacted text of the last failure, or "".
    """

    dropped: int = 0
    failed: int = 0
    last_error: str = ""


class Trouble:
    """Shows quickly whether any line was lost, or any attempt to write failed, since one looked.

    Attributes:
        seen: Changes with each.
    """

    seen = 0


trouble = Trouble()


class Tally:
    """Counts lost lines and failures, as :class:`LogFailures` shows them; thread-safe."""

    def __init__(self) -> None:
        self.renew()
        renew_after_fork(self.renew)

    def failure(self, error: Exception) -> None:
        """Count *error* and remember its text."""
        text = ": ".join(describe(error))
        with self._lock:
            self.failed += 1
            self.last_error = text
        trouble.seen += 1

    def lose(self, lines: int) -> None:
        """Count *lines* as lost."""
        with self._lock:
            self.dropped += lines
        trouble.seen += 1

    def renew(self) -> None:
        """Begin at zero, in a forked child."""
        self._lock = threading.RLock()
        self.dropped = self.failed = 0
        self.last_error = ""
