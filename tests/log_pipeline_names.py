"""What the documentation of Alloy, Promtail and Loki says that there is, as far as the bundle may come to use it.

Names, required ones, and kinds of values: ``ALLOY`` follows the pages of the components, below
grafana.com/docs/alloy/latest/reference/components; ``PROMTAIL`` the pages of its configuration and its stages, below
grafana.com/docs/loki/latest/send-data/promtail; ``LOKI`` the page grafana.com/docs/loki/latest/configure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from log_pipeline_kinds import (
    boolean,
    duration,
    go_duration,
    mapping,
    number,
    one_of,
    receivers,
    rules,
    string,
    strings,
    targets,
)

if TYPE_CHECKING:
    from log_pipeline_kinds import Kind, Shape

ACTIONS = one_of(
    "drop",
    "dropequal",
    "hashmod",
    "keep",
    "keepequal",
    "labeldrop",
    "labelkeep",
    "labelmap",
    "lowercase",
    "replace",
    "uppercase",
)
ROLES = one_of("node", "pod", "service", "endpoints", "endpointslice", "ingress")
FORMATS = one_of(
    *("ANSIC", "UnixDate", "RubyDate", "RFC822", "RFC822Z", "RFC850", "RFC1123", "RFC1123Z", "RFC3339", "RFC3339Nano"),
    *("Unix", "UnixMs", "UnixUs", "UnixNs"),
)
"""Those that have a name; anything else is an example of a time."""
ON_FAILURE = one_of("skip", "fudge")
RELABEL: dict[str, Kind] = {
    "action": ACTIONS,
    "modulus": number,
    "regex": string,
    "replacement": string,
    "separator": string,
    "source_labels": strings,
    "target_label": string,
}
SENDING = {"authorization", "basic_auth", "oauth2", "tls_config"}

ALLOY: dict[str, Shape] = {
    "local.file_match": (
        {"path_targets": targets, "ignore_older_than": go_duration, "sync_period": go_duration},
        set(),
        {"targets"},
    ),
    "loki.source.file": (
        {
            "forward_to": receivers,
            "targets": targets,
            "encoding": string,
            "legacy_positions_file": string,
            "tail_from_end": boolean,
        },
        {"decompression", "file_watch"},
        set(),
    ),
    "loki.source.journal": (
        {
            "forward_to": receivers,
            "format_as_json": boolean,
            "labels": mapping,
            "matches": string,
            "max_age": go_duration,
            "path": string,
            "relabel_rules": rules,
        },
        set(),
        set(),
    ),
    "loki.source.kubernetes": (
        {"forward_to": receivers, "targets": targets},
        {"client", "clustering"},
        set(),
    ),
    "loki.source.docker": (
        {
            "forward_to": receivers,
            "host": string,
            "labels": mapping,
            "refresh_interval": go_duration,
            "relabel_rules": rules,
            "targets": targets,
        },
        {"http_client_config"},
        set(),
    ),
    "discovery.docker": (
        {
            "bearer_token_file": string,
            "host": string,
            "host_networking_host": string,
            "match_first_network": boolean,
            "port": number,
            "refresh_interval": go_duration,
        },
        {"filter", *SENDING},
        {"targets"},
    ),
    "discovery.docker/filter": ({"name": string, "values": strings}, set(), set()),
    "loki.relabel": ({"forward_to": receivers, "max_cache_size": number}, {"rule"}, {"receiver", "rules"}),
    "loki.relabel/rule": (RELABEL, set(), set()),
    "discovery.kubernetes": (
        {"role": ROLES, "api_server": string, "kubeconfig_file": string, "bearer_token_file": string},
        {"selectors", "namespaces", "attach_metadata", *SENDING},
        {"targets"},
    ),
    "discovery.kubernetes/selectors": ({"role": ROLES, "label": string, "field": string}, set(), set()),
    "discovery.kubernetes/namespaces": ({"own_namespace": boolean, "names": strings}, set(), set()),
    "discovery.relabel": ({"targets": targets}, {"rule"}, {"output", "rules"}),
    "discovery.relabel/rule": (RELABEL, set(), set()),
    "loki.process": (
        {"forward_to": receivers},
        {
            "stage.cri",
            "stage.drop",
            "stage.json",
            "stage.label_keep",
            "stage.static_labels",
            "stage.structured_metadata",
            "stage.timestamp",
        },
        {"receiver"},
    ),
    "loki.process/stage.cri": (
        {"max_partial_lines": number, "max_partial_line_size": number, "max_partial_line_size_truncate": boolean},
        set(),
        set(),
    ),
    "loki.process/stage.drop": (
        {
            "drop_counter_reason": string,
            "expression": string,
            "longer_than": string,
            "older_than": go_duration,
            "separator": string,
            "source": string,
            "value": string,
        },
        set(),
        set(),
    ),
    "loki.process/stage.json": ({"expressions": mapping, "drop_malformed": boolean, "source": string}, set(), set()),
    "loki.process/stage.timestamp": (
        {
            "source": string,
            "format": FORMATS,
            "fallback_formats": strings,
            "location": string,
            "action_on_failure": ON_FAILURE,
        },
        set(),
        set(),
    ),
    "loki.process/stage.structured_metadata": ({"values": mapping}, set(), set()),
    "loki.process/stage.static_labels": ({"values": mapping}, set(), set()),
    "loki.process/stage.label_keep": ({"values": strings}, set(), set()),
    "loki.write": ({"external_labels": mapping, "max_streams": number}, {"endpoint", "wal"}, {"receiver"}),
    "loki.write/endpoint": (
        {
            "url": string,
            "batch_size": string,
            "batch_wait": go_duration,
            "bearer_token": string,
            "bearer_token_file": string,
            "headers": mapping,
            "max_backoff_period": go_duration,
            "max_backoff_retries": number,
            "min_backoff_period": go_duration,
            "name": string,
            "proxy_url": string,
            "remote_timeout": go_duration,
            "retry_on_http_429": boolean,
            "tenant_id": string,
        },
        {"queue_config", *SENDING},
        set(),
    ),
}
"""The arguments, the blocks within and the exports of each component, and of its blocks, of Alloy 1."""
ALLOY_REQUIRED = {
    "local.file_match": {"path_targets"},
    "loki.source.file": {"forward_to", "targets"},
    "loki.source.journal": {"forward_to"},
    "loki.source.kubernetes": {"forward_to", "targets"},
    "loki.source.docker": {"forward_to", "host", "targets"},
    "loki.relabel": {"forward_to"},
    "discovery.docker": {"host"},
    "discovery.docker/filter": {"name", "values"},
    "discovery.kubernetes": {"role"},
    "discovery.kubernetes/selectors": {"role"},
    "discovery.relabel": {"targets"},
    "loki.process": {"forward_to"},
    "loki.process/stage.json": {"expressions"},
    "loki.process/stage.timestamp": {"source", "format"},
    "loki.write/endpoint": {"url"},
}
ALLOY_CONSTANTS = {"constants.arch", "constants.hostname", "constants.os"}

SERVER: Any = {
    "http_listen_address": string,
    "http_listen_port": number,
    "grpc_listen_address": string,
    "grpc_listen_port": number,
    "log_level": one_of("debug", "info", "warn", "error"),
}

PROMTAIL: Any = {
    "server": SERVER,
    "positions": {"filename": string, "sync_period": go_duration},
    "clients!": [
        {
            "url!": string,
            "bearer_token_file": string,
            "tenant_id": string,
            "batchwait": go_duration,
            "batchsize": number,
            "external_labels": mapping,
        }
    ],
    "scrape_configs!": [
        {
            "job_name!": string,
            "pipeline_stages": [
                {
                    "cri": {},
                    "json": {"expressions!": mapping, "source": string, "drop_malformed": boolean},
                    "timestamp": {
                        "source!": string,
                        "format!": FORMATS,
                        "fallback_formats": strings,
                        "location": string,
                        "action_on_failure": ON_FAILURE,
                    },
                    "structured_metadata": mapping,
                    "labelallow": strings,
                }
            ],
            "static_configs": [{"targets": strings, "labels": mapping}],
            "journal": {
                "json": boolean,
                "max_age": go_duration,
                "labels": mapping,
                "path": string,
                "matches": string,
            },
            "kubernetes_sd_configs": [{"role!": ROLES, "namespaces": {"names": strings}}],
            "relabel_configs": [RELABEL],
        }
    ],
}
"""The form of a configuration of Promtail 3: what may stand where."""

LOKI: Any = {
    "auth_enabled": boolean,
    "server": SERVER,
    "common": {
        "instance_addr": string,
        "path_prefix": string,
        "replication_factor": number,
        "ring": {"kvstore": {"store": one_of("consul", "etcd", "inmemory", "memberlist", "multi")}},
        "storage": {"filesystem": {"chunks_directory": string, "rules_directory": string}},
    },
    "schema_config!": {
        "configs!": [
            {
                "from!": string,
                "store!": one_of("tsdb"),
                "object_store!": one_of("filesystem"),
                "schema!": one_of("v13"),
                "index!": {"prefix!": string, "period!": duration},
            }
        ]
    },
    "limits_config": {
        "allow_structured_metadata": boolean,
        "discover_log_levels": boolean,
        "discover_service_name": strings,
        "ingestion_burst_size_mb": number,
        "ingestion_rate_mb": number,
        "max_label_names_per_series": number,
        "reject_old_samples": boolean,
        "reject_old_samples_max_age": duration,
        "retention_period": duration,
        "volume_enabled": boolean,
    },
    # With retention, Loki does not start without a store for the requests to delete.
    "compactor": {
        "compaction_interval": go_duration,
        "delete_request_store!": one_of("filesystem"),
        "retention_delete_delay": go_duration,
        "retention_enabled": boolean,
        "working_directory": string,
    },
    "ruler": {
        "alertmanager_url": string,
        "enable_api": boolean,
        "evaluation_interval": go_duration,
        "remote_write": {"enabled": boolean, "clients": {"*": {"url!": string}}},
        "rule_path": string,
        "storage": {"type!": one_of("local"), "local": {"directory!": string}},
        "wal": {"dir": string, "max_age": go_duration, "min_age": go_duration, "truncate_frequency": go_duration},
    },
    "analytics": {"reporting_enabled": boolean},
}
"""The form of a configuration of Loki 3, as one process with its chunks in files."""
