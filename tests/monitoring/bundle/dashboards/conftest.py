"""The dashboards as they are committed, and a Prometheus of the bundle that watches a demonstration."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from bundles import exported
from watched import Watched

from oneiric.monitoring.bundle.alerts import LIFECYCLE, OVERVIEW, REMOTE, RESOLUTION

if TYPE_CHECKING:
    from collections.abc import Iterator

UIDS = (OVERVIEW, RESOLUTION, LIFECYCLE, REMOTE)
SETTLED = (
    "sum(increase(oneiric_lifecycle_rollbacks_total[30s])) > 0",
    'sum(increase(oneiric_lifecycle_health_checks_total{phase="probe"}[30s])) > 0',
    "sum(increase(oneiric_remote_digest_mismatches_total[30s])) > 0",
    'ALERTS{alertstate="firing", alertname="OneiricRemoteSyncFailures"}',
    "job:oneiric_resolution_errors:ratio_rate1h > 0",
    "job:oneiric_remote_sync_errors:ratio_rate1h > 0",
    "sum(increase(oneiric_activity_pause_events_total[30s])) > 0",
    "sum(increase(oneiric_activity_drain_events_total[30s])) > 0",
    "sum(increase(oneiric_log_events_suppressed_total[30s])) > 0",
    'sum(increase(oneiric_observability_hook_errors_total{sink="otlp"}[30s])) > 0',
)
"""What Prometheus must have seen before a test asks: figures of everything, rates among them, rules and alerts."""


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A Prometheus with the bundle's own configuration and rules, after a demonstration ran for a while."""
    watched = Watched.start(tmp_path_factory.mktemp("dashboards"), until=SETTLED)
    yield watched
    watched.stop()


@pytest.fixture(params=UIDS)
def dashboard(request: pytest.FixtureRequest) -> dict[str, object]:
    """Each dashboard, as Grafana reads it."""
    text = exported()[f"grafana/dashboards/{request.param}.json"]
    found: dict[str, object] = json.loads(text)
    return found
