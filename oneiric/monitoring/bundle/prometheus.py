"""Prometheus' rule files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from oneiric.monitoring.bundle.alerts import alert_groups, record_groups
from oneiric.monitoring.bundle.output import as_yaml
from oneiric.monitoring.config import duration
from oneiric.monitoring.rules import Alert

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oneiric.monitoring.config import BundleConfig
    from oneiric.monitoring.rules import Group, Record


def files(config: BundleConfig) -> dict[str, str]:
    """Return the text of each file of this part for *config*, by its path."""
    return {
        "prometheus/rules/oneiric-records.yml": rules_text(record_groups(config), config),
        "prometheus/rules/oneiric-alerts.yml": rules_text(alert_groups(config), config),
    }


def rule_groups(config: BundleConfig) -> list[dict[str, Any]]:
    """Return every group of records and alerts, as rule files and the Prometheus Operator have them."""
    return [_group(group, config) for group in (*record_groups(config), *alert_groups(config))]


def rules_text(groups: Iterable[Group], config: BundleConfig) -> str:
    """Return *groups* as a rule file of Prometheus."""
    return as_yaml({"groups": [_group(group, config) for group in groups]})


def _group(group: Group, config: BundleConfig) -> dict[str, Any]:
    # Said of every group: in an existing Prometheus, the global interval is somebody else's, and windows follow ours.
    interval = config.hold(group.interval) if group.interval else duration(config.evaluation_interval_seconds)
    return {"name": group.name, "interval": interval, "rules": [_rule(rule, config) for rule in group.rules]}


def _rule(rule: Alert | Record, config: BundleConfig) -> dict[str, Any]:
    if not isinstance(rule, Alert):
        return {"record": rule.name, "expr": rule.expr.text}
    return {
        "alert": rule.name,
        "expr": rule.expr.text,
        **({"for": config.hold(rule.hold)} if rule.hold else {}),
        "labels": {"severity": rule.severity, "team": rule.team},
        "annotations": {
            "summary": rule.summary,
            "description": f"{rule.description} {rule.runbook.impact}",
            # What calls itself a URL must be one: tools make links of it.
            "runbook_url" if config.docs_url else "runbook": config.runbook(rule.name),
            "dashboard_url": f"{config.grafana_url}/d/{rule.dashboard}",
        },
    }
