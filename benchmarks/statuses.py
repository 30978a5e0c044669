"""What one persisted change of a component's status takes, beside rewriting the whole JSON list."""

from __future__ import annotations

import contextlib
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks._measure import ELAPSED, in_turns, once
from benchmarks._report import Row
from oneiric.core.lifecycle import LifecycleStatus
from oneiric.core.lifecycle.status_file import StatusFile

if TYPE_CHECKING:
    from collections.abc import Hashable

    from benchmarks._measure import Effort, Ratios, Subject

ROWS = (
    Row(name="status-10000", what="one status persisted, of 10,000 components vs of 1"),
    Row(name="status-list", what="one status of 10,000 persisted vs the whole list"),
)

MANY = 10_000
CHANGES = 200


def measure(effort: Effort) -> Ratios:
    """Return the ratios of every row."""
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as files:
        changes = effort.of(CHANGES)
        subjects = {
            "1": _slot_changes(Path(directory) / "1.json", _entries(1), changes, files),
            "many": _slot_changes(Path(directory) / "many.json", _entries(effort.of(MANY)), changes, files),
            "list": _rewriting(Path(directory) / "list.json", _entries(effort.of(MANY))),
        }
        rounds = list(in_turns(subjects, effort.rounds))
    return {
        "status-10000": [r["many"] / r["1"] for r in rounds],
        "status-list": [r["many"] / changes / r["list"] for r in rounds],
    }


def _entries(count: int) -> dict[Hashable, dict[str, object]]:
    """Return *count* entries as they are after many swaps."""
    status = LifecycleStatus("adapter", "cache", state="ready", recent_swap_durations_ms=[12.345] * 20)
    return {f"k{index}": {**status.as_dict(), "key": f"k{index}"} for index in range(count)}


def _slot_changes(
    path: Path, entries: dict[Hashable, dict[str, object]], changes: int, files: contextlib.ExitStack
) -> Subject:
    file = files.enter_context(contextlib.closing(StatusFile(path)))
    file.rewrite(entries)
    identity, entry = list(entries.items())[-1]

    def change() -> None:
        for _ in range(changes):
            file.save(identity, entry, lambda: entries)

    return once(change, clock=ELAPSED)


def _rewriting(path: Path, entries: dict[Hashable, dict[str, object]]) -> Subject:
    temporary = path.with_suffix(".tmp")

    def change() -> None:
        temporary.write_bytes(json.dumps(list(entries.values())).encode())
        temporary.replace(path)

    return once(change, clock=ELAPSED)
