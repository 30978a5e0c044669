"""The drift check: that every name, type, label, value and link in operators' files is one that the runtime has."""

from oneiric.monitoring.drift.check import Options, Outcome, check
from oneiric.monitoring.drift.codes import CODES
from oneiric.monitoring.drift.finding import Finding
from oneiric.monitoring.drift.output import FORMATS, formatted
from oneiric.monitoring.drift.query import Pace

__all__ = ["CODES", "FORMATS", "Finding", "Options", "Outcome", "Pace", "check", "formatted"]
