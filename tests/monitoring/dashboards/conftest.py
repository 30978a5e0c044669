"""The dashboards as they are committed, and a Prometheus of the bundle that watches a demonstration."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

import pytest
from processes import Demo, Prometheus, eventually

from oneiric.monitoring.alerts import LIFECYCLE, OVERVIEW, REMOTE, RESOLUTION
from oneiric.monitoring.bundle import bundle, write
from oneiric.monitoring.config import configured

if TYPE_CHECKING:
    from collections.abc import Iterator

UIDS = (OVERVIEW, RESOLUTION, LIFECYCLE, REMOTE)
SETTLED = (
    "min(increase(oneiric_lifecycle_rollbacks_total[30s])) >= 0",
    'sum(increase(oneiric_lifecycle_health_checks_total{phase="probe"}[30s])) > 0',
    "sum(increase(oneiric_remote_digest_mismatches_total[30s])) > 0",
    'ALERTS{alertstate="firing", alertname="OneiricRemoteSyncFailures"}',
    "job:oneiric_resolution_errors:ratio_rate1h > 0",
)
"""What Prometheus must have seen before a test asks: figures of everything, rates among them, rules and alerts."""


@pytest.fixture(scope="session")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus with the bundle's own configuration and rules, after a demonstration ran for a while."""
    directory = tmp_path_factory.mktemp("dashboards")
    demo = Demo.start(directory, "--seconds", "0", "--rate", "60")
    try:
        target = demo.metrics_url.removeprefix("http://").removesuffix("/metrics")
        settings = (f"targets={target}", "scrape_interval_seconds=1", "evaluation_interval_seconds=1")
        write(bundle(configured(settings)), directory)
        server = Prometheus.configured(directory, directory / "prometheus" / "prometheus.yml")
        try:
            for expression in SETTLED:
                eventually(partial(server.query, expression), what=expression, seconds=60)
            yield server
        finally:
            server.stop()
    finally:
        demo.stop()


@pytest.fixture(params=UIDS)
def dashboard(request: pytest.FixtureRequest) -> dict[str, object]:
    """Each dashboard, as Grafana reads it."""
    text = bundle(configured())[f"grafana/dashboards/{request.param}.json"]
    found: dict[str, object] = json.loads(text)
    return found
