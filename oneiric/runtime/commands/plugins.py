"""Plugins: what they brought."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from oneiric.runtime.commands.command import Command

if TYPE_CHECKING:
    from oneiric.runtime.commands.command import Fields
    from oneiric.runtime.orchestrator import RuntimeOrchestrator


def commands(runtime: RuntimeOrchestrator) -> dict[str, Command]:
    """Return the command about the plugins of *runtime*."""

    async def show(_: Fields) -> dict[str, Any]:
        return runtime.plugins.as_dict()

    return {"plugins": Command("read", show)}
