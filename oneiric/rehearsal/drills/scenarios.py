"""Every incident that can be rehearsed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.rehearsal.drills import budgets, lifecycle, process, remote, service

if TYPE_CHECKING:
    from oneiric.rehearsal.drills.scenario import Scenario

SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for subject in (lifecycle, remote, process, service, budgets)
    for scenario in subject.INCIDENTS
}
"""The incidents by name; each alert but the dead-man's switch has one at least."""
