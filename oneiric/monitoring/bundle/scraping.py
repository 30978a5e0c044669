"""Prometheus' own configuration: what it scrapes, found in three ways, and where rules and alerts go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from oneiric.monitoring.bundle.output import as_yaml
from oneiric.monitoring.config import DEFAULT_METRICS_PATH, duration

if TYPE_CHECKING:
    from oneiric.monitoring.config import BundleConfig

SCRAPE_TIMEOUT_SECONDS = 10
"""A scrape of 10,500 lines takes milliseconds; who needs this long will not answer."""
POD_LABEL = "app.kubernetes.io/name"
PORT_NAME = "metrics"


def files(config: BundleConfig) -> dict[str, str]:
    """Return the text of each file of this part for *config*, by its path."""
    static = _static(config)
    found = {"file_sd_configs": [{"files": ["targets/*.yml"], "refresh_interval": "1m"}]}
    return {
        "prometheus/prometheus.yml": _prometheus(config, static),
        "prometheus/prometheus-file.yml": _prometheus(config, found),
        "prometheus/prometheus-kubernetes.yml": _prometheus(config, _kubernetes(config)),
        "prometheus/targets/oneiric.yml": as_yaml([{"targets": list(config.targets), **_labels(config)}]),
    }


def _prometheus(config: BundleConfig, discovery: dict[str, Any]) -> str:
    return as_yaml(
        {
            "global": {
                **pace(config),
                "evaluation_interval": duration(config.evaluation_interval_seconds),
            },
            "rule_files": ["rules/*.yml"],
            "alerting": {"alertmanagers": [_alertmanager(config)]},
            "scrape_configs": [{"job_name": config.job, **_access(config), **discovery}],
        }
    )


def added_job(config: BundleConfig) -> dict[str, Any]:
    """Return the job for a configuration of somebody else, whose global intervals are not those of the settings."""
    return {"job_name": config.job, **pace(config), **_access(config), **_static(config)}


def pod_annotations(config: BundleConfig) -> dict[str, str]:
    """Return the annotations by which many installations find the pods that they scrape."""
    scheme = {"prometheus.io/scheme": "https"} if _access(config).get("scheme") == "https" else {}
    return {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": config.targets[0].rpartition(":")[2],
        "prometheus.io/path": config.metrics_path,
        **scheme,
    }


def pace(config: BundleConfig) -> dict[str, str]:
    """Return how often is scraped, and how long that may take."""
    interval = config.scrape_interval_seconds
    return {
        "scrape_interval": duration(interval),
        "scrape_timeout": duration(min(SCRAPE_TIMEOUT_SECONDS, interval)),
    }


def _static(config: BundleConfig) -> dict[str, Any]:
    return {"static_configs": [{"targets": list(config.targets), **_labels(config)}]}


def _labels(config: BundleConfig) -> dict[str, Any]:
    return {"labels": dict(config.matchers)} if config.matchers else {}


def _access(config: BundleConfig) -> dict[str, Any]:
    """Return how the metrics server is spoken to, where it asks for more than a request."""
    access: dict[str, Any] = {}
    if config.metrics_path != DEFAULT_METRICS_PATH:
        access["metrics_path"] = config.metrics_path
    if config.scrape_ca_file:
        access |= {"scheme": "https", "tls_config": {"ca_file": config.scrape_ca_file}}
    if config.scrape_cert_file:
        shown = {"cert_file": config.scrape_cert_file, "key_file": config.scrape_key_file}
        access |= {"scheme": "https", "tls_config": {**access.get("tls_config", {}), **shown}}
    if config.scrape_user:
        password = {"password_file": config.scrape_token_file} if config.scrape_token_file else {}
        access["basic_auth"] = {"username": config.scrape_user, **password}
    elif config.scrape_token_file:
        access["authorization"] = {"credentials_file": config.scrape_token_file}
    return access


def _alertmanager(config: BundleConfig) -> dict[str, Any]:
    url = urlsplit(config.alertmanager_url)
    path = {"path_prefix": url.path} if url.path else {}
    return {"scheme": url.scheme, **path, "static_configs": [{"targets": [url.netloc]}]}


def _kubernetes(config: BundleConfig) -> dict[str, Any]:
    """Return the discovery of pods with the application's label and a container port of the metrics' name."""
    label = "".join(character if character.isalnum() else "_" for character in POD_LABEL)
    keep = [
        {"source_labels": [f"__meta_kubernetes_pod_label_{label}"], "regex": config.app, "action": "keep"},
        {"source_labels": ["__meta_kubernetes_pod_container_port_name"], "regex": PORT_NAME, "action": "keep"},
        {"source_labels": ["__meta_kubernetes_pod_phase"], "regex": "Pending|Succeeded|Failed", "action": "drop"},
    ]
    named = [
        {"source_labels": [f"__meta_kubernetes_{meta}"], "target_label": name}
        for meta, name in (("namespace", "namespace"), ("pod_name", "pod"))
    ]
    fixed = [{"target_label": name, "replacement": value} for name, value in config.matchers.items()]
    return {"kubernetes_sd_configs": [{"role": "pod"}], "relabel_configs": [*keep, *named, *fixed]}
