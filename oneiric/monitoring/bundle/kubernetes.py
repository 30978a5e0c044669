"""The same rules, scraping and dashboards as objects of Kubernetes, for the Prometheus Operator and Grafana."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from oneiric.monitoring.bundle import dashboards
from oneiric.monitoring.bundle.output import as_yaml
from oneiric.monitoring.bundle.prometheus import rule_groups
from oneiric.monitoring.bundle.scraping import POD_LABEL, PORT_NAME, pace
from oneiric.monitoring.config import DEFAULT_METRICS_PATH, ConfigError

if TYPE_CHECKING:
    from oneiric.monitoring.config import BundleConfig

OPERATOR = "monitoring.coreos.com/v1"
DASHBOARD_LABEL = {"grafana_dashboard": "1"}
"""What the sidecar of Grafana's chart looks for unless it is told otherwise."""


def kubernetes(config: BundleConfig) -> dict[str, str]:
    """Return the text of each manifest for *config*, by its name: a ServiceMonitor, a PrometheusRule, ConfigMaps.

    Raises:
        ConfigError: Scraping needs a token or a password, which an object takes from a Secret and not from a file.
        MissingExtraError: Grafana's builder is not installed.
    """
    if config.scrape_token_file or config.scrape_user:
        key = "scrape_token_file" if config.scrape_token_file else "scrape_user"
        raise ConfigError(
            f"--set {key}={getattr(config, key)}: a ServiceMonitor takes it from a Secret; "
            "leave it out and add `authorization` or `basicAuth` to the endpoint"
        )
    made = dashboards.files(config)
    boards = {PurePath(path): text for path, text in made.items() if path.endswith(".json")}
    rules = _object(config, OPERATOR, "PrometheusRule", spec={"groups": rule_groups(config)})
    return {
        "servicemonitor.yaml": as_yaml(_monitor(config)),
        "prometheusrule.yaml": as_yaml(rules),
        **{f"{path.stem}.yaml": as_yaml(_dashboard(config, path, text)) for path, text in boards.items()},
    }


def _object(config: BundleConfig, version: str, kind: str, *, suffix: str = "", **content: Any) -> dict[str, Any]:
    metadata = {"name": f"{config.app}{suffix}", "labels": {POD_LABEL: config.app}}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **content}


def _monitor(config: BundleConfig) -> dict[str, Any]:
    fixed = {**config.matchers, "job": config.job}
    endpoint: dict[str, Any] = {
        "port": PORT_NAME,
        **({"path": config.metrics_path} if config.metrics_path != DEFAULT_METRICS_PATH else {}),
        **_tls(config),
        "interval": pace(config)["scrape_interval"],
        "scrapeTimeout": pace(config)["scrape_timeout"],
        "relabelings": [{"targetLabel": name, "replacement": value} for name, value in fixed.items()],
    }
    spec = {"selector": {"matchLabels": {POD_LABEL: config.app}}, "endpoints": [endpoint]}
    return _object(config, OPERATOR, "ServiceMonitor", spec=spec)


def _tls(config: BundleConfig) -> dict[str, Any]:
    files = {"caFile": config.scrape_ca_file, "certFile": config.scrape_cert_file, "keyFile": config.scrape_key_file}
    given = {name: path for name, path in files.items() if path}
    return {"scheme": "https", "tlsConfig": given} if given else {}


def _dashboard(config: BundleConfig, path: PurePath, text: str) -> dict[str, Any]:
    suffix = path.stem.removeprefix("oneiric")
    made = _object(config, "v1", "ConfigMap", suffix=f"-dashboard{suffix}", data={path.name: text})
    made["metadata"]["labels"] |= DASHBOARD_LABEL
    return made
