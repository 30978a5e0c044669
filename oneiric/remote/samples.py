"""Components that a demonstration manifest names as its factories."""

from __future__ import annotations

from typing import Any


class RemoteDemoAdapter:
    """An adapter that says where it came from."""

    def describe(self) -> str:
        """Return a greeting."""
        return "hello from remote manifest"


class RemoteDemoService:
    """A service that is always well."""

    def status(self) -> str:
        """Return the state of the service."""
        return "remote-service-ok"


class RemoteDemoTask:
    """A task that does nothing."""

    async def run(self, payload: dict[str, Any] | None = None) -> str:  # noqa: ARG002 - the interface of a task
        """Return that it ran."""
        return "remote-task-run"


class RemoteDemoEventHandler:
    """An event handler that answers with what it was given."""

    async def handle(self, envelope: Any) -> dict[str, Any]:
        """Return the topic and the payload of *envelope*, None where it has none."""
        return {"topic": getattr(envelope, "topic", None), "payload": getattr(envelope, "payload", None)}


class RemoteDemoWorkflow:
    """A workflow that completes at once."""

    def execute(self) -> str:
        """Return that it completed."""
        return "remote-workflow-complete"


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
