"""One demonstration for the tests of a file, after it has done everything at least once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from processes import Demo, eventually
from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from collections.abc import Iterator

SEEN = {
    "oneiric_lifecycle_rollbacks_total": {},
    "oneiric_activity_drain_events_total": {"state": "cleared"},
    "oneiric_activity_pause_events_total": {"state": "resumed"},
    "oneiric_remote_sync_total": {"outcome": "skipped"},
    "oneiric_remote_digest_mismatches_total": {},
    "oneiric_remote_signature_verifications_total": {"result": "invalid"},
    "oneiric_remote_sync_failures_total": {"reason": "network"},
    "oneiric_resolution_failures_total": {"reason": "capability_mismatch"},
    "oneiric_lifecycle_health_checks_total": {"phase": "probe"},
    "oneiric_remote_artifact_downloads_total": {"result": "cache_hit"},
}
"""What must have happened before a test looks, by metric and labels: each kind of step of the workload."""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demonstration that has done everything at least once, and goes on."""
    demo = Demo.start(tmp_path_factory.mktemp("demo"), "--seconds", "0", "--rate", "60", "--log-level", "debug")
    try:
        eventually(lambda: _has_seen_all(demo.metrics()), what="every kind of step was taken")
        yield demo
    finally:
        demo.stop()


def _has_seen_all(text: str) -> bool:
    seen = {
        sample.name
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.value > 0 and SEEN.get(sample.name, {"": ""}).items() <= sample.labels.items()
    }
    return SEEN.keys() <= seen
