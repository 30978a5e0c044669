"""The last event and the last workflow of a runtime, in a file that other programs read."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from oneiric.core.files import read_mapping, write_atomic
from oneiric.core.redaction import describe, redact

if TYPE_CHECKING:
    import os

RUNTIME_TELEMETRY_FILENAME = "runtime_telemetry.json"
MAX_TELEMETRY_BYTES = 4 * 1024 * 1024
"""Largest file that is read, in bytes."""
MAX_RECORDED = 500
"""Most handlers of an event, and nodes of a workflow, that are recorded; counts and sums are of all."""
MAX_LISTED = 100
"""Most names in a list, and entries of a retry policy, that are recorded."""
MAX_NAME_CHARS = 256
"""Longest name that is recorded whole, in characters."""


class HandlerOutcome(Protocol):
    """How one handler took an event; its duration is in seconds."""

    handler: str
    success: bool
    duration: float
    attempts: int
    error: Any


@dataclass
class RuntimeObservabilitySnapshot:
    """What was last recorded; None: nothing yet."""

    last_event: dict[str, Any] | None = None
    last_workflow: dict[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields, fit for JSON; what is None becomes empty."""
        return {"last_event": self.last_event or {}, "last_workflow": self.last_workflow or {}}


def runtime_telemetry_path(cache_dir: str | os.PathLike[str]) -> Path:
    """Return where the file is in *cache_dir*."""
    return Path(cache_dir) / RUNTIME_TELEMETRY_FILENAME


def load_runtime_telemetry(path: str | os.PathLike[str]) -> RuntimeObservabilitySnapshot:
    """Return what the file says; None for whatever is missing, unreadable or of a wrong type. Never raises."""
    known = read_mapping(path, limit=MAX_TELEMETRY_BYTES)
    event, workflow = (_mapping(known.get(name)) for name in ("last_event", "last_workflow"))
    return RuntimeObservabilitySnapshot(event, workflow)


class RuntimeTelemetryRecorder:
    """Writes down the last event and the last workflow in the file *path*; a failure to write is logged, not raised.

    What the file holds of the other one stays. Recording blocks until the file is on disk. Thread-safe; of several
    processes, the last one wins.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._lock = threading.Lock()
        self._snapshot = load_runtime_telemetry(self.path)

    def snapshot(self) -> RuntimeObservabilitySnapshot:
        """Return what was last recorded."""
        with self._lock:
            return RuntimeObservabilitySnapshot(self._snapshot.last_event, self._snapshot.last_workflow)

    def record_event_dispatch(self, topic: str, results: Iterable[HandlerOutcome]) -> None:
        """Record that an event of *topic* was dispatched, and how each handler took it."""
        outcomes = list(results)
        event = {
            "topic": _name(topic),
            "matched_handlers": len(outcomes),
            "failures": sum(not outcome.success for outcome in outcomes),
            "total_duration_ms": _milliseconds(sum(outcome.duration for outcome in outcomes)),
            "handlers": [_handler(outcome) for outcome in outcomes[:MAX_RECORDED]],
            "recorded_at": _now(),
        }
        with self._lock:
            self._snapshot.last_event = event
            self._write()

    def record_workflow_execution(self, key: str, dag_spec: Any, results: Mapping[str, Any]) -> None:
        """Record that the workflow *key* was executed, how long each node took, and how many attempts it needed.

        Args:
            key: The workflow.
            dag_spec: Its nodes, or a mapping that has them under ``nodes`` or ``tasks``.
            results: For each node ``<node>__duration``, in seconds, and ``<node>__attempts``; or a mapping that has
                these under ``results``.
        """
        nodes = [node for node in _nodes(dag_spec) if isinstance(node, Mapping)]
        outcome = results.get("results") if isinstance(results.get("results"), Mapping) else results
        known = outcome if isinstance(outcome, Mapping) else {}
        durations = [_number(known.get(f"{_id(node)}__duration")) or 0.0 for node in nodes]
        workflow = {
            "workflow": _name(key),
            "node_count": len(nodes),
            "entry_nodes": [_name(_id(node)) for node in nodes if not node.get("depends_on")][:MAX_LISTED],
            "nodes": [_node(node, known) for node in nodes[:MAX_RECORDED]],
            "total_duration_ms": _milliseconds(sum(durations)),
            "recorded_at": _now(),
        }
        with self._lock:
            self._snapshot.last_workflow = workflow
            self._write()

    def _write(self) -> None:
        try:
            write_atomic(self.path, json.dumps(self._snapshot.as_dict(), indent=2).encode())
        except OSError as error:
            logging.getLogger(__name__).warning("%s: cannot be written: %s", self.path, error.strerror)


def _handler(outcome: HandlerOutcome) -> dict[str, Any]:
    return {
        "handler": _name(outcome.handler),
        "success": bool(outcome.success),
        "duration_ms": _milliseconds(outcome.duration),
        "attempts": outcome.attempts,
        "error": _error(outcome.error),
    }


def _node(node: Mapping[str, Any], results: Mapping[str, Any]) -> dict[str, Any]:
    name = _id(node)
    task = node.get("task")
    return {
        "node": _name(name),
        "task": None if task is None else _name(task),
        "depends_on": [_name(one) for one in islice(_listed(node.get("depends_on")), MAX_LISTED)],
        "duration_ms": _milliseconds(_number(results.get(f"{name}__duration"))),
        "attempts": _number(results.get(f"{name}__attempts")),
        "retry_policy": _policy(node.get("retry_policy")),
    }


def _nodes(dag_spec: Any) -> list[Any]:
    if isinstance(dag_spec, Mapping):
        dag_spec = dag_spec.get("nodes") or dag_spec.get("tasks")
    return list(_listed(dag_spec))


def _id(node: Mapping[str, Any]) -> str:
    return str(node.get("id") or node.get("key") or "")


def _listed(value: Any) -> Iterable[Any]:
    if isinstance(value, str):
        return (value,)
    return value if isinstance(value, Iterable) else ()


def _policy(value: Any) -> dict[str, Any] | None:
    if not isinstance(value, Mapping):
        return None
    return {_name(key): one if _is_scalar(one) else _name(one) for key, one in islice(value.items(), MAX_LISTED)}


def _is_scalar(value: object) -> bool:
    return value is None or isinstance(value, bool | int | float)


def _error(value: Any) -> str | None:
    if value is None:
        return None
    return describe(value)[1] if isinstance(value, BaseException) else redact(str(value))


def _name(value: Any) -> str:
    return str(value)[:MAX_NAME_CHARS]


def _number(value: Any) -> float | int | None:
    return value if isinstance(value, int | float) else None


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000.0


def _mapping(value: Any) -> dict[str, Any] | None:
    return value if isinstance(value, dict) and value else None


def _now() -> str:
    return datetime.now(UTC).isoformat()
