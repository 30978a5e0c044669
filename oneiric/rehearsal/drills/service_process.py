"""A drill in a service: `oneiric orchestrate` in a process of its own, in which a scenario is rehearsed."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from oneiric.rehearsal.drills.resident import ACTION, ORDER
from oneiric.rehearsal.drills.sandbox import sandbox_settings
from oneiric.rehearsal.drills.scenario import DrillError
from oneiric.runtime.control.client import RefusedError, ServiceClient, ServiceError

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator
    from pathlib import Path

    from oneiric.monitoring.config import BundleConfig
    from oneiric.rehearsal.drills.scenario import Scenario

START_SECONDS = 60.0
"""How long the service may take to start."""
STEP_SECONDS = 60.0
"""How long one step may take."""
STOP_SECONDS = 20.0
LOOK_SECONDS = 0.1
_RESIDENT = "oneiric.rehearsal.drills.resident"


class ServiceStage(NamedTuple):
    """What a drill knows of the service: the thresholds, its marker, and where its metrics are."""

    config: BundleConfig
    marker: str
    metrics_url: str


class ServiceRehearsal:
    """Works in the service of *process*, which *client* commands, as *scenario* says."""

    def __init__(self, scenario: Scenario, config: BundleConfig, process: Process, client: ServiceClient) -> None:
        self.scenario = scenario
        self.sandbox = ServiceStage(config, "", "")
        self._process = process
        self._client = client

    async def start(self) -> None:
        """Wait until the service is ready, and have it work; DrillError where it does not come so far."""
        deadline = asyncio.get_running_loop().time() + START_SECONDS
        while not await self._is_ready():
            if asyncio.get_running_loop().time() > deadline:
                raise DrillError(f"the service was not ready within {START_SECONDS:g} s")
            await asyncio.sleep(LOOK_SECONDS)
        found = await self._step("start")
        if found["metrics_url"].endswith(":0/metrics"):
            raise DrillError("the metrics of the service cannot be served; take another port with --port")
        self.sandbox = ServiceStage(self.sandbox.config, found["marker"], found["metrics_url"])

    async def work(self) -> None:
        """Wait until the service ends, which is an error: it works by itself."""
        code = await self._process.wait()
        raise DrillError(f"the service ended with {code} during the drill")

    async def begin(self) -> None:
        """Put the fault in."""
        await self._step("begin")

    async def end(self) -> None:
        """Take the fault out."""
        await self._step("end")

    async def _step(self, step: str) -> dict[str, str]:
        try:
            answer = await asyncio.to_thread(self._client.change, "action-invoke", key=ACTION, payload={"step": step})
        except ServiceError as error:
            raise DrillError(str(error)) from None
        result: dict[str, str] = answer["result"]
        return result

    async def _is_ready(self) -> bool:
        if self._process.returncode is not None:
            raise DrillError(f"the service ended with {self._process.returncode} before it was ready")
        try:
            answer = await asyncio.to_thread(self._client.read, "health")
        except RefusedError:
            raise
        except ServiceError:
            return False
        return bool(answer["healthy"])


@asynccontextmanager
async def serving(  # noqa: PLR0913 - what a drill is made of
    directory: Path, *, scenario: Scenario, config: BundleConfig, assignments: tuple[str, ...], port: int, log: Path
) -> AsyncIterator[ServiceRehearsal]:
    """Start a service in *directory*, yield what rehearses in it, and stop it; DrillError where it does not start."""
    if scenario.restarts:
        raise DrillError(f"{scenario.name} stops its runtime and starts another: it is rehearsed without --service")
    socket = directory / "control.sock"
    own: dict[str, Any] = {
        "control": {"socket": str(socket)},
        "logging": {"sinks": [{"target": "file", "path": str(log)}]},
    }
    settings = sandbox_settings(directory, config=config, port=port, given=scenario.settings) | own
    (directory / "oneiric.json").write_text(json.dumps(settings), encoding="utf-8")
    (directory / ORDER).write_text(json.dumps({"name": scenario.name, "assignments": assignments}), encoding="utf-8")
    command = ("-m", "oneiric", "--config", str(directory / "oneiric.json"), "--import", _RESIDENT, "orchestrate")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ONEIRIC_")}
    with (directory / "output.txt").open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, *command, stdout=output, stderr=output, env=environment, start_new_session=True
        )
    try:
        rehearsal = ServiceRehearsal(scenario, config, process, ServiceClient(socket, silence=STEP_SECONDS))
        await rehearsal.start()
        yield rehearsal
    finally:
        await _stop(process)


async def _stop(process: Process) -> None:
    with suppress(ProcessLookupError):
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()
