"""A rehearsal: the work of a sandbox, with a fault put in and taken out."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from oneiric.monitoring.config import BundleConfig
    from oneiric.rehearsal.drills.sandbox import Sandbox
    from oneiric.rehearsal.drills.scenario import Scenario

STEP_SECONDS = 0.1


class Stage(Protocol):
    """Where a rehearsal takes place: the thresholds, a key that no other runtime has, and where the metrics are."""

    @property
    def config(self) -> BundleConfig:
        """The thresholds that a fault is to exceed."""

    @property
    def marker(self) -> str:
        """A key that no other runtime has."""

    @property
    def metrics_url(self) -> str:
        """Where the metrics are."""


class Rehearsing(Protocol):
    """What puts a fault into a stage and takes it out again, as a scenario says."""

    scenario: Scenario

    @property
    def sandbox(self) -> Stage:
        """Where it takes place."""

    async def work(self) -> None:
        """Work until cancelled."""

    async def begin(self) -> None:
        """Put the fault in."""

    async def end(self) -> None:
        """Take the fault out."""


class Rehearsal:
    """Works in *sandbox* as *scenario* says; for one event loop."""

    def __init__(self, scenario: Scenario, sandbox: Sandbox) -> None:
        self.scenario = scenario
        self.sandbox = sandbox
        self._step = scenario.normal
        self._turn = asyncio.Lock()

    async def work(self) -> None:
        """Take step after step until cancelled."""
        while True:
            async with self._turn:
                await self._step(self.sandbox)
            await asyncio.sleep(STEP_SECONDS)

    async def begin(self) -> None:
        """Put the fault in."""
        async with self._turn:
            await self.scenario.begin(self.sandbox)
            self._step = self.scenario.fault

    async def end(self) -> None:
        """Take the fault out."""
        async with self._turn:
            await self.scenario.end(self.sandbox)
            self._step = self.scenario.normal
