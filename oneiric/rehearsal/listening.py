"""Why the metrics of a runtime cannot be served, said to whoever started it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.observability.events import MetricsServerFailed

if TYPE_CHECKING:
    from oneiric.core.events import Event
    from oneiric.core.observers import Receiver


ANY_PORT = "take another port with --port, or any free one with --port 0"
"""What to do about it, where nobody else needs to know the port."""


class ListeningWatch:
    """An observer of a runtime that remembers the failure of its metrics server.

    Attributes:
        problem: What could not be listened on, and why; empty while nothing failed.
    """

    def __init__(self) -> None:
        self.problem = ""

    def receiver(self, event_type: type[Event]) -> Receiver | None:
        """Want the failures of metrics servers only."""
        return self._remember if event_type is MetricsServerFailed else None

    def _remember(self, event: MetricsServerFailed) -> None:
        host = f"[{event.address}]" if ":" in event.address else event.address
        why, _, _ = event.error.partition(" (while ")  # asyncio and socket repeat the address
        self.problem = f"{host}:{event.port} cannot be listened on: {why}"
