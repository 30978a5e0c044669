"""What the documentation of Alloy, Promtail and Loki says that there is, as far as the bundle may come to use it."""

from __future__ import annotations

from typing import Any

ALLOY: dict[str, tuple[set[str], set[str], set[str]]] = {
    "local.file_match": ({"path_targets", "ignore_older_than", "sync_period"}, set(), {"targets"}),
    "loki.source.file": (
        {"forward_to", "targets", "encoding", "legacy_positions_file", "tail_from_end"},
        {"decompression", "file_watch"},
        set(),
    ),
    "loki.source.journal": (
        {"forward_to", "format_as_json", "labels", "matches", "max_age", "path", "relabel_rules"},
        set(),
        set(),
    ),
    "loki.source.kubernetes": ({"forward_to", "targets"}, {"client", "clustering", "position"}, set()),
    "discovery.kubernetes": (
        {"role", "api_server", "kubeconfig_file", "bearer_token_file"},
        {"selectors", "namespaces", "attach_metadata", "tls_config"},
        {"targets"},
    ),
    "discovery.kubernetes/selectors": ({"role", "label", "field"}, set(), set()),
    "discovery.relabel": ({"targets"}, {"rule"}, {"output", "rules"}),
    "discovery.relabel/rule": (
        {"action", "modulus", "regex", "replacement", "separator", "source_labels", "target_label"},
        set(),
        set(),
    ),
    "loki.process": (
        {"forward_to"},
        {"stage.cri", "stage.drop", "stage.json", "stage.label_keep", "stage.structured_metadata", "stage.timestamp"},
        {"receiver"},
    ),
    "loki.process/stage.json": ({"expressions", "drop_malformed", "source"}, set(), set()),
    "loki.process/stage.timestamp": (
        {"source", "format", "fallback_formats", "location", "action_on_failure"},
        set(),
        set(),
    ),
    "loki.process/stage.structured_metadata": ({"values"}, set(), set()),
    "loki.process/stage.label_keep": ({"values"}, set(), set()),
    "loki.write": ({"external_labels", "max_streams"}, {"endpoint", "wal"}, {"receiver"}),
    "loki.write/endpoint": (
        {"url", "batch_size", "batch_wait", "bearer_token_file", "headers", "name", "remote_timeout", "tenant_id"},
        {"authorization", "basic_auth", "oauth2", "queue_config", "tls_config"},
        set(),
    ),
}
"""The arguments, the blocks within and the exports of each component, and of its blocks, of Alloy."""
ALLOY_REQUIRED = {
    "local.file_match": {"path_targets"},
    "loki.source.file": {"forward_to", "targets"},
    "loki.source.journal": {"forward_to"},
    "loki.source.kubernetes": {"forward_to", "targets"},
    "discovery.kubernetes": {"role"},
    "discovery.kubernetes/selectors": {"role"},
    "discovery.relabel": {"targets"},
    "loki.process": {"forward_to"},
    "loki.process/stage.json": {"expressions"},
    "loki.process/stage.timestamp": {"source", "format"},
    "loki.write/endpoint": {"url"},
}
ALLOY_CONSTANTS = {"constants.arch", "constants.hostname", "constants.os"}

ANY: Any = None
"""Stands for a value, or for a map whose names are a user's own."""

RELABEL = {"action", "modulus", "regex", "replacement", "separator", "source_labels", "target_label"}

PROMTAIL: Any = {
    "server": dict.fromkeys(
        ("http_listen_address", "http_listen_port", "grpc_listen_address", "grpc_listen_port", "log_level")
    ),
    "positions": dict.fromkeys(("filename", "sync_period")),
    "clients": [dict.fromkeys(("url", "bearer_token_file", "tenant_id", "batchwait", "batchsize", "external_labels"))],
    "scrape_configs": [
        {
            "job_name": ANY,
            "pipeline_stages": [
                {
                    "cri": {},
                    "json": dict.fromkeys(("expressions", "source", "drop_malformed")),
                    "timestamp": dict.fromkeys(("source", "format", "location", "action_on_failure")),
                    "structured_metadata": ANY,
                    "labelallow": ANY,
                }
            ],
            "static_configs": [{"targets": ANY, "labels": ANY}],
            "journal": dict.fromkeys(("json", "max_age", "labels", "path", "matches")),
            "kubernetes_sd_configs": [{"role": ANY, "namespaces": ANY, "selectors": ANY}],
            "relabel_configs": [dict.fromkeys(RELABEL)],
        }
    ],
}
"""The form of a configuration of Promtail: what may stand where."""

LOKI: Any = {
    "auth_enabled": ANY,
    "server": dict.fromkeys(
        ("http_listen_address", "http_listen_port", "grpc_listen_address", "grpc_listen_port", "log_level")
    ),
    "common": {
        "instance_addr": ANY,
        "path_prefix": ANY,
        "replication_factor": ANY,
        "ring": {"kvstore": {"store": ANY}},
        "storage": {"filesystem": {"chunks_directory": ANY, "rules_directory": ANY}},
    },
    "schema_config": {
        "configs": [
            {
                "from": ANY,
                "store": ANY,
                "object_store": ANY,
                "schema": ANY,
                "index": {"prefix": ANY, "period": ANY},
            }
        ]
    },
    "limits_config": dict.fromkeys(
        (
            "allow_structured_metadata",
            "discover_log_levels",
            "discover_service_name",
            "ingestion_burst_size_mb",
            "ingestion_rate_mb",
            "max_label_names_per_series",
            "reject_old_samples",
            "reject_old_samples_max_age",
            "retention_period",
            "volume_enabled",
        )
    ),
    "compactor": dict.fromkeys(
        (
            "compaction_interval",
            "delete_request_store",
            "retention_delete_delay",
            "retention_enabled",
            "working_directory",
        )
    ),
    "ruler": {
        "alertmanager_url": ANY,
        "enable_api": ANY,
        "evaluation_interval": ANY,
        "remote_write": {"enabled": ANY, "clients": {"prometheus": {"url": ANY}}},
        "rule_path": ANY,
        "storage": {"type": ANY, "local": {"directory": ANY}},
        "wal": dict.fromkeys(("dir", "max_age", "min_age", "truncate_frequency")),
    },
    "analytics": {"reporting_enabled": ANY},
}
"""The form of a configuration of Loki, single binary."""


def unknown(document: Any, form: Any, path: str = "") -> list[str]:
    """Return the paths of *document* at which *form* has nothing."""
    if form is ANY:
        return []
    if isinstance(document, list) and isinstance(form, list):
        return [found for item in document for found in unknown(item, form[0], f"{path}[]")]
    if isinstance(document, dict) and isinstance(form, dict):
        known = [(name, value) for name, value in document.items() if name in form]
        missing = [f"{path}.{name}" for name in document if name not in form]
        return missing + [found for name, value in known for found in unknown(value, form[name], f"{path}.{name}")]
    return [path]
