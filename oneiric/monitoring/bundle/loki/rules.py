"""Recording rules that Loki makes of lines: what no metric of the runtime shows, kept as long as metrics are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.core import events
from oneiric.monitoring.bundle.output import as_yaml
from oneiric.monitoring.logql import COUNTABLE, STREAM_LABELS, field_label, lines, log_of, stream

if TYPE_CHECKING:
    from oneiric.monitoring.config import BundleConfig
    from oneiric.observability.model import Phase

INTERVAL = 60.0
"""Seconds at time scale 1 between evaluations, and the range of each: every line counts once."""
OFFSET = 15.0
"""How long at time scale 1 a line may take from the runtime to Loki: what arrives later than this is not counted."""
TENANT = "fake"
"""The directory of rules where Loki has no tenants."""


def files(config: BundleConfig) -> dict[str, str]:
    """Return the text of the rule file for *config*, by its path."""
    rules = [
        {"record": name, "expr": query, "labels": {"job": config.job}} for name, query in log_rules(config).items()
    ]
    group = {"name": "oneiric-logs", "interval": config.hold(INTERVAL), "rules": rules}
    return {f"loki/rules/{TENANT}/oneiric-logs.yml": as_yaml({"groups": [group]})}


def log_rules(config: BundleConfig) -> dict[str, str]:
    """Return the query of each recording rule, by the name of the series it makes."""
    return {
        **_counts(config, events.Swap, "failed", ("domain", "key", "reason", "error_type")),
        **_counts(config, events.RemoteSync, "failed", ("source", "reason", "host")),
        **_counts(config, events.HealthCheck, "failed", ("domain", "key", "phase", "check")),
        **_counts(config, events.CleanupFailed, None, ("domain", "key", "error_type")),
        **_volumes(config),
    }


def _counts(config: BundleConfig, event: type[events.Event], on: Phase | None, by: tuple[str, ...]) -> dict[str, str]:
    _, log = log_of(event, on)
    # Series of one host alone would be new with every pod.
    labels = [label for label in STREAM_LABELS if label != "host"] + [field_label(field) for field in by]
    over = f"{lines(config, event, on, read=COUNTABLE)} {_window(config)}"
    name = f"env:oneiric_log_{log.name.replace('-', '_')}:count"
    return {name: f"sum by ({', '.join(labels)}) (count_over_time({over}))"}


def _window(config: BundleConfig) -> str:
    return f"[{config.hold(INTERVAL)}] offset {config.hold(OFFSET)}"


def _volumes(config: BundleConfig) -> dict[str, str]:
    labels = ", ".join(STREAM_LABELS)
    over = f"{stream(config)} {_window(config)}"
    return {
        "env_host:oneiric_log_lines:count": f"sum by ({labels}) (count_over_time({over}))",
        "env_host:oneiric_log_bytes:sum": f"sum by ({labels}) (bytes_over_time({over}))",
    }
