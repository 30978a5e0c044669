"""What Grafana reads at its start: where the dashboards are, and the data sources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from oneiric.monitoring.bundle.output import as_yaml
from oneiric.monitoring.config import duration

if TYPE_CHECKING:
    from oneiric.monitoring.config import BundleConfig

METRICS, LOGS, TRACES, ALERTS = "oneiric-prometheus", "oneiric-loki", "oneiric-tempo", "oneiric-alertmanager"
"""The uids of the data sources."""
TRACE_ID = "trace_id"
"""The field of a log line, and the label of an exemplar, that names a trace."""


def provisioning(config: BundleConfig) -> dict[str, str]:
    """Return Grafana's provisioning files for *config*, by their paths."""
    return {
        "grafana/provisioning/dashboards/oneiric.yml": as_yaml(dashboard_provider(config)),
        "grafana/provisioning/datasources/oneiric.yml": as_yaml(_sources(config)),
    }


def dashboard_provider(config: BundleConfig) -> dict[str, Any]:
    """Return the provider from which Grafana loads the files of the dashboards."""
    provider = {
        "name": "oneiric",
        "orgId": 1,
        "type": "file",
        "folder": "Oneiric",
        "folderUid": "oneiric",
        "disableDeletion": True,
        "allowUiUpdates": False,
        "updateIntervalSeconds": 30,
        "options": {"path": config.grafana_dashboards_dir, "foldersFromFilesStructure": False},
    }
    return {"apiVersion": 1, "providers": [provider]}


def _sources(config: BundleConfig) -> dict[str, Any]:
    return {"apiVersion": 1, "datasources": [_metrics(config), _logs(config), _traces(config), _alerts(config)]}


def _metrics(config: BundleConfig) -> dict[str, Any]:
    settings = {
        "httpMethod": "POST",
        "prometheusType": "Prometheus",
        "manageAlerts": True,
        # The window of rates follows from it: four scrapes at least.
        "timeInterval": duration(config.scrape_interval_seconds),
        "exemplarTraceIdDestinations": [{"name": TRACE_ID, "datasourceUid": TRACES}],
    }
    return _source("Oneiric Prometheus", "prometheus", METRICS, config.prometheus_url, settings)


def _logs(config: BundleConfig) -> dict[str, Any]:
    field = {
        "name": TRACE_ID,
        "matcherType": "regex",
        "matcherRegex": f'"{TRACE_ID}": ?"(\\w+)"',
        # Grafana replaces a single dollar sign by a variable of its environment.
        "url": "$${__value.raw}",
        "datasourceUid": TRACES,
        "urlDisplayLabel": "Show the trace",
    }
    return _source("Oneiric Loki", "loki", LOGS, config.loki_url, {"derivedFields": [field], "maxLines": 1000})


def _traces(config: BundleConfig) -> dict[str, Any]:
    settings = {
        "tracesToLogsV2": {
            "datasourceUid": LOGS,
            "spanStartTimeShift": "-5m",
            "spanEndTimeShift": "5m",
            "customQuery": True,
            "query": f'{{app="{config.app}"}} |= "$${{__trace.traceId}}"',
        },
        "nodeGraph": {"enabled": False},
    }
    return _source("Oneiric Tempo", "tempo", TRACES, config.tempo_url, settings)


def _alerts(config: BundleConfig) -> dict[str, Any]:
    settings = {"implementation": "prometheus", "handleGrafanaManagedAlerts": False}
    return _source("Oneiric Alertmanager", "alertmanager", ALERTS, config.alertmanager_url, settings)


def _source(name: str, kind: str, uid: str, url: str, settings: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "type": kind,
        "uid": uid,
        "access": "proxy",
        "url": url,
        "editable": False,
        "jsonData": settings,
    }
