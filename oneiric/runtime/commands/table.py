"""All commands by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.runtime.commands import activity, components, plugins

if TYPE_CHECKING:
    from oneiric.runtime.commands.command import Command
    from oneiric.runtime.orchestrator import RuntimeOrchestrator


def commands_of(runtime: RuntimeOrchestrator) -> dict[str, Command]:
    """Return everything that can be asked of *runtime*, by name."""
    return {**components.commands(runtime), **activity.commands(runtime), **plugins.commands(runtime)}
