"""The lines that a drill prints: what fires when, and what the runbook says then."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from rich.text import Text

from oneiric.monitoring.config import duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from oneiric.monitoring.config import BundleConfig
    from oneiric.monitoring.rules import Alert, Step
    from oneiric.rehearsal.drills.scenario import Scenario
    from oneiric.rehearsal.screen import Screen

SCHEMA_VERSION = 1
"""Of what is printed as JSON."""
STYLES = {"fault": "bold magenta", "metric": "cyan", "log": "yellow", "alert": "bold red", "runbook": "green"}


class Reporter:
    """Prints what happens on *screen*, a line each: when, what kind of thing, and what; *clock* counts seconds.

    With *as_json* each is an object in a line: ``seconds``, ``kind`` and ``lines``.
    """

    def __init__(self, screen: Screen, clock: Callable[[], float], *, as_json: bool = False) -> None:
        self._as_json = as_json
        self._screen = screen
        self._clock = clock
        self._began = clock()

    def report(self, kind: str, *lines: str) -> None:
        """Print *lines* of *kind*."""
        if not lines:
            return
        if self._as_json:
            record = {"schema_version": SCHEMA_VERSION, "seconds": round(self._clock() - self._began, 1), "kind": kind}
            self._screen.print(Text(json.dumps(record | {"lines": lines}, ensure_ascii=False)))
            return
        seconds = f"{self._clock() - self._began:6.1f} s  "
        head = Text.assemble((seconds, "dim"), (f"{kind:<12}", STYLES.get(kind, "bold")))
        self._screen.print(Text("\n").join(head + Text(line) for line in lines))


def listed(scenarios: Iterable[Scenario]) -> Iterator[str]:
    """Return the lines of the list of *scenarios*."""
    for scenario in scenarios:
        yield f"{scenario.name:<24}{scenario.title}"
        yield f"{'':<24}{', '.join(scenario.alerts)}"


def condition(alert: Alert, config: BundleConfig) -> Iterator[str]:
    """Return the lines that say when *alert* fires, and for whom."""
    held = f" for {duration(config.seconds(alert.hold))}" if alert.hold else ""
    yield f"{alert.name} ({alert.severity}, team {alert.team}) fires when this is so{held}:"
    yield f"  {alert.expr.text}"


def runbook(alert: Alert, config: BundleConfig) -> Iterator[str]:
    """Return the lines of the runbook of *alert*."""
    book = alert.runbook
    yield f"{alert.name}: {config.runbook(alert.name)}"
    yield f"  {book.meaning} {book.impact}"
    for title, steps in (("diagnosis", book.diagnosis), ("resolution", book.resolution)):
        yield f"  {title}"
        for step in steps:
            yield from _step(step)


def _step(step: Step) -> Iterator[str]:
    yield f"    - {step.text}"
    yield from (f"        {line}" for line in step.code.splitlines())
