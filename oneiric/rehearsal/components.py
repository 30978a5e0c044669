"""Components to try the commands with, one in each domain: what ``--demo`` registers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from oneiric.core.resolution import Candidate

if TYPE_CHECKING:
    from collections.abc import Callable

    from oneiric.core.resolution import Resolver

PROVIDER = "cli"
STACK_LEVEL = 5


class Demo:
    """What serves; it does nothing, and says so."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def health(self) -> bool:
        """Say that it is well."""
        return True

    async def execute(self, payload: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return what it was given."""
        return {"type": self._kind, "payload": payload or {}}


def register(resolver: Resolver) -> None:
    """Register the components."""
    for domain, key, metadata in _COMPONENTS:
        resolver.register(
            Candidate(
                domain=domain,
                key=key,
                provider=PROVIDER,
                factory=_factory(key),
                stack_level=STACK_LEVEL,
                metadata=metadata,
            )
        )


_COMPONENTS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("adapter", "demo", {}),
    ("adapter", "queue", {}),
    ("service", "status", {}),
    ("task", "demo-task", {}),
    ("event", "demo.event", {"topics": ["cli.event"]}),
    (
        "workflow",
        "demo-workflow",
        {"dag": {"nodes": [{"id": "demo-step", "task": "demo-task"}]}, "scheduler": {"queue_category": "queue"}},
    ),
    ("action", "demo-action", {}),
)


def _factory(key: str) -> Callable[[], Demo]:
    return lambda: Demo(key)
