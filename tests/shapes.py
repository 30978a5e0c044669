"""The shapes of the JSON that commands print, held by golden files."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

GOLDEN = Path(__file__).parent / "cli" / "golden"
REWRITE = "REWRITE_GOLDEN"
"""Environment variable that has the golden files written instead of compared."""
VOLATILE = (
    *("pid", "orchestrator_pid", "version", "installed", "directory", "duration_ms", "p50", "p95", "p99", "samples"),
    *("uid", "age_seconds", "files", "score", "successful_swaps", "lifecycle_state", "activity_state"),
    *("manifest_url", "url", "last_success", "last_attempt"),
)


def compare(name: str, answer: dict[str, Any]) -> None:
    """Hold *answer*, without what differs each time, against the golden file *name*."""
    path, shape = GOLDEN / f"{name}.json", steady(answer)
    if REWRITE in os.environ:
        path.write_text(json.dumps(shape, indent=2) + "\n", encoding="utf-8")
    assert shape == json.loads(path.read_text(encoding="utf-8")), f"if that is meant: {REWRITE}=1 pytest tests/cli"


def steady(value: Any, name: str = "") -> Any:
    """Return *value* without what differs each time: its type stands for it."""
    if isinstance(value, dict) and name not in VOLATILE:
        return {key: steady(item, key) for key, item in value.items()}
    if name in VOLATILE or name.endswith(("_at", "_ms")) or (name == "value" and isinstance(value, float)):
        return f"<{type(value).__name__}>" if value is not None else None
    if isinstance(value, list):
        return [steady(item) for item in value]
    return value
