"""Components that a demonstration manifest names as its factories; each has a name, and a note to answer with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass
class RemoteDemoAdapter:
    """An adapter that says where it came from."""

    name: str = "remote-demo-adapter"
    note: str = "hello from remote manifest"

    def describe(self) -> str:
        """Return the note, a greeting."""
        return self.note


@dataclass
class RemoteDemoService:
    """A service that is always well."""

    name: str = "remote-demo-service"
    note: str = "remote-service-ok"

    def status(self) -> str:
        """Return the note, the state of the service."""
        return self.note


@dataclass
class RemoteDemoTask:
    """A task that does nothing."""

    name: str = "remote-demo-task"
    note: str = "remote-task-run"

    async def run(self, payload: dict[str, Any] | None = None) -> str:  # noqa: ARG002 - the interface of a task
        """Return the note: that it ran."""
        return self.note


@dataclass
class RemoteDemoEventHandler:
    """An event handler that answers with what it was given."""

    name: str = "remote-demo-event-handler"
    note: str = "remote-event-handled"

    async def handle(self, envelope: Any) -> dict[str, Any]:
        """Return the topic and the payload of *envelope*, None where it has none."""
        return {"topic": getattr(envelope, "topic", None), "payload": getattr(envelope, "payload", None)}


@dataclass
class RemoteDemoWorkflow:
    """A workflow that completes at once."""

    name: str = "remote-demo-workflow"
    note: str = "remote-workflow-complete"

    def execute(self) -> str:
        """Return the note: that it completed."""
        return self.note


def demo_remote_adapter() -> RemoteDemoAdapter:
    """Make a :class:`RemoteDemoAdapter`."""
    return RemoteDemoAdapter()


def demo_remote_service() -> RemoteDemoService:
    """Make a :class:`RemoteDemoService`."""
    return RemoteDemoService()


def demo_remote_task() -> RemoteDemoTask:
    """Make a :class:`RemoteDemoTask`."""
    return RemoteDemoTask()


def demo_remote_event_handler() -> RemoteDemoEventHandler:
    """Make a :class:`RemoteDemoEventHandler`."""
    return RemoteDemoEventHandler()


def demo_remote_workflow() -> RemoteDemoWorkflow:
    """Make a :class:`RemoteDemoWorkflow`."""
    return RemoteDemoWorkflow()
