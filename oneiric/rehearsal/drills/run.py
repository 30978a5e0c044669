"""One drill, from a sandbox in which all is well, through the fault, to one in which all is well again."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from oneiric.rehearsal.drills.prometheus import PrometheusError
from oneiric.rehearsal.drills.view import condition, runbook

if TYPE_CHECKING:
    from oneiric.monitoring.rules import Alert
    from oneiric.rehearsal.drills.lines import LogWatch
    from oneiric.rehearsal.drills.metrics import MetricsWatch
    from oneiric.rehearsal.drills.prometheus import AlertState, PrometheusWatch
    from oneiric.rehearsal.drills.rehearsal import Rehearsing
    from oneiric.rehearsal.drills.view import Reporter

LOOK_SECONDS = 0.5
CALM_SECONDS = 2.0
"""How long all is well at first, so that what moves then is known."""


@dataclass(frozen=True, kw_only=True)
class Timing:
    """How long a drill takes, in seconds.

    Attributes:
        phase: The fault, and the time after it, where no Prometheus is asked.
        alert: Until an alert fires, and until it resolves, at most.
    """

    phase: float
    alert: float


class Drill:
    """Rehearses, and reports what happens; for one event loop.

    Args:
        rehearsal: What is done in the sandbox.
        alerts: Those that the fault sets off.
        reporter: Prints what happens.
        metrics: What the alerts look at.
        lines: The sandbox's log.
        prometheus: Who evaluates the alerts; None: nobody.
        timing: How long it takes.
    """

    def __init__(  # noqa: PLR0913 - collaborators
        self,
        rehearsal: Rehearsing,
        alerts: tuple[Alert, ...],
        *,
        reporter: Reporter,
        metrics: MetricsWatch,
        lines: LogWatch,
        prometheus: PrometheusWatch | None,
        timing: Timing,
    ) -> None:
        self._rehearsal = rehearsal
        self._alerts = alerts
        self._reporter = reporter
        self._metrics = metrics
        self._lines = lines
        self._prometheus = prometheus
        self._timing = timing
        self._instance = ""
        self._states: dict[str, AlertState] = {}
        self._trouble = ""
        self._moved = False
        self._clock = asyncio.get_running_loop().time

    async def run(self) -> str:
        """Rehearse, and return what went wrong, or nothing.

        Raises:
            DrillError: It cannot be rehearsed here.
            PrometheusError: The Prometheus cannot be asked at the beginning.
        """
        for alert in self._alerts:
            self._reporter.report("alert", *condition(alert, self._rehearsal.sandbox.config))
        if problem := await self._prepare():
            return problem
        return await self._fault() or await self._recovery()

    async def _prepare(self) -> str:
        if self._prometheus is None:
            self._reporter.report(
                "alert", "nobody evaluates that here: with --prometheus URL the drill waits for the alert"
            )
            await self._calm()
            return ""
        if missing := await self._prometheus.missing_rules():
            return f"{self._prometheus.url} has no rule called {', '.join(missing)}: load the bundle's rules there"
        if problem := await self._find_instance(self._prometheus):
            return problem
        await self._calm()
        self._states = await self._prometheus.states(self._instance)
        early = self._not("inactive")
        return f"{early} fires already, or is about to, without the fault" if early else ""

    async def _find_instance(self, prometheus: PrometheusWatch) -> str:
        sandbox = self._rehearsal.sandbox
        self._reporter.report("prometheus", f"waits until {prometheus.url} scrapes {sandbox.metrics_url}")
        deadline = self._clock() + self._timing.alert
        while (found := await prometheus.instance(sandbox.marker)) is None:
            if self._clock() > deadline:
                job = sandbox.config.job
                return f"{prometheus.url} does not scrape {sandbox.metrics_url}: make it a target of the job {job}"
            await asyncio.sleep(LOOK_SECONDS)
        self._instance = found
        self._reporter.report("prometheus", f"scrapes it as instance {found}")
        return ""

    async def _calm(self) -> None:
        """Let all be well for a while, so that what is new later differs from what is usual."""
        self._lines.begin()
        await asyncio.sleep(CALM_SECONDS)
        self._lines.begin()
        await self._metrics.settle()

    async def _fault(self) -> str:
        self._reporter.report("fault", f"is put in: {self._rehearsal.scenario.title}")
        await self._rehearsal.begin()
        if not await self._until("firing"):
            return f"not rehearsed: {self._not('firing')} did not fire within {self._timing.alert:g} s"
        if not self._moved:
            return f"not rehearsed: no metric moved within {self._timing.phase:g} s; give it more with --seconds"
        for alert in self._alerts:
            self._reporter.report("runbook", *runbook(alert, self._rehearsal.sandbox.config))
        return ""

    async def _recovery(self) -> str:
        self._reporter.report("log", *self._lines.begin())
        self._metrics.begin()
        self._reporter.report("fault", "is taken out")
        await self._rehearsal.end()
        if not await self._until("inactive"):
            return f"not rehearsed: {self._not('inactive')} did not resolve within {self._timing.alert:g} s"
        return ""

    async def _until(self, state: AlertState) -> bool:
        """Show what happens until all alerts are in *state*, or the time is over; return whether they had to be."""
        self._moved = False
        deadline = self._clock() + (self._timing.phase if self._prometheus is None else self._timing.alert)
        while (waiting := self._prometheus is None or bool(self._not(state))) and self._clock() < deadline:
            await asyncio.sleep(LOOK_SECONDS)
            await self._look()
        await self._measure(all_of_it=True)
        if not self._moved:
            self._reporter.report("metric", "nothing moves any more")
        return self._prometheus is None or not waiting

    async def _measure(self, *, all_of_it: bool = False) -> None:
        lines = await self._metrics.look(self._clock(), all_of_it=all_of_it)
        self._moved = self._moved or bool(lines)
        self._reporter.report("metric", *lines)

    async def _look(self) -> None:
        await self._measure()
        self._reporter.report("log", *self._lines.look())
        if self._prometheus is not None:
            await self._ask(self._prometheus)

    async def _ask(self, prometheus: PrometheusWatch) -> None:
        try:
            states = await prometheus.states(self._instance)
        except PrometheusError as error:
            if str(error) != self._trouble:
                self._reporter.report("prometheus", str(error))
            self._trouble = str(error)
            return
        self._trouble = ""
        for name, state in states.items():
            if state != self._states[name]:
                self._reporter.report("alert", f"{name} is {'resolved' if state == 'inactive' else state}")
        self._states = states

    def _not(self, state: AlertState) -> str:
        return ", ".join(name for name, found in self._states.items() if found != state)
