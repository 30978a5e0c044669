"""Every incident that can be rehearsed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.cli import _drill_budgets, _drill_lifecycle, _drill_process, _drill_remote

if TYPE_CHECKING:
    from oneiric.cli._drill_scenario import Scenario

SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for subject in (_drill_lifecycle, _drill_remote, _drill_process, _drill_budgets)
    for scenario in subject.INCIDENTS
}
"""The incidents by name; each alert but the dead-man's switch has one at least."""
