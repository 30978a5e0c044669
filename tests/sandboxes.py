"""All incidents at once: ``python sandboxes.py DIRECTORY`` runs a sandbox for each and does what its input says.

It prints the port of every sandbox as one line of JSON, and each of the words ``begin``, ``end`` and ``stop`` that it
reads once it has obeyed.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from contextlib import AsyncExitStack
from pathlib import Path

from oneiric.cli._drill_rehearsal import Rehearsal
from oneiric.cli._drill_sandbox import Sandbox
from oneiric.cli._drill_scenarios import SCENARIOS


async def main(directory: Path) -> None:
    """Run every scenario below *directory*."""
    async with AsyncExitStack() as stack:
        rehearsals = [await rehearsal_of(name, directory, stack) for name in SCENARIOS]
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
    tell("stop")


async def rehearsal_of(name: str, directory: Path, stack: AsyncExitStack) -> Rehearsal:
    """Return the rehearsal of the scenario *name*, its sandbox started; *stack* stops it."""
    (directory / name).mkdir()
    sandbox = Sandbox(directory / name, settings=SCENARIOS[name].settings)
    return Rehearsal(SCENARIOS[name], await stack.enter_async_context(sandbox))


def tell(line: str) -> None:
    """Print *line* at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    logging.basicConfig(filename=Path(sys.argv[1]) / "log.jsonl", format="%(message)s", level=logging.INFO)
    asyncio.run(main(Path(sys.argv[1])))
