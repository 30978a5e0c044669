"""The runbooks of incidents, followed: each command typed while the fault lasts, each output compared with the page."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import time
from typing import TYPE_CHECKING

import pytest

from oneiric.monitoring.bundle.incidents import INCIDENTS, incident_page
from oneiric.monitoring.config import BundleConfig, configured
from oneiric.rehearsal.drills.scenarios import SCENARIOS
from oneiric.rehearsal.drills.service_process import serving

if TYPE_CHECKING:
    from pathlib import Path

    from oneiric.monitoring.bundle.incidents import Action, Incident

SECONDS = 120
"""How long what a page shows may take to be so."""
BY_TITLE = {incident.title: incident for incident in INCIDENTS}


def pattern(shows: str) -> re.Pattern[str]:
    """Return what an output must match that a page *shows*."""
    lines = []
    for line in shows.splitlines():
        words = re.split(r"<[a-z ]+>", line)
        lines.append(r"(?:.*\n)*" if line == "..." else ".*".join(map(re.escape, words)) + r"\n+")
    return re.compile("".join(lines))


class Shell:
    """Types commands in *directory*, for the service whose settings are there, with *variables*."""

    def __init__(self, directory: Path, incident: Incident) -> None:
        self._directory = directory
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("ONEIRIC_")},
            **incident.variables,
            "ONEIRIC_CONFIG": str(directory / "oneiric.json"),
            "PATH": f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}",  # noqa: PTH120
            "COLUMNS": "200",
        }

    async def type(self, command: str) -> tuple[str, int]:
        """Return what *command* printed, and how it ended."""
        process = await asyncio.create_subprocess_shell(
            command,
            cwd=self._directory,
            env=self._environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await asyncio.wait_for(process.communicate(), SECONDS)
        assert process.returncode is not None
        return output.decode(), process.returncode

    async def take(self, action: Action) -> None:
        """Take a step: what it prints becomes what the page shows."""
        if not action.command:
            return
        deadline = time.monotonic() + SECONDS
        while True:
            output, code = await self.type(action.command)
            if code == action.exit_code and pattern(action.shows).fullmatch(output):
                return
            assert time.monotonic() < deadline, f"{action.command} ended with {code} and printed:\n{output}"
            await asyncio.sleep(0.5)


@pytest.mark.slow
@pytest.mark.parametrize("title", BY_TITLE)
async def test_an_incident_is_worked_through(title: str, tmp_path: Path) -> None:
    """During the fault each step shows what the page says; once it is taken back the verification does."""
    incident = BY_TITLE[title]
    scenario = SCENARIOS[incident.scenario]
    assignments = (*scenario.quick, *scenario.alone)
    config = configured(assignments)
    async with serving(
        tmp_path, scenario=scenario, config=config, assignments=assignments, port=0, log=tmp_path / "log.jsonl"
    ) as rehearsal:
        shell = Shell(tmp_path, incident)
        await rehearsal.begin()
        for action in (*incident.first, *incident.diagnosis):
            await shell.take(action)
        await rehearsal.end()
        for remedy in incident.remedies:
            for action in remedy.steps:
                await shell.take(action)
        for action in incident.verification:
            await shell.take(action)


@pytest.mark.parametrize("title", BY_TITLE)
def test_a_step_that_changes_something_says_how_to_undo_it(title: str) -> None:
    """Diagnosis runs nothing that changes the service, and what does is undone or needs not be."""
    incident = BY_TITLE[title]
    changing = re.compile(r"oneiric (swap|pause|drain|resume|reload|remote-sync|cache clean|activity recover)")
    assert not [action for action in incident.diagnosis if changing.search(action.command)]
    everywhere = (*incident.first, *(step for remedy in incident.remedies for step in remedy.steps))
    assert all(bool(action.undo) == bool(changing.search(action.command)) for action in everywhere)


@pytest.mark.parametrize("title", BY_TITLE)
def test_where_a_branch_leads_is_on_the_page(title: str) -> None:
    """A letter is that of a remedy, a step one of the diagnosis, a link that of a heading."""
    incident = BY_TITLE[title]
    remedies = "ABCDEFGH"[: len(incident.remedies)]
    text = " ".join(where for action in (*incident.first, *incident.diagnosis) for _, where in action.then)
    assert set(re.findall(r"\b([A-H])\b", text)) <= set(remedies)
    assert all(int(step) <= len(incident.diagnosis) for step in re.findall(r"step (\d+)", text))
    assert set(remedies) <= set(re.findall(r"\b([A-H])\b", text)), "no branch leads to some remedy"
    headings = {heading.lower().replace(" ", "-") for heading in BY_TITLE}
    assert set(re.findall(r"\(#([^)]+)\)", text)) <= headings


def test_the_page_of_an_incident_fits_on_few_screens() -> None:
    """No incident is longer than two hundred lines, and the contents link each."""
    page = incident_page(BundleConfig())
    assert all(f"- [{title}](#" in page for title in BY_TITLE)
    assert all(len(section.splitlines()) <= 200 for section in page.split("\n## ")[1:])
