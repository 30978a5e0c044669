"""Promtail's configurations, for those who still run it: lines from files, from systemd's journal and from pods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from oneiric.monitoring.logql import STREAM_LABELS
from oneiric.monitoring.loki.shipping import FIELDS, METADATA, TIMESTAMP, TIMESTAMP_FORMAT, push_url
from oneiric.monitoring.output import NOTICE, as_yaml
from oneiric.monitoring.scraping import POD_LABEL

if TYPE_CHECKING:
    from oneiric.monitoring.config import BundleConfig

END_OF_SUPPORT = "2026-03-02"
WARNING = (
    f"# Promtail is out of support since {END_OF_SUPPORT}: nobody mends it any more. Use the configurations of Alloy.\n"
    "# Run it with -config.expand-env=true, which fills in the name of the host.\n"
)
HOSTNAME = "${HOSTNAME}"
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
        "server": {"http_listen_address": "127.0.0.1", "http_listen_port": PORT, "grpc_listen_port": 0},
        "positions": {"filename": POSITIONS},
        "clients": [{"url": push_url(config), **token}],
        "scrape_configs": [{"job_name": config.job, **scrape}],
    }
    return NOTICE + WARNING + as_yaml(document).removeprefix(NOTICE)


def _stages() -> list[dict[str, Any]]:
    return [
        {"json": {"expressions": dict(FIELDS)}},
        {"timestamp": {"source": TIMESTAMP, "format": TIMESTAMP_FORMAT}},
        {"structured_metadata": {field: field for field in METADATA}},
        {"labelallow": list(STREAM_LABELS)},
    ]


def _stream(config: BundleConfig) -> dict[str, str]:
    return {"app": config.app, "env": config.environment, "host": HOSTNAME}


def _file(config: BundleConfig) -> dict[str, Any]:
    labels = {"__path__": config.log_files, **_stream(config)}
    return {"pipeline_stages": _stages(), "static_configs": [{"targets": ["localhost"], "labels": labels}]}


def _journal(config: BundleConfig) -> dict[str, Any]:
    journal = {"matches": f"_SYSTEMD_UNIT={config.systemd_unit}", "max_age": "12h", "labels": _stream(config)}
    return {"pipeline_stages": _stages(), "journal": journal}


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
        # Two dollar signs: the name of the host is filled in by the same sign.
        {
            "source_labels": path,
            "separator": "/",
            "target_label": "__path__",
            "replacement": "/var/log/pods/*$$1/*.log",
        },
    ]
    return {
        "pipeline_stages": [{"cri": {}}, *_stages()],
        "kubernetes_sd_configs": [{"role": "pod"}],
        "relabel_configs": relabel,
    }


def _label(name: str) -> str:
    return "".join(character if character.isalnum() else "_" for character in name)
