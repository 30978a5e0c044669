"""Every alert, with its runbook."""

from oneiric.monitoring.bundle.alerts.budgets import (
    BURNS,
    PERIOD_DAYS,
    Burn,
    Objective,
    budget_alert_name,
    ever,
    objectives,
    ratio_record,
)
from oneiric.monitoring.bundle.alerts.common import (
    DAY,
    HOUR,
    LIFECYCLE,
    MINUTE,
    OVERVIEW,
    REMOTE,
    RESOLUTION,
    by,
    promql,
)
from oneiric.monitoring.bundle.alerts.groups import alert_groups, alerts, record_groups

__all__ = [
    "BURNS",
    "DAY",
    "HOUR",
    "LIFECYCLE",
    "MINUTE",
    "OVERVIEW",
    "PERIOD_DAYS",
    "REMOTE",
    "RESOLUTION",
    "Burn",
    "Objective",
    "alert_groups",
    "alerts",
    "budget_alert_name",
    "by",
    "ever",
    "objectives",
    "promql",
    "ratio_record",
    "record_groups",
]
