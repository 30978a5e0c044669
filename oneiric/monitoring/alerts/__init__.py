"""Every alert, with its runbook."""

from oneiric.monitoring.alerts.common import DAY, HOUR, LIFECYCLE, MINUTE, OVERVIEW, REMOTE, RESOLUTION, by, promql
from oneiric.monitoring.alerts.groups import alert_groups, alerts, record_groups

__all__ = [
    "DAY",
    "HOUR",
    "LIFECYCLE",
    "MINUTE",
    "OVERVIEW",
    "REMOTE",
    "RESOLUTION",
    "alert_groups",
    "alerts",
    "by",
    "promql",
    "record_groups",
]
