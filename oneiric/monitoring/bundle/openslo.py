"""The service level objectives in the form of OpenSLO v1, for tools that read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from oneiric.monitoring.bundle.alerts import PERIOD_DAYS, budget_alert_name, ever, objectives
from oneiric.monitoring.bundle.output import as_yaml
from oneiric.monitoring.config import duration

if TYPE_CHECKING:
    from oneiric.monitoring.bundle.alerts import Burn, Objective
    from oneiric.monitoring.config import BundleConfig

SERVICE, SOURCE, TARGET = "oneiric", "oneiric-prometheus", "oneiric-alertmanager"


def files(config: BundleConfig) -> dict[str, str]:
    """Return the text of each file of this part for *config*, by its path."""
    return {"openslo/oneiric.yml": as_yaml(*_documents(config))}


def _documents(config: BundleConfig) -> list[dict[str, Any]]:
    connection = {"type": "Prometheus", "connectionDetails": {"url": config.prometheus_url}}
    documents = [
        _document("Service", SERVICE, "Oneiric", {"description": "Which provider serves what, and its renewal."}),
        _document("DataSource", SOURCE, "Prometheus", connection),
        _document("AlertNotificationTarget", TARGET, "Alertmanager", {"target": "alertmanager"}),
    ]
    for objective in objectives(config):
        documents.append(_objective(config, objective))
        for burn in objective.burns:
            documents += _alerting(config, objective, burn)
    return documents


def _document(kind: str, name: str, title: str, spec: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": name, "displayName": title}
    return {"apiVersion": "openslo/v1", "kind": kind, "metadata": metadata, "spec": spec}


def _objective(config: BundleConfig, objective: Objective) -> dict[str, Any]:
    return _document(
        "SLO",
        _slug(objective.name),
        objective.name,
        {
            "description": objective.title,
            "service": SERVICE,
            "indicator": {
                "metadata": {"name": f"{_slug(objective.name)}-ratio"},
                "spec": {
                    "ratioMetric": {
                        "counter": True,
                        "good": _query(ever(config, objective, good=True).text),
                        "total": _query(ever(config, objective).text),
                    }
                },
            },
            "timeWindow": [{"duration": f"{PERIOD_DAYS}d", "isRolling": True}],
            "budgetingMethod": "Occurrences",
            "objectives": [{"displayName": objective.name, "target": objective.target}],
            "alertPolicies": [_slug(budget_alert_name(objective, burn)) for burn in objective.burns],
        },
    )


def _query(text: str) -> dict[str, Any]:
    return {"metricSource": {"metricSourceRef": SOURCE, "type": "Prometheus", "spec": {"query": text}}}


def _alerting(config: BundleConfig, objective: Objective, burn: Burn) -> list[dict[str, Any]]:
    """Return the policy and the condition of the alert on *burn*; its short window is the time that it must last."""
    name = budget_alert_name(objective, burn)
    condition = {
        "kind": "burnrate",
        "op": "gt",
        "threshold": burn.factor,
        "lookbackWindow": duration(config.window_seconds(burn.long)),
        "alertAfter": duration(config.window_seconds(burn.short)),
    }
    severity = "page" if burn.severity == "critical" else "ticket"
    description = f"The error budget of {PERIOD_DAYS} days would be gone in {PERIOD_DAYS / burn.factor:.2g} days."
    policy = {
        "description": description,
        "alertWhenNoData": False,
        "alertWhenBreaching": True,
        "alertWhenResolved": True,
        "conditions": [{"conditionRef": f"{_slug(name)}-condition"}],
        "notificationTargets": [{"targetRef": TARGET}],
    }
    return [
        _document("AlertPolicy", _slug(name), name, policy),
        _document(
            "AlertCondition",
            f"{_slug(name)}-condition",
            name,
            {"description": description, "severity": severity, "condition": condition},
        ),
    ]


def _slug(name: str) -> str:
    """Return *name*, which is in CamelCase, in the form of a DNS label."""
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("-")
