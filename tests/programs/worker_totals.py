"""Workers of one service, as a prefork server has them: each counts some resolutions, then shows its totals.

    python worker_totals.py DIRECTORY WORKERS RESOLUTIONS

Prints the totals that each worker showed, as a JSON list. Its settings name no shared directory.
"""

from __future__ import annotations

import json
import multiprocessing
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from oneiric import Candidate, OneiricSettings, RuntimeOrchestrator

if TYPE_CHECKING:
    from multiprocessing.queues import Queue
    from multiprocessing.synchronize import Barrier

SECONDS = 120.0


def work(directory: Path, number: int, resolutions: int, counted: Barrier, totals: Queue[float]) -> None:
    """Count *resolutions*, wait for the other workers, and put the total that a scrape shows into *totals*."""
    cache_dir = directory / str(number)
    runtime = RuntimeOrchestrator(OneiricSettings(cache_dir=cache_dir, observability={"metrics_server": False}))
    runtime.resolver.register(Candidate(domain="adapter", key="cache", provider="memory", factory=dict))
    for _ in range(resolutions):
        runtime.resolver.resolve("adapter", "cache")
    counted.wait(SECONDS)
    assert runtime.telemetry is not None
    totals.put(sum(value for _, value in runtime.telemetry.samples()["oneiric_resolution_total"]))
    counted.wait(SECONDS)


def main(directory: Path, workers: int, resolutions: int) -> None:
    """Start the workers and print what they show."""
    context = multiprocessing.get_context("fork")
    counted, totals = context.Barrier(workers), context.Queue()
    started = [
        context.Process(target=work, args=(directory, number, resolutions, counted, totals))
        for number in range(workers)
    ]
    for process in started:
        process.start()
    print(json.dumps([totals.get(timeout=SECONDS) for _ in started]))  # noqa: T201 - what it is for
    for process in started:
        process.join(SECONDS)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
