"""The file of the last event and the last workflow: whole, tolerant, bounded."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from oneiric.runtime.telemetry import (
    MAX_RECORDED,
    RuntimeObservabilitySnapshot,
    RuntimeTelemetryRecorder,
    load_runtime_telemetry,
    runtime_telemetry_path,
)

if TYPE_CHECKING:
    from pathlib import Path

DAG = {
    "nodes": [
        {"id": "fetch", "task": "http.fetch", "retry_policy": {"attempts": 3, "jitter": [1]}},
        {"key": "store", "task": "db.store", "depends_on": ["fetch"], "payload": {"password": "x"}},
    ]
}
RESULTS = {"fetch": {"rows": 1}, "fetch__duration": 0.5, "fetch__attempts": 2, "store__duration": 0.25}


@dataclass
class Outcome:
    """How one handler took an event."""

    handler: str
    success: bool = True
    duration: float = 0.25
    attempts: int = 1
    error: Any = None


@pytest.fixture
def recorder(tmp_path: Path) -> RuntimeTelemetryRecorder:
    """A recorder in a directory that does not exist yet."""
    return RuntimeTelemetryRecorder(runtime_telemetry_path(tmp_path / "cache"))


def test_an_event_is_recorded(recorder: RuntimeTelemetryRecorder) -> None:
    """The file has the topic, how many handlers took it and failed, and each with its time, attempts and error."""
    before = datetime.now(UTC)
    failed = Outcome("mail", success=False, attempts=2, error="login failed: password=hunter2")
    recorder.record_event_dispatch("order.created", [Outcome("stock"), failed])
    event = load_runtime_telemetry(recorder.path).last_event or {}
    assert before <= datetime.fromisoformat(event.pop("recorded_at"))
    assert event == {
        "topic": "order.created",
        "matched_handlers": 2,
        "failures": 1,
        "total_duration_ms": 500.0,
        "handlers": [
            {"handler": "stock", "success": True, "duration_ms": 250.0, "attempts": 1, "error": None},
            {
                "handler": "mail",
                "success": False,
                "duration_ms": 250.0,
                "attempts": 2,
                "error": "login failed: password=***",
            },
        ],
    }


@pytest.mark.parametrize("results", [RESULTS, {"run_id": "1", "results": RESULTS}])
def test_a_workflow_is_recorded(recorder: RuntimeTelemetryRecorder, results: dict[str, Any]) -> None:
    """The file has the nodes with their dependencies, time, attempts and retry policy, and no payload."""
    recorder.record_workflow_execution("import", DAG, results)
    workflow = load_runtime_telemetry(recorder.path).last_workflow or {}
    assert workflow.pop("recorded_at")
    assert workflow == {
        "workflow": "import",
        "node_count": 2,
        "entry_nodes": ["fetch"],
        "nodes": [
            {
                "node": "fetch",
                "task": "http.fetch",
                "depends_on": [],
                "duration_ms": 500.0,
                "attempts": 2,
                "retry_policy": {"attempts": 3, "jitter": "[1]"},
            },
            {
                "node": "store",
                "task": "db.store",
                "depends_on": ["fetch"],
                "duration_ms": 250.0,
                "attempts": None,
                "retry_policy": None,
            },
        ],
        "total_duration_ms": 750.0,
    }


def test_one_record_leaves_the_other(recorder: RuntimeTelemetryRecorder) -> None:
    """A recorder that starts anew keeps what the file has of the workflow when it records an event."""
    recorder.record_workflow_execution("import", DAG, RESULTS)
    later = RuntimeTelemetryRecorder(recorder.path)
    later.record_event_dispatch("order.created", [])
    assert load_runtime_telemetry(recorder.path) == later.snapshot()
    assert (later.snapshot().last_workflow or {})["workflow"] == "import"


def test_a_record_is_bounded(recorder: RuntimeTelemetryRecorder) -> None:
    """Of many handlers and nodes so many are written down; counts are of all."""
    many = 10 * MAX_RECORDED
    recorder.record_event_dispatch("t" * 10_000, (Outcome("h" * 10_000, error="e" * 10_000) for _ in range(many)))
    recorder.record_workflow_execution("w", [{"id": str(n), "depends_on": ["x"] * many} for n in range(many)], {})
    found = recorder.snapshot()
    assert ((found.last_event or {})["matched_handlers"], (found.last_workflow or {})["node_count"]) == (many, many)
    assert load_runtime_telemetry(recorder.path) == found


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff", b"null", b"[" * 100_000, b'{"last_event": 3}'])
def test_a_damaged_file_reads_as_nothing_known(tmp_path: Path, content: bytes) -> None:
    """Whatever is in the file, reading it does not raise."""
    (tmp_path / "t.json").write_bytes(content)
    assert load_runtime_telemetry(tmp_path / "t.json") == RuntimeObservabilitySnapshot()


def test_what_is_not_known_is_empty_in_the_file() -> None:
    """A record that there is none of is an empty object."""
    assert RuntimeObservabilitySnapshot().as_dict() == {"last_event": {}, "last_workflow": {}}


def test_a_file_that_cannot_be_written_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The failure is logged, and the record is known."""
    (tmp_path / "file").touch()
    recorder = RuntimeTelemetryRecorder(tmp_path / "file" / "t.json")
    recorder.record_event_dispatch("order.created", [])
    assert (recorder.snapshot().last_event or {})["topic"] == "order.created"
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_the_file_is_private_json(recorder: RuntimeTelemetryRecorder) -> None:
    """The file is JSON, for its owner only."""
    recorder.record_event_dispatch("order.created", [])
    assert json.loads(recorder.path.read_text())["last_workflow"] == {}
    assert recorder.path.stat().st_mode & 0o777 == 0o600
