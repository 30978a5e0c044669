"""All commands by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.runtime.commands import actions, activity, artifacts, components, metrics, plugins, remote, status

if TYPE_CHECKING:
    from oneiric.runtime.commands.command import Command
    from oneiric.runtime.orchestrator import RuntimeOrchestrator


def commands_of(runtime: RuntimeOrchestrator, *, offline: bool = False) -> dict[str, Command]:
    """Return everything that can be asked of *runtime*, by name; *offline*: of one in a command's own process."""
    return {
        **components.commands(runtime),
        **activity.commands(runtime),
        **status.commands(runtime, offline=offline),
        **remote.commands(runtime, offline=offline),
        **actions.commands(runtime),
        **metrics.commands(runtime),
        **artifacts.commands(runtime),
        **plugins.commands(runtime),
    }
