"""What telemetry adds to a whole swap: metrics, one INFO line to the null device, no recording span.

A component is swapped back and forth between two providers, through a lifecycle manager with its defaults. The less a
swap itself has to do, the more weighs what is added: the row that is judged swaps to an instance that a coroutine
makes, that has neither health check nor cleanup, and keeps no status file.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks._logged import flush, logging_to_nowhere
from benchmarks._measure import in_turns, once
from benchmarks._report import Row
from benchmarks._watched import DOMAIN, page, require_counted, resolver_of
from oneiric.core.lifecycle import LifecycleManager
from oneiric.observability import attach
from oneiric.observability.catalogue import LOG_EVENTS
from oneiric.observability.logs import UNLIMITED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks._measure import Effort, Ratios, Subject
    from oneiric.observability import Telemetry

PROVIDERS = ("redis", "memory")
SWAPS = 200


@dataclass
class Plain:
    """An instance that has nothing but itself."""


@dataclass
class Checked:
    """An instance with a health check and a cleanup."""

    async def health(self) -> bool:
        """Say that all is well."""
        return True

    async def close(self) -> None:
        """Let go of nothing."""


async def plain() -> Plain:
    """Make an instance."""
    return Plain()


async def checked() -> Checked:
    """Make an instance that can be checked."""
    return Checked()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A kind of swap."""

    row: Row
    factory: Callable[[], Any]
    keeps_statuses: bool = False


WHAT = "an instrumented swap vs a bare one"
CASES = (
    Case(row=Row(name="swap", what=WHAT, at_least=3, aim=2), factory=plain),
    Case(row=Row(name="swap-checked", what=WHAT + ", health check and cleanup"), factory=checked),
    Case(row=Row(name="swap-kept", what=WHAT + ", status file"), factory=plain, keeps_statuses=True),
    Case(row=Row(name="swap-thread", what=WHAT + ", made in a thread"), factory=Plain),
)
ROWS = tuple(case.row for case in CASES)


def measure(effort: Effort) -> Ratios:
    """Return the ratios of every row."""
    return {case.row.name: _ratios(case, effort) for case in CASES}


def _ratios(case: Case, effort: Effort) -> list[float]:
    swaps = 2 * effort.of(SWAPS // 2)
    with (
        tempfile.TemporaryDirectory() as directory,
        logging_to_nowhere(),
        asyncio.Runner() as runner,
        _manager(case, Path(directory) / "bare.json", runner) as bare,
        _manager(case, Path(directory) / "watched.json", runner) as watched,
        attach(watched, watched.resolver, log_limits=UNLIMITED) as telemetry,
    ):
        subjects = {
            "bare": once(lambda: runner.run(_swap(bare, swaps))),
            "watched": _told(once(lambda: runner.run(_swap(watched, swaps))), telemetry),
        }
        ratios = [r["watched"] / r["bare"] for r in in_turns(subjects, effort.rounds)]
        require_counted(telemetry, LOG_EVENTS, swaps * (effort.rounds + 1), where='event="swap-complete"')
    return ratios


@contextlib.contextmanager
def _manager(case: Case, path: Path, runner: asyncio.Runner) -> Iterator[LifecycleManager]:
    resolver = resolver_of(["cache"], PROVIDERS, factory=case.factory)
    manager = LifecycleManager(resolver, status_snapshot_path=path if case.keeps_statuses else None)
    try:
        yield manager
    finally:
        runner.run(manager.aclose())


async def _swap(manager: LifecycleManager, swaps: int) -> None:
    for number in range(swaps):
        await manager.swap(DOMAIN, "cache", PROVIDERS[number % len(PROVIDERS)])


def _told(swaps: Subject, telemetry: Telemetry) -> Subject:
    """Return *swaps* with what it takes to write the lines, and to take in what was counted, less a page of nothing."""
    written, render = once(flush), once(lambda: page(telemetry))

    def seconds() -> float:
        return swaps() + written() + render() - min(render(), render())

    return seconds
