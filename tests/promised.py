"""The metrics that are frozen for good, held as they were promised."""

from __future__ import annotations

import re

METRICS = """\
# Resolution metrics
oneiric_resolution_total{domain, key, provider}
oneiric_resolution_duration_seconds{domain, key}

# Lifecycle metrics
oneiric_lifecycle_swap_total{domain, key, outcome}
oneiric_lifecycle_swap_duration_ms{domain, key}
oneiric_lifecycle_health_check_failures_total{domain, key}

# Activity metrics
oneiric_activity_pause_events_total{domain, state}
oneiric_activity_drain_events_total{domain, state}

# Remote sync metrics
oneiric_remote_sync_total{source, outcome}
oneiric_remote_sync_duration_seconds{source}
oneiric_remote_digest_checks_total
"""

CONTRACT = {
    name: {label.strip() for label in labels.split(",") if label}
    for name, labels in re.findall(r"^(oneiric_\w+)(?:{(.*)})?$", METRICS, re.MULTILINE)
}
"""The labels by metric."""
