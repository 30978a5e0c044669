"""The status file: valid JSON at every instant, one page a change, and nothing lost that can be read."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifecycle_support import ENTRY, Bench, Book, content, written

from oneiric.core.events import HookFailed
from oneiric.core.lifecycle import LifecycleStatus
from oneiric.core.lifecycle.status_file import (
    FIRST_CAPACITY,
    MAX_ENTRY_BYTES,
    PAGE_BYTES,
    StatusFile,
    encode,
    read_entries,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A status file in a directory that is missing."""
    return tmp_path / "cache" / "lifecycle_status.json"


async def test_the_file_is_current_after_each_change(path: Path) -> None:
    """Also the counters of the swap that has just ended are in the file."""
    bench = Bench(path=path)
    await bench.serve()
    assert content(path) == [bench.status.as_dict()]
    bench.register(lambda: None)
    await bench.swap(force=True)
    entries = content(path)
    assert entries == [bench.status.as_dict()]
    assert (entries[0]["successful_swaps"], entries[0]["failed_swaps"]) == (1, 1)


def test_a_new_file_is_an_empty_list(path: Path) -> None:
    """The directory is created and the file is valid before anything happens."""
    Book(path)
    assert content(path) == []


@pytest.mark.parametrize("number", [1, 2, FIRST_CAPACITY - 1, FIRST_CAPACITY, FIRST_CAPACITY + 1, 3 * FIRST_CAPACITY])
def test_the_file_grows_by_doubling(path: Path, number: int) -> None:
    """The file stays a valid list of whole pages, whatever the number of components."""
    book = Book(path).book
    for index in range(number):
        book.activating(("adapter", f"k{index}"), "p")
    entries = content(path)
    slots = path.stat().st_size // PAGE_BYTES
    assert [entry["key"] for entry in entries] == [f"k{index}" for index in range(number)]
    assert (path.stat().st_size % PAGE_BYTES, slots & (slots - 1), slots >= number) == (0, 0, True)


def test_every_entry_stands_on_a_line_of_its_own(path: Path) -> None:
    """The file can be read with line-oriented tools."""
    book = Book(path).book
    for key in ("a", "b"):
        book.activating(("adapter", key), None)
    lines = [line.strip(" [],") for line in path.read_text().splitlines()]
    assert [json.loads(line)["key"] for line in lines if line] == ["a", "b"]


def cost(path: Path, components: int, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, bool]]:
    """Return length and alignment of every write that one change among *components* takes."""
    book = Book(path).book
    for index in range(components):
        book._statuses["adapter", f"k{index}"] = LifecycleStatus("adapter", f"k{index}")
    book.activating(("adapter", "k0"), "p")
    assert book._file is not None
    book._file.rewrite(book._entries())
    writes: list[tuple[int, bool]] = []
    pwrite = os.pwrite

    def counting(descriptor: int, data: bytes, offset: int) -> int:
        writes.append((len(data), offset % PAGE_BYTES == 0))
        return pwrite(descriptor, data, offset)

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", counting)
        patch.setattr(os, "fsync", lambda _: pytest.fail("a change must not wait for the disk"))
        patch.setattr(os, "replace", lambda *_: pytest.fail("a change must not write the file anew"))
        book.ready(("adapter", f"k{components - 1}"), "p", seconds=1)
    return writes


def test_a_change_costs_one_page_whatever_the_number_of_components(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One aligned page is written with 1 and with 10,000 components."""
    few = cost(tmp_path / "few.json", 1, monkeypatch)
    many = cost(tmp_path / "many.json", 10_000, monkeypatch)
    assert few == many == [(PAGE_BYTES, True)]


SWAPPER = """
import asyncio, itertools, sys
from oneiric.core.lifecycle import LifecycleManager, LifecycleSafetyOptions
from oneiric.core.resolution import Candidate, Resolver
resolver = Resolver()
manager = LifecycleManager(
    resolver, status_snapshot_path=sys.argv[1], safety=LifecycleSafetyOptions(sync_in_thread=False)
)
async def main():
    for number in itertools.count():
        key = f"k{number % 40 if number < 2000 else number % 80}"  # grows twice on its way
        if number < 80:
            resolver.register(Candidate(domain="adapter", key=key, provider="p", factory=object))
            resolver.register(Candidate(domain="adapter", key=f"k{number}", provider="p", factory=object))
        await manager.activate("adapter", key)
        if number == 0:
            print("begun", flush=True)
asyncio.run(main())
"""


def killed_swapper(path: Path, seconds: float) -> None:
    """Run a process that swaps as fast as it can, and kill it."""
    with subprocess.Popen([sys.executable, "-c", SWAPPER, str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        time.sleep(seconds)  # when it is killed is what varies, not what is waited for
        process.send_signal(signal.SIGKILL)


def test_the_file_survives_being_killed_at_any_moment(path: Path) -> None:
    """After every SIGKILL the file is a valid list, nothing was damaged, and no counter has gone back."""
    counters: dict[str, int] = {}
    for seconds in (0.0, 0.011, 0.037, 0.083, 0.171):
        killed_swapper(path, seconds)
        found = {entry["key"]: entry["successful_swaps"] for entry in content(path)}
        assert {key: found.get(key, -1) >= count for key, count in counters.items()} == dict.fromkeys(counters, True)
        assert sum(found.values()) > sum(counters.values())
        counters = found
    book = Book(path)
    assert (book.failures, {status.key: status.successful_swaps for status in book.book.all()}) == ([], counters)
    assert sorted(entry.name for entry in path.parent.iterdir()) == [path.name, f"{path.name}.lock"]


def test_the_second_owner_keeps_its_statuses_in_memory(path: Path) -> None:
    """Who comes second reads what there is and writes nothing, without an error: workers of a service are several."""
    first = Book(path)
    first.book.ready(("adapter", "a"), "p", seconds=1)
    second = Book(path)
    second.book.ready(("adapter", "b"), "p", seconds=1)
    second.book.ready(("adapter", "b"), "p", seconds=1)
    assert second.counts() == [("adapter", "a", 1), ("adapter", "b", 2)]
    assert ([entry["key"] for entry in content(path)], second.failures) == (["a"], [])


def test_the_second_owner_takes_over_from_the_first(path: Path) -> None:
    """Once the first has gone the second writes all it knows; what only the first one served is served no more."""
    first = Book(path)
    first.book.ready(("adapter", "a"), "p", seconds=1)
    second = Book(path)
    first.book.ready(("adapter", "late"), "p", seconds=1)
    second.book.ready(("adapter", "b"), "q", seconds=1)
    first.book.close("closed")
    second.book.keep(wanted=True)
    entries = {entry["key"]: (entry["state"], entry["current_provider"]) for entry in content(path)}
    assert entries == {"a": ("unknown", None), "late": ("unknown", None), "b": ("ready", "q")}
    second.book.failed(("adapter", "b"), "q", "wrong", seconds=1)
    assert ({entry["key"]: entry["state"] for entry in content(path)}["b"], second.failures) == ("failed", [])


def test_an_owner_that_is_not_wanted_lets_the_other_in(path: Path) -> None:
    """Who leaves the file to others writes nothing until it is wanted again; both know what they did themselves."""
    first, second = Book(path), Book(path)
    first.book.keep(wanted=False)
    first.book.activating(("adapter", "a"), "p")
    second.book.keep(wanted=True)
    second.book.activating(("adapter", "b"), "p")
    assert [entry["key"] for entry in content(path)] == ["b"]
    second.book.keep(wanted=False)
    first.book.keep(wanted=True)
    assert [entry["key"] for entry in content(path)] == ["a", "b"]


def test_the_statuses_of_another_owner_are_not_counted(path: Path) -> None:
    """Each process counts what it has itself, so that the sum over all is right."""
    first = Book(path)
    first.book.ready(("adapter", "a"), "p", seconds=1)
    second = Book(path)
    assert (len(list(first.book.states({("adapter", "a"): "p"}))), list(second.book.states({}))) == (2, [])


def test_a_forked_child_leaves_the_file_to_its_parent(path: Path) -> None:
    """What a child changes stays in its memory, and the parent's file and lock stay as they are."""
    book = Book(path)
    book.book.activating(("adapter", "parent"), "p")
    child = os.fork()
    if child == 0:
        book.book.activating(("adapter", "child"), "p")
        os._exit(len(book.failures))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    other = Book(path)
    other.book.activating(("adapter", "other"), "p")
    assert ([entry["key"] for entry in content(path)], book.failures) == (["parent"], [])


def test_the_second_owner_sees_the_statuses_as_they_are(path: Path) -> None:
    """Somebody else's components serve: they have not ended, and are not shown as if they had."""
    first = Book(path)
    first.book.ready(("adapter", "a"), "p", seconds=1)
    first.book.activating(("adapter", "b"), "q")
    second = Book(path)
    seen = [
        (status.key, status.state, status.current_provider, status.pending_provider) for status in second.book.all()
    ]
    assert seen == [("a", "ready", "p", None), ("b", "activating", None, "q")]


class Torn(type(Path())):  # type: ignore[misc]  # the class of the system's paths
    """A file that is seen with a half-written page so many times."""

    left = 0

    def read_bytes(self) -> bytes:
        """Return what is there, without its end while it is torn."""
        data: bytes = super().read_bytes()
        Torn.left -= 1
        return data[:-2] if Torn.left >= 0 else data


@pytest.mark.parametrize(("times", "damaged"), [(2, False), (3, True)])
def test_a_page_being_written_is_no_damage(path: Path, times: int, damaged: bool) -> None:
    """Damage is believed when it is seen three times, so that a reader may come in the middle of a write."""
    Book(path).book.ready(("adapter", "a"), "p", seconds=1)
    Torn.left = times
    found = read_entries(Torn(path))
    assert (bool(found.damage), [entry["key"] for entry in found.entries]) == (damaged, ["a"])


def test_closing_lets_the_next_owner_in(path: Path) -> None:
    """After close, twice for good measure, another one owns the file, and changes stay in memory."""
    first = Book(path)
    first.book.close("closed")
    first.book.close("closed")
    first.book.activating(("adapter", "late"), None)
    second = Book(path)
    second.book.activating(("adapter", "b"), None)
    assert (first.failures, second.failures) == ([], [])
    assert [entry["key"] for entry in content(path)] == ["b"]


def test_an_owner_that_is_gone_lets_the_next_one_in(path: Path) -> None:
    """A manager that was dropped without being closed does not keep the lock."""
    book = Book(path)
    del book
    assert Book(path).failures == []


async def test_an_unwritable_file_fails_no_activation(tmp_path: Path) -> None:
    """Where a file stands in the way of the directory, swaps go on and the failure is reported."""
    (tmp_path / "file").write_text("in the way")
    bench = Bench(path=tmp_path / "file" / "status.json")
    await bench.serve()
    assert {told.sink for told in bench.recorder.of(HookFailed)} == {"lifecycle_status"}
    assert bench.status.state == "ready"


def test_a_directory_in_the_place_of_the_file_is_left_alone(path: Path) -> None:
    """A path that is a directory is reported, neither moved nor emptied."""
    path.mkdir(parents=True)
    (path / "precious").write_text("data")
    book = Book(path)
    book.book.activating(("adapter", "a"), None)
    assert (len(book.failures), (path / "precious").read_text()) == (2, "data")


def test_writing_resumes_when_it_can(tmp_path: Path) -> None:
    """What could not be written at first is written with the first change for which it can."""
    obstacle = tmp_path / "cache"
    obstacle.write_text("in the way")
    book = Book(obstacle / "status.json")
    book.book.activating(("adapter", "a"), None)
    obstacle.unlink()
    book.book.activating(("adapter", "b"), None)
    assert [entry["key"] for entry in json.loads((obstacle / "status.json").read_bytes())] == ["a", "b"]


def test_a_failed_write_is_made_good_by_the_next_change(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that fails, or writes only a part, is reported, and the next change writes everything."""
    book = Book(path)
    book.book.activating(("adapter", "a"), None)
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", lambda *_: 100)
        book.book.activating(("adapter", "b"), None)
    book.book.activating(("adapter", "c"), None)
    assert [entry["key"] for entry in content(path)] == ["a", "b", "c"]
    assert [told.error_type for told in book.failures] == ["OSError"]


@pytest.mark.parametrize("harm", ["removed", "emptied", "replaced"])
def test_a_file_harmed_from_outside_is_written_anew(path: Path, harm: str) -> None:
    """Removing, emptying or replacing the file costs nothing beyond the next change."""
    book = Book(path).book
    book.activating(("adapter", "a"), None)
    if harm == "removed":
        path.unlink()
    elif harm == "emptied":
        path.write_bytes(b"")
    else:
        path.with_suffix(".other").write_bytes(path.read_bytes())
        path.with_suffix(".other").replace(path)
    book.activating(("adapter", "b"), None)
    assert [entry["key"] for entry in content(path)] == ["a", "b"]


def test_what_a_killed_process_left_behind_is_removed(path: Path) -> None:
    """Temporary files of a growth that was cut short do not pile up."""
    leftover = written(path.with_name(f".{path.name}.abc.tmp"), b"half")
    Book(path)
    assert not leftover.exists()


def test_the_file_is_for_its_owner_only(path: Path) -> None:
    """Neither the file nor its lock can be read by others."""
    Book(path)
    modes = [file.stat().st_mode & 0o777 for file in path.parent.iterdir()]
    assert modes == [0o600, 0o600]


def worst(name: str, error: str, samples: int) -> dict[str, Any]:
    """Return an entry with these names, error text and number of durations."""
    status = LifecycleStatus(
        domain=name,
        key=name,
        current_provider=name,
        pending_provider=name,
        last_error=error,
        recent_swap_durations_ms=[123456789.123] * samples,
        successful_swaps=2**63 - 1,
        failed_swaps=2**63 - 1,
    )
    return status.as_dict()


@pytest.mark.parametrize("name", ["k", "k" * 256, '"' * 256, "é" * 256, "\U0001f600" * 256])
@pytest.mark.parametrize("error", ["", "x" * 512, "\n" * 512, "\x01" * 512, "\U0001f600" * 512, "\ud800" * 512])
@pytest.mark.parametrize("samples", [0, 20, 1000])
def test_every_entry_fits_its_slot(name: str, error: str, samples: int) -> None:
    """The longest names, errors and lists fit, whatever JSON makes of them, and who it is about is never cut."""
    entry = worst(name, error, samples)
    data = encode(entry)
    decoded = json.loads(data)
    assert len(data) <= MAX_ENTRY_BYTES
    assert (decoded["domain"], decoded["key"], decoded["successful_swaps"]) == (name, name, 2**63 - 1)


def test_a_usual_entry_is_written_in_full() -> None:
    """Names and an error of full length in ASCII, and the durations, are not cut."""
    entry = worst("k" * 256, "x" * 512, 20)
    assert json.loads(encode(entry)) == entry


def test_an_error_is_cut_no_further_than_needed() -> None:
    """An error that would overflow the slot loses its end, and nothing else is lost."""
    entry = worst("é" * 256, "\x01" * 512, 20)
    decoded = json.loads(encode(entry))
    assert (decoded["last_error"][:50], decoded["last_error"][-1]) == ("\x01" * 50, "…")
    assert decoded["recent_swap_durations_ms"] == entry["recent_swap_durations_ms"]


@settings(deadline=None)
@given(name=st.text(min_size=1, max_size=256), error=st.text(max_size=512), samples=st.integers(0, 100))
def test_any_entry_fits_its_slot(name: str, error: str, samples: int) -> None:
    """An entry of any text fits, and is JSON."""
    data = encode(worst(name.encode("utf-8", "replace").decode(), error, samples))
    assert (len(data) <= MAX_ENTRY_BYTES, type(json.loads(data))) == (True, dict)


def test_an_entry_that_cannot_fit_is_refused_and_left_out(path: Path) -> None:
    """Names beyond what is valid are a ValueError that harms no other entry."""
    entries: dict[Any, dict[str, Any]] = {"big": worst("k" * 5000, "", 0), "small": worst("k", "", 0)}
    file = StatusFile(path)
    with pytest.raises(ValueError, match=f"bytes, more than {MAX_ENTRY_BYTES}"):
        file.save("big", entries["big"], lambda: entries)
    file.save("small", entries["small"], lambda: entries)
    assert content(path) == [entries["small"]]


def test_a_slot_can_be_filled_to_its_last_byte(path: Path) -> None:
    """An entry of exactly the greatest length is written whole, in the first slot and in the last."""
    base = len(encode({**ENTRY, "key": ""}))
    full = {**ENTRY, "key": "k" * (MAX_ENTRY_BYTES - base)}
    file = StatusFile(path)
    file.rewrite({})
    for index in range(FIRST_CAPACITY):
        file.save(index, full, dict)
    assert len(encode(full)) == MAX_ENTRY_BYTES
    assert read_entries(path).entries == [full] * FIRST_CAPACITY
