"""Incidents rehearsed: a fault that is real, and the alert that fires for it."""

from oneiric.rehearsal.drills.scenario import DrillError
from oneiric.rehearsal.drills.scenarios import SCENARIOS
from oneiric.rehearsal.drills.session import DrillOptions, drill_records, list_drills, run_drill

__all__ = ["SCENARIOS", "DrillError", "DrillOptions", "drill_records", "list_drills", "run_drill"]
