"""Incidents at once: ``python sandboxes.py DIRECTORY PORT NAME...`` runs a sandbox for each and does what it is told.

It prints the port of every sandbox as one line of JSON (PORT is that of the first; 0 takes a free one), and each of the
words ``begin`` and ``end`` that it reads once it has obeyed.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from contextlib import AsyncExitStack
from pathlib import Path

from oneiric.monitoring.config import configured
from oneiric.rehearsal.drills import SCENARIOS
from oneiric.rehearsal.drills.rehearsal import Rehearsal
from oneiric.rehearsal.drills.sandbox import Sandbox


async def main(directory: Path, port: int, names: list[str]) -> None:
    """Run the scenarios *names* below *directory*."""
    async with AsyncExitStack() as stack:
        rehearsals = [await rehearsal_of(name, directory, port, stack) for name in names]
        tell(json.dumps({rehearsal.scenario.name: rehearsal.sandbox.port for rehearsal in rehearsals}))
        work = [asyncio.create_task(rehearsal.work()) for rehearsal in rehearsals]
        while (word := (await asyncio.to_thread(sys.stdin.readline)).strip()) in {"begin", "end"}:
            for task in work:
                if task.done():
                    task.result()
            await asyncio.gather(*(getattr(rehearsal, word)() for rehearsal in rehearsals))
            tell(word)
        for task in work:
            task.cancel()
        await asyncio.wait(work)


async def rehearsal_of(name: str, directory: Path, port: int, stack: AsyncExitStack) -> Rehearsal:
    """Return the rehearsal of the scenario *name*, its sandbox started; *stack* stops it."""
    (directory / name).mkdir(parents=True)
    scenario = SCENARIOS[name]
    config = configured((*scenario.quick, *scenario.alone))
    sandbox = Sandbox(directory / name, config=config, port=port, settings=scenario.settings)
    return Rehearsal(scenario, await stack.enter_async_context(sandbox))


def tell(line: str) -> None:
    """Print *line* at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    logging.basicConfig(filename=Path(sys.argv[1]) / "log.jsonl", format="%(message)s", level=logging.INFO)
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]))
