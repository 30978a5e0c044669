"""The inside of a drill in a service: what `oneiric --import` of this module adds to the service."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oneiric.core.resolution import Candidate
from oneiric.monitoring.config import configured
from oneiric.rehearsal.drills.rehearsal import Rehearsal
from oneiric.rehearsal.drills.sandbox import Sandbox
from oneiric.rehearsal.drills.scenarios import SCENARIOS
from oneiric.rehearsal.drills.world import DOMAIN, KEY, STEADY

if TYPE_CHECKING:
    from oneiric.runtime.orchestrator import RuntimeOrchestrator

ORDER = "drill.json"
"""The file, beside the cache directory, that says what is to be rehearsed: ``name`` and ``assignments``."""

ACTION = "drill"
"""The key of the action that does one step."""


class Conductor:
    """Does what the drill asks for from outside: ``start``, ``begin`` or ``end`` as the ``step`` of a payload."""

    def __init__(self, rehearsal: Rehearsal) -> None:
        self._rehearsal = rehearsal
        self._work: asyncio.Task[None] | None = None

    async def execute(self, payload: dict[str, Any]) -> dict[str, str]:
        """Do one step, and return where the metrics are, and the marker of the sandbox."""
        step, sandbox = payload["step"], self._rehearsal.sandbox
        if self._work is not None and self._work.done():
            self._work.result()
        if step == "start":
            server = sandbox.runtime.metrics_server
            sandbox.port = 0 if server is None else server.port
            await sandbox.runtime.lifecycle.swap(DOMAIN, KEY, STEADY)
            self._work = asyncio.create_task(self._rehearsal.work(), name="oneiric-drill")
        else:
            await (self._rehearsal.begin() if step == "begin" else self._rehearsal.end())
        return {"metrics_url": sandbox.metrics_url, "marker": sandbox.marker}


def connect(runtime: RuntimeOrchestrator) -> None:
    """Make a sandbox of *runtime*, and register the action that rehearses in it."""
    directory = Path(runtime.settings.cache_dir or "").parent
    order = json.loads((directory / ORDER).read_text(encoding="utf-8"))
    scenario = SCENARIOS[order["name"]]
    sandbox = Sandbox(directory, config=configured(order["assignments"]), settings=scenario.settings, runtime=runtime)
    conductor = Conductor(Rehearsal(scenario, sandbox))
    runtime.resolver.register(Candidate(domain="action", key=ACTION, provider=ACTION, factory=lambda: conductor))
