"""What the check finds: codes, findings, the report and its formats."""

from oneiric.monitoring.drift.findings.codes import CODES, LEVELS, Level
from oneiric.monitoring.drift.findings.finding import LIKE_AN_ALERT, Finding, did_you_mean, one_of
from oneiric.monitoring.drift.findings.output import FORMATS, formatted
from oneiric.monitoring.drift.findings.policy import NOTHING_ASKED, Policy, PolicyError, find_policy, read_policy
from oneiric.monitoring.drift.findings.reference import with_codes
from oneiric.monitoring.drift.findings.report import Report

__all__ = [
    "CODES",
    "FORMATS",
    "LEVELS",
    "LIKE_AN_ALERT",
    "NOTHING_ASKED",
    "Finding",
    "Level",
    "Policy",
    "PolicyError",
    "Report",
    "did_you_mean",
    "find_policy",
    "formatted",
    "one_of",
    "read_policy",
    "with_codes",
]
