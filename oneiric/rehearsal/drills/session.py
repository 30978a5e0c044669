"""The drill: rehearse an incident in a sandbox, and see what its alerts, log lines and runbook are like."""

from __future__ import annotations

import asyncio
import difflib
import errno
import os
import tempfile
import time
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
from rich.console import Console

from oneiric.core.activity import ActivityStoreError
from oneiric.core.config import LoggingConfig, LoggingSinkConfig, LogQueueConfig, OneiricSettings
from oneiric.core.logging import configure_logging
from oneiric.monitoring.bundle.alerts import alerts
from oneiric.monitoring.config import BundleConfig, ConfigError, configured
from oneiric.monitoring.values import checked_url
from oneiric.rehearsal.drills.lines import LogWatch
from oneiric.rehearsal.drills.metrics import MetricsWatch
from oneiric.rehearsal.drills.prometheus import PrometheusWatch
from oneiric.rehearsal.drills.rehearsal import Rehearsal
from oneiric.rehearsal.drills.run import Drill, Timing
from oneiric.rehearsal.drills.sandbox import Sandbox
from oneiric.rehearsal.drills.scenario import DrillError
from oneiric.rehearsal.drills.scenarios import SCENARIOS
from oneiric.rehearsal.drills.service_process import serving
from oneiric.rehearsal.drills.view import Reporter, listed
from oneiric.rehearsal.interruption import Interruption
from oneiric.rehearsal.listening import ANY_PORT, ListeningWatch
from oneiric.rehearsal.screen import Screen, signals_handled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from oneiric.rehearsal.drills.rehearsal import Rehearsing
    from oneiric.rehearsal.drills.scenario import Scenario

REHEARSED, NOT_REHEARSED, USAGE, INTERRUPTED = 0, 1, 2, 130
"""Exit codes."""
ANSWER_SECONDS = 5.0
"""How long anybody who is asked over HTTP may take to answer."""
FLUSH_SECONDS = 0.5
UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO})
"""Errors of a place where nothing can be written."""


@dataclass(frozen=True, kw_only=True)
class DrillOptions:
    """What the command line asks for.

    Attributes:
        name: The incident.
        assignments: Settings of the bundle, ``KEY=VALUE`` each.
        prometheus: The URL of the Prometheus that has the bundle's rules; None: no alert is waited for.
        port: Of the metrics; None: with a Prometheus that of the first target of the settings, else a free one.
        seconds: How long the fault lasts, and the time after it is shown, where no alert is waited for.
        timeout: Seconds that an alert may take to fire, and to resolve.
        as_json: Whether what happens is printed as JSON, an object a line.
        service: Whether it is rehearsed in a service, `oneiric orchestrate` in a process of its own.
    """

    name: str
    assignments: tuple[str, ...] = ()
    prometheus: str | None = None
    port: int | None = None
    seconds: float
    timeout: float
    service: bool = False
    as_json: bool = False


def list_drills() -> list[str]:
    """Return a list of every incident as lines."""
    return list(listed(SCENARIOS.values()))


def drill_records() -> list[dict[str, object]]:
    """Return every incident as a record: its name, what happens, its alerts, and whether it stops its runtime."""
    return [
        {"name": one.name, "title": one.title, "alerts": list(one.alerts), "restarts": one.restarts}
        for one in SCENARIOS.values()
    ]


def run_drill(options: DrillOptions) -> int:
    """Rehearse, and return the exit code; DrillError for what cannot be done as asked.

    Where nobody takes what it prints it goes on without, and ends the process itself: the interpreter would wait.
    """
    scenario, config = _scenario(options.name), _config(options)
    prometheus = None if options.prometheus is None else _url(options.prometheus)
    screen = Screen(Console(highlight=False, soft_wrap=True))
    interruption = Interruption()
    with signals_handled(interruption.happen), _directory() as directory:
        reporter = Reporter(screen, time.monotonic, as_json=options.as_json)
        place = _Place(directory, scenario, config, options, prometheus, reporter)
        with _logging(place.log):
            code = asyncio.run(_unless_interrupted(place, interruption))
        if not screen.drain():
            os._exit(code)
    return code


@dataclass(frozen=True)
class _Place:
    """Where a drill takes place, and with what."""

    directory: Path
    scenario: Scenario
    config: BundleConfig
    options: DrillOptions
    prometheus: str | None
    reporter: Reporter

    @property
    def log(self) -> Path:
        """The file of the log lines."""
        return self.directory / "log.jsonl"

    @property
    def port(self) -> int:
        """Where the metrics are to be served."""
        if self.options.port is not None:
            return self.options.port
        return 0 if self.prometheus is None else int(self.config.targets[0].rpartition(":")[2])


async def _unless_interrupted(place: _Place, interruption: Interruption) -> int:
    drill, stop = asyncio.create_task(_drill(place)), asyncio.create_task(interruption.wait())
    await asyncio.wait([drill, stop], return_when=asyncio.FIRST_COMPLETED)
    interrupted = not drill.done()
    (drill if interrupted else stop).cancel()
    await asyncio.wait([drill, stop])
    if interrupted:
        place.reporter.report("drill", "interrupted; the sandbox is gone")
        return INTERRUPTED
    problem = drill.result()
    place.reporter.report("drill", problem or f"{place.scenario.name}: rehearsed")
    return NOT_REHEARSED if problem else REHEARSED


async def _drill(place: _Place) -> str:
    """Rehearse and return what went wrong, or nothing."""
    known = {alert.name: alert for alert in alerts(place.config)}
    found = tuple(known[name] for name in place.scenario.alerts)
    where = "in a service" if place.options.service else "in a sandbox"
    async with _rehearsal(place) as rehearsal, httpx.AsyncClient(timeout=ANSWER_SECONDS) as client:
        url = rehearsal.sandbox.metrics_url
        place.reporter.report("drill", f"{place.scenario.name}, {where} with its metrics at {url}")
        drill = Drill(
            rehearsal,
            found,
            reporter=place.reporter,
            metrics=MetricsWatch(client, url, (alert.expr for alert in found)),
            lines=LogWatch(place.log),
            prometheus=_watch(place, client),
            timing=Timing(phase=place.options.seconds, alert=place.options.timeout),
        )
        return await _both(drill, rehearsal)


@asynccontextmanager
async def _rehearsal(place: _Place) -> AsyncIterator[Rehearsing]:
    """Yield what rehearses, in a service or in this process, and stop it."""
    scenario, config = place.scenario, place.config
    if place.options.service:
        assignments = (*_quick(place.options), *place.options.assignments)
        service = serving(
            place.directory, scenario=scenario, config=config, assignments=assignments, port=place.port, log=place.log
        )
        async with service as rehearsal:
            yield rehearsal
        return
    sandbox = Sandbox(place.directory, config=config, port=place.port, settings=scenario.settings)
    listening = ListeningWatch()
    sandbox.runtime.observers.add(listening)
    async with sandbox:
        if listening.problem:
            other = ANY_PORT if place.prometheus is None else "name a port that the Prometheus scrapes with --port"
            raise DrillError(f"{listening.problem}; {other}")
        yield Rehearsal(scenario, sandbox)


def _watch(place: _Place, client: httpx.AsyncClient) -> PrometheusWatch | None:
    if place.prometheus is None:
        return None
    return PrometheusWatch(client, place.prometheus, place.config, place.scenario.alerts)


async def _both(drill: Drill, rehearsal: Rehearsing) -> str:
    """Work until the drill is over, or the work fails, which is raised."""
    work, run = asyncio.create_task(rehearsal.work()), asyncio.create_task(drill.run())
    try:
        await asyncio.wait([work, run], return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            work.result()
        return run.result()
    finally:
        for task in (run, work):
            task.cancel()
        await asyncio.wait([run, work])


@contextmanager
def _directory() -> Iterator[Path]:
    """Make a directory for the sandbox and remove it at the end; DrillError where it cannot be, or the drill fails."""
    try:
        directory = tempfile.TemporaryDirectory(prefix="oneiric-drill-")
    except OSError as error:
        raise DrillError(f"the sandbox cannot be made: {error}; TMPDIR sets another place for it") from None
    with directory as name:
        try:
            yield Path(name)
        except (OSError, ActivityStoreError) as error:
            if isinstance(error, ActivityStoreError) or error.errno in UNWRITABLE:
                place = "" if isinstance(error, ActivityStoreError) or error.filename else f"{name}: "
                raise DrillError(
                    f"the sandbox cannot be written: {place}{error}; TMPDIR sets another place for it"
                ) from None
            raise DrillError(f"the drill failed: {error}") from None


def _scenario(name: str) -> Scenario:
    if name in SCENARIOS:
        return SCENARIOS[name]
    close = difflib.get_close_matches(name, SCENARIOS, n=1)
    hint = f"did you mean {close[0]}?" if close else "see oneiric monitoring drill --list"
    raise DrillError(f"{name}: there is no such drill; {hint}")


def _config(options: DrillOptions) -> BundleConfig:
    """Return the settings asked for; where no Prometheus has rules of its own, ones that make the fault show soon."""
    try:
        return configured((*_quick(options), *options.assignments))
    except ConfigError as error:
        raise DrillError(str(error)) from None


def _quick(options: DrillOptions) -> tuple[str, ...]:
    return SCENARIOS[options.name].quick if options.prometheus is None else ()


def _url(text: str) -> str:
    try:
        return checked_url(text)
    except ValueError as error:
        raise DrillError(f"--prometheus {text}: {error}") from None


@contextmanager
def _logging(path: Path) -> Iterator[None]:
    """Write log lines to *path*."""
    sink = LoggingSinkConfig(target="file", path=path)
    config = LoggingConfig(sinks=[sink], queue=LogQueueConfig(flush_seconds=FLUSH_SECONDS))
    handle = configure_logging(OneiricSettings.exactly(logging=config).logging)
    path.touch()
    try:
        yield
    finally:
        handle.close()
