"""The drift check: that every name, type, label, value and link in operators' files is one that the runtime has."""

from oneiric.monitoring.drift.check import Options, Outcome, check
from oneiric.monitoring.drift.findings import (
    CODES,
    FORMATS,
    LEVELS,
    NOTHING_ASKED,
    Finding,
    Level,
    Policy,
    PolicyError,
    find_policy,
    formatted,
    read_policy,
)
from oneiric.monitoring.drift.queries import Pace

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
