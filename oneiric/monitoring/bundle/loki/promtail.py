"""Promtail's configurations, for those who still run it: lines from files, from systemd's journal and from pods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from oneiric.monitoring.bundle.loki.shipping import FIELDS, METADATA, push_url, timestamp
from oneiric.monitoring.bundle.output import NOTICE, as_yaml
from oneiric.monitoring.bundle.scraping import POD_LABEL
from oneiric.monitoring.logql import STREAM_LABELS

if TYPE_CHECKING:
    from oneiric.monitoring.config import BundleConfig

END_OF_SUPPORT = "2026-03-02"
WARNING = (
    f"# Promtail is out of support since {END_OF_SUPPORT}: nobody mends it any more. Use the configurations of Alloy.\n"
)
HOSTNAME = "${HOSTNAME}"
EXPANSION = (
    "# Run it with -config.expand-env=true, and with HOSTNAME in its environment, which becomes the label host.\n"
)
PORT = 9080
POSITIONS = "/var/lib/promtail/positions.yml"


def files(config: BundleConfig) -> dict[str, str]:
    """Return the text of each configuration for *config*, by its path."""
    return {
        "promtail/file.yml": _text(config, _file(config)),
        "promtail/journal.yml": _text(config, _journal(config)),
        "promtail/kubernetes.yml": _text(config, _kubernetes(config)),
    }


def _text(config: BundleConfig, scrape: dict[str, Any]) -> str:
    token = {"bearer_token_file": config.loki_token_file} if config.loki_token_file else {}
    document = {
        "server": {"http_listen_address": "127.0.0.1", "http_listen_port": PORT, **_GRPC},
        "positions": {"filename": POSITIONS},
        "clients": [{"url": push_url(config), **token}],
        "scrape_configs": [{"job_name": config.job, **scrape}],
    }
    text = as_yaml(document).removeprefix(NOTICE)
    return NOTICE + WARNING + (EXPANSION if HOSTNAME in text else "") + text


_GRPC = {"grpc_listen_address": "127.0.0.1", "grpc_listen_port": 0}


def _stages(*, timed: bool) -> list[dict[str, Any]]:
    return [
        {"json": {"expressions": dict(FIELDS)}},
        {"timestamp": timestamp(timed=timed)},
        {"structured_metadata": {field: field for field in METADATA}},
        {"labelallow": list(STREAM_LABELS)},
    ]


def _stream(config: BundleConfig) -> dict[str, str]:
    return {"app": config.app, "env": config.environment}


def _file(config: BundleConfig) -> dict[str, Any]:
    labels = {"__path__": config.log_files, **_stream(config), "host": HOSTNAME}
    return {"pipeline_stages": _stages(timed=False), "static_configs": [{"targets": ["localhost"], "labels": labels}]}


def _journal(config: BundleConfig) -> dict[str, Any]:
    journal = {"matches": f"_SYSTEMD_UNIT={config.systemd_unit}", "max_age": "12h", "labels": _stream(config)}
    host = {"source_labels": ["__journal__hostname"], "target_label": "host"}
    return {"pipeline_stages": _stages(timed=True), "journal": journal, "relabel_configs": [host]}


def _kubernetes(config: BundleConfig) -> dict[str, Any]:
    """Return how the files of pods with the application's label are found on a node; a pod's name is its host's."""
    meta = "__meta_kubernetes_pod_"
    path = [f"{meta}uid", f"{meta}container_name"]
    relabel = [
        {"action": "keep", "source_labels": [f"{meta}label_{_label(POD_LABEL)}"], "regex": config.app},
        {"target_label": "app", "replacement": config.app},
        {"target_label": "env", "replacement": config.environment},
        {"source_labels": [f"{meta}name"], "target_label": "host"},
        {"source_labels": [f"{meta}node_name"], "target_label": "__host__"},
        {"source_labels": path, "separator": "/", "target_label": "__path__", "replacement": "/var/log/pods/*$1/*.log"},
    ]
    return {
        "pipeline_stages": [{"cri": {}}, *_stages(timed=True)],
        "kubernetes_sd_configs": [{"role": "pod"}],
        "relabel_configs": relabel,
    }


def _label(name: str) -> str:
    return "".join(character if character.isalnum() else "_" for character in name)
