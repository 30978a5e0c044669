"""What bridges ask of their collaborators, and what event and task providers offer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from oneiric.core.activity import DomainActivity


class WorkGate(Protocol):
    """Whoever else may refuse work; asked with every piece of it, so it must answer at once."""

    def should_accept_work(self, domain: str, key: str) -> bool:
        """Whether the component may be given work."""

    def activity_state(self, domain: str, key: str) -> DomainActivity:
        """Return why it may not."""


class TaskHandlerProtocol(Protocol):
    """A provider of a task."""

    async def run(self, payload: Any = None) -> Any:
        """Do the task."""


class EventHandlerProtocol(Protocol):
    """A provider that handles events."""

    async def handle(self, envelope: Any) -> Any:
        """Take one event."""
