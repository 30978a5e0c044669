"""Loki's own configuration: one process that keeps lines in files, for as long as the settings say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from oneiric.monitoring.bundle.output import as_yaml
from oneiric.monitoring.config import duration

if TYPE_CHECKING:
    from oneiric.monitoring.config import BundleConfig

DEFAULT_PORT = 3100
GRPC_ADDRESS = "127.0.0.1"
GRPC_PORT = 9096
SCHEMA_FROM = "2025-01-01"
"""Since when the schema is so; a later change adds an entry and leaves this one, or old lines cannot be read."""
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def files(config: BundleConfig) -> dict[str, str]:
    """Return the text of the configuration for *config*, by its path."""
    document = {
        "auth_enabled": False,
        "server": _server(config),
        "common": _common(config),
        "schema_config": {"configs": [_schema()]},
        "limits_config": _limits(config),
        "compactor": {
            "working_directory": f"{config.loki_dir}/compactor",
            "retention_enabled": True,
            "delete_request_store": "filesystem",
            "compaction_interval": "10m",
            "retention_delete_delay": "2h",
        },
        "ruler": _ruler(config),
        "analytics": {"reporting_enabled": False},
    }
    return {"loki/loki.yml": as_yaml(document)}


def _server(config: BundleConfig) -> dict[str, Any]:
    """Return where Loki listens: it asks nobody who they are, so to this machine alone unless others must reach it."""
    url = urlsplit(config.loki_url)
    address = "127.0.0.1" if url.hostname in LOOPBACK else "0.0.0.0"  # noqa: S104 - the settings say that others ask
    return {
        "http_listen_address": address,
        "http_listen_port": url.port or DEFAULT_PORT,
        "grpc_listen_address": GRPC_ADDRESS,
        "grpc_listen_port": GRPC_PORT,
        "log_level": "warn",
    }


def _common(config: BundleConfig) -> dict[str, Any]:
    storage = {"chunks_directory": f"{config.loki_dir}/chunks", "rules_directory": config.loki_rules_dir}
    return {
        # What its parts call each other at. Left to itself, the front end gives the address of a network card, at which
        # nobody listens, and every query waits until it is given up.
        "instance_addr": GRPC_ADDRESS,
        "path_prefix": config.loki_dir,
        "replication_factor": 1,
        "ring": {"kvstore": {"store": "inmemory"}},
        "storage": {"filesystem": storage},
    }


def _schema() -> dict[str, Any]:
    return {
        "from": SCHEMA_FROM,
        "store": "tsdb",
        "object_store": "filesystem",
        "schema": "v13",
        "index": {"prefix": "index_", "period": "24h"},
    }


def _limits(config: BundleConfig) -> dict[str, Any]:
    return {
        "allow_structured_metadata": True,
        "retention_period": duration(config.log_retention_seconds),
        "reject_old_samples": True,
        "reject_old_samples_max_age": "1w",
        # Loki would add a label of its own, and the field of that name would be renamed.
        "discover_service_name": [],
        "max_label_names_per_series": 5,
        "volume_enabled": True,
    }


def _ruler(config: BundleConfig) -> dict[str, Any]:
    return {
        "storage": {"type": "local", "local": {"directory": config.loki_rules_dir}},
        "rule_path": f"{config.loki_dir}/rules-working",
        "evaluation_interval": "1m",
        "wal": {"dir": f"{config.loki_dir}/ruler-wal"},
        "remote_write": {
            "enabled": True,
            "clients": {"prometheus": {"url": f"{config.prometheus_url}/api/v1/write"}},
        },
    }
