"""The metrics that a service exposes now."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any

from oneiric.runtime.commands.command import Command, text
from oneiric.runtime.control.errors import ControlError
from oneiric.runtime.control.protocol import NO

if TYPE_CHECKING:
    from oneiric.runtime.commands.command import Fields
    from oneiric.runtime.orchestrator import RuntimeOrchestrator


def commands(runtime: RuntimeOrchestrator) -> dict[str, Command]:
    """Return the command that reads the metrics of *runtime*."""

    async def metrics(fields: Fields) -> dict[str, Any]:
        if runtime.telemetry is None:
            raise ControlError(NO, "this service has no metrics", "observability.enabled switches them on")
        part = text(fields, "filter", "") or ""
        samples = await asyncio.to_thread(runtime.telemetry.samples)
        return {
            "samples": [
                {"name": name, "labels": labels, "value": _number(value)}
                for name, found in sorted(samples.items())
                for labels, value in found
                if part in name or part in labels.values()
            ]
        }

    return {"metrics": Command("read", metrics, needs_service=True)}


def _number(value: float) -> float | str:
    """Return *value* as JSON knows it; what is no number there, as Prometheus writes it."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
