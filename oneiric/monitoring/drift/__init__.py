"""The drift check: that every name, type, label, value and link in operators' files is one that the runtime has."""

from oneiric.monitoring.drift.check import Options, Outcome, check
from oneiric.monitoring.drift.codes import CODES, LEVELS, Level
from oneiric.monitoring.drift.finding import Finding
from oneiric.monitoring.drift.output import FORMATS, formatted
from oneiric.monitoring.drift.policy import NOTHING_ASKED, Policy, PolicyError, find_policy, read_policy
from oneiric.monitoring.drift.query import Pace

__all__ = [
    "CODES",
    "FORMATS",
    "LEVELS",
    "NOTHING_ASKED",
    "Finding",
    "Level",
    "Options",
    "Outcome",
    "Pace",
    "Policy",
    "PolicyError",
    "check",
    "find_policy",
    "formatted",
    "read_policy",
]
