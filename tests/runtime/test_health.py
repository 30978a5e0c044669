"""The health file: whole, tolerant, published."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import oneiric.core.activity
import oneiric.runtime.activity
from oneiric.runtime.health import (
    RuntimeHealthSnapshot,
    default_runtime_health_path,
    load_runtime_health,
    write_runtime_health,
)

if TYPE_CHECKING:
    from pathlib import Path

FULL = {
    "watchers_running": True,
    "remote_enabled": True,
    "last_remote_sync_at": "2026-01-01T00:00:00+00:00",
    "last_remote_error": "timeout",
    "orchestrator_pid": 12,
    "last_remote_registered": 3,
    "last_remote_per_domain": {"adapter": 3},
    "last_remote_skipped": 1,
    "last_remote_duration_ms": 12.5,
    "activity_state": {"task": {"x": {"paused": True, "draining": False, "note": None}}},
    "lifecycle_state": {"task": {"x": {"state": "ready"}}},
}


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    """A snapshot survives the file, with the time it was written; the directory is made."""
    path = default_runtime_health_path(tmp_path / "cache")
    before = datetime.now(UTC)
    snapshot = RuntimeHealthSnapshot(**FULL)  # type: ignore[arg-type]  # by name
    write_runtime_health(path, snapshot)
    loaded = load_runtime_health(path)
    assert (path.name, loaded, before <= datetime.fromisoformat(str(loaded.updated_at))) == (
        "runtime_health.json",
        snapshot,
        True,
    )


def test_missing_maps_are_empty_in_the_file() -> None:
    """Maps that nothing is known of are empty objects, other fields null."""
    assert RuntimeHealthSnapshot().as_dict() == dict.fromkeys(FULL) | {
        "watchers_running": False,
        "remote_enabled": False,
        "updated_at": None,
        "last_remote_per_domain": {},
        "activity_state": {},
        "lifecycle_state": {},
    }


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff", b"null", b"[" * 100_000])
def test_a_damaged_file_reads_as_nothing_known(tmp_path: Path, content: bytes) -> None:
    """Whatever is in the file, reading it does not raise."""
    (tmp_path / "h.json").write_bytes(content)
    assert load_runtime_health(tmp_path / "h.json") == RuntimeHealthSnapshot()


@pytest.mark.parametrize("name", ["missing.json", ""])
def test_no_file_reads_as_nothing_known(tmp_path: Path, name: str) -> None:
    """A missing file, or a directory, is nothing known."""
    assert load_runtime_health(tmp_path / name) == RuntimeHealthSnapshot()


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*FULL, "updated_at", "unknown"]), values))
@settings(deadline=None)
def test_any_object_is_read_by_its_fields_types(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, object]
) -> None:
    """A field of a wrong type has its default, every other one its value."""
    path = tmp_path_factory.mktemp("health") / "h.json"
    path.write_text(json.dumps(content))
    loaded, default = load_runtime_health(path).as_dict(), RuntimeHealthSnapshot().as_dict()
    assert set(loaded) == set(default)
    assert all(value in (content.get(name), default[name]) for name, value in loaded.items())


def test_a_flag_is_not_taken_for_a_number(tmp_path: Path) -> None:
    """True is no process id, and 1 is no flag."""
    (tmp_path / "h.json").write_text('{"orchestrator_pid": true, "watchers_running": 1}')
    assert load_runtime_health(tmp_path / "h.json") == RuntimeHealthSnapshot()


def test_readers_never_see_half_a_file(tmp_path: Path) -> None:
    """While several threads write, every read finds a whole snapshot, and no temporary file is left."""
    path = tmp_path / "h.json"
    write_runtime_health(path, RuntimeHealthSnapshot(orchestrator_pid=0))

    def write(pid: int) -> None:
        for _ in range(20):
            write_runtime_health(path, RuntimeHealthSnapshot(orchestrator_pid=pid, lifecycle_state={"x": "y" * 9999}))

    threads = [threading.Thread(target=write, args=(pid,)) for pid in (1, 2)]
    for thread in threads:
        thread.start()
    seen = {load_runtime_health(path).orchestrator_pid for _ in range(50)}
    for thread in threads:
        thread.join()
    assert (seen <= {0, 1, 2}, [file.name for file in tmp_path.iterdir()]) == (True, ["h.json"])


def test_an_unwritable_place_is_an_os_error(tmp_path: Path) -> None:
    """The caller decides what a health file that cannot be written means."""
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        write_runtime_health(tmp_path / "file" / "h.json", RuntimeHealthSnapshot())


def test_the_activity_store_is_where_it_was_published() -> None:
    """The store is imported from the runtime as well as from the core."""
    assert oneiric.runtime.activity.DomainActivityStore is oneiric.core.activity.DomainActivityStore
