"""What is read from a status file after a restart, and from one that is damaged."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifecycle_support import ENTRY, Bench, Book, content, written

from oneiric.core.lifecycle import LifecycleStatus, read_statuses
from oneiric.core.lifecycle.status import parse_status
from oneiric.core.lifecycle.status_file import PAGE_BYTES, encode

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A status file in a directory that is missing."""
    return tmp_path / "cache" / "lifecycle_status.json"


def test_what_was_known_is_known_after_a_restart(path: Path) -> None:
    """Counters, times and errors are read; nobody serves."""
    written(path, json.dumps([ENTRY], indent=2))
    (status,) = Book(path).book.all()
    expected: dict[str, Any] = {**ENTRY, "state": "unknown", "current_provider": None}
    assert (status.as_dict(), content(path)) == (expected, [expected])


def test_a_swap_under_way_has_failed_after_a_restart(path: Path) -> None:
    """What was being activated when the process died is failed; nothing is pending."""
    written(path, json.dumps([{**ENTRY, "state": "activating", "pending_provider": "new"}]))
    (status,) = Book(path).book.all()
    assert (status.state, status.pending_provider, status.current_provider) == ("failed", None, None)
    assert status.last_error == "the process ended while the component was activated"


def test_a_failed_component_is_still_failed_after_a_restart(path: Path) -> None:
    """That the last attempt failed stays true."""
    written(path, json.dumps([{**ENTRY, "state": "failed", "last_error": "no"}]))
    (status,) = Book(path).book.all()
    assert (status.state, status.last_error) == ("failed", "no")


async def test_counters_go_on_after_a_restart(path: Path) -> None:
    """A second manager of the file goes on counting."""
    bench = Bench(path=path)
    await bench.serve()
    await bench.manager.aclose()
    bench.manager = bench.new_manager()
    assert (bench.status.successful_swaps, bench.instance) == (1, None)
    await bench.swap("old")
    assert bench.status.successful_swaps == 2


def test_a_file_cut_anywhere_loses_only_what_was_cut_off(tmp_path: Path) -> None:
    """Of a file cut at any byte every whole entry is read, the rest is reported, and the original is kept."""
    entries = [{"domain": "adapter", "key": key, "successful_swaps": 7} for key in ("a", "b")]
    whole = json.dumps(entries).encode()
    ends = [whole.index(b"}") + 1, len(whole) - 1]
    for cut in range(len(whole)):
        path = written(tmp_path / str(cut) / "status.json", whole[:cut])
        book = Book(path)
        expected = [("adapter", key, 7) for key, end in zip("ab", ends, strict=True) if cut >= end]
        assert (cut, book.counts()) == (cut, expected)
        assert [told.sink for told in book.failures] == ["lifecycle_status"]
        assert path.with_name("status.json.damaged").read_bytes() == whole[:cut]
        assert [entry["key"] for entry in content(path)] == [key for _, key, _ in expected]
        book.book.close("closed")


@pytest.mark.slow
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not JSON",
        b"{}",
        b"3",
        b"null",
        b'"text"',
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b'[{"a":' * 20_000,
        b"[1" + b"0" * 5000 + b"]",
        b"\x00" * PAGE_BYTES,
    ],
    ids=lambda data: repr(data[:12]),
)
def test_what_is_no_status_file_is_reported_and_kept(path: Path, data: bytes) -> None:
    """Whatever the file holds, construction succeeds, the damage is reported once, and a valid list takes its place."""
    book = Book(written(path, data))
    assert [told.sink for told in book.failures] == ["lifecycle_status"]
    assert (content(path), path.with_name(f"{path.name}.damaged").read_bytes()) == ([], data)


BAD_FIELDS: list[tuple[str, object]] = [
    ("state", "sleeping"),
    ("state", 3),
    ("current_provider", 3),
    ("pending_provider", ""),
    ("last_error", ["x"]),
    ("last_state_change_at", "yesterday"),
    ("last_activated_at", 5),
    ("last_health_at", {}),
    ("last_swap_duration_ms", -1),
    ("last_swap_duration_ms", True),
    ("recent_swap_durations_ms", "x"),
    ("recent_swap_durations_ms", [1, None]),
    ("successful_swaps", "x"),
    ("successful_swaps", 1.5),
    ("successful_swaps", -1),
    ("failed_swaps", True),
    ("failed_swaps", 10**400),
]


@pytest.mark.parametrize(("field", "value"), BAD_FIELDS)
def test_a_bad_field_has_its_default_and_the_others_their_values(path: Path, field: str, value: object) -> None:
    """One field of a wrong type costs nothing but that field, and is reported by name."""
    book = Book(written(path, json.dumps([{**ENTRY, field: value}])))
    (status,) = book.book.all()
    default = LifecycleStatus("adapter", "cache").as_dict()[field]
    expected = {**ENTRY, "current_provider": None, field: default}
    expected["state"] = "unknown"
    assert (status.as_dict(), field in book.failures[0].error) == (expected, True)


@pytest.mark.parametrize(
    "entry", [3, None, [], {}, {"domain": "d"}, {"domain": 3, "key": "k"}, {"domain": "d", "key": ""}]
)
def test_an_entry_without_names_is_skipped(path: Path, entry: object) -> None:
    """What cannot be addressed is left out; its neighbours are read."""
    book = Book(written(path, json.dumps([entry, ENTRY])))
    assert (book.counts(), len(book.failures)) == ([("adapter", "cache", 3)], 1)


def test_missing_and_unknown_fields_are_no_damage(path: Path) -> None:
    """A file of another version is read for what it has."""
    book = Book(written(path, json.dumps([{"domain": "adapter", "key": "cache", "colour": "red"}])))
    assert (book.counts(), book.failures) == ([("adapter", "cache", 0)], [])


def test_a_time_without_zone_is_utc() -> None:
    """A naive time of an older file is taken as UTC."""
    status, bad = parse_status({**ENTRY, "last_health_at": "2025-01-02T03:04:05"})
    assert status is not None
    assert (status.last_health_at, bad) == (datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC), [])


def test_reading_for_a_look_changes_nothing(path: Path) -> None:
    """read_statuses returns what is written, also while somebody owns the file, and nothing for a missing file."""
    assert read_statuses(path) == []
    book = Book(path).book
    book.ready(("adapter", "cache"), "redis", seconds=0.5)
    before = path.read_bytes()
    assert (read_statuses(str(path)), path.read_bytes()) == (book.all(), before)


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(list(ENTRY)), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(entry=st.dictionaries(st.sampled_from(list(ENTRY)), json_values))
def test_whatever_an_entry_holds_is_read_or_refused(entry: dict[str, Any]) -> None:
    """No entry, whatever its values, raises; what is read can be written again and reads the same."""
    status, _ = parse_status({"domain": "adapter", "key": "cache", **entry})
    if status is not None:
        again, bad = parse_status(json.loads(encode(status.as_dict())))
        assert (again, bad) == (status, [])
