"""A command without a service: in a process of its own, on the files of the service."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from oneiric.runtime.commands import commands_of
from oneiric.runtime.control.errors import ControlError
from oneiric.runtime.control.protocol import FAILED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oneiric.runtime.program import Program


def run_offline(program: Program, name: str, fields: Mapping[str, Any]) -> Any:
    """Return the answer of the command *name* to *fields*; ControlError or SettingsError where it is not done."""
    return asyncio.run(_run(program, name, fields))


async def _run(program: Program, name: str, fields: Mapping[str, Any]) -> Any:
    settings = program.settings()
    settings.observability.enabled = False  # nobody scrapes a process that ends at once
    runtime = program.runtime(settings)
    try:
        command = commands_of(runtime)[name]
        if command.needs_service:
            raise ControlError(FAILED, f"{name} needs a running service", "start one with: oneiric orchestrate")
        return await command.run(fields)
    finally:
        await runtime.stop()
