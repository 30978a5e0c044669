"""The directory of shared counts: what is read of it, what is left out and reported, and how it stays small."""

from __future__ import annotations

import os
import re
import shutil
import threading
from operator import le
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings, strategies
from processes import eventually
from support import Recorder

from oneiric.core import events
from oneiric.core.config import OneiricSettings, SettingsError, load_settings
from oneiric.core.observers import Observers
from oneiric.core.resolution import Candidate, Resolver
from oneiric.observability import attach, clear_shared_directory
from oneiric.observability.catalogue import CATALOGUE
from oneiric.observability.events import ScrapeFailed
from oneiric.observability.metrics import PrometheusSink
from oneiric.observability.metrics.shared import Sharing
from oneiric.observability.metrics.shared import directory as shared_files
from oneiric.observability.metrics.shared.directory import ARCHIVE, MAX_ENDED
from oneiric.observability.metrics.shared.format import (
    COUNTER,
    HEADER_BYTES,
    HISTOGRAM,
    Record,
    header_bytes,
    record_bytes,
)
from oneiric.runtime.orchestrator import RuntimeOrchestrator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from oneiric.observability.metrics import LabelSet

NAME = "oneiric_resolution_total"


def make_huge(path: Path) -> None:
    """Make a file of a terabyte, all of it a hole."""
    path.touch()
    os.truncate(path, 1 << 40)


class Process:
    """As much of a process as counts and scrapes; it ends when it is closed."""

    def __init__(self, directory: Path, *, budget: int = 100) -> None:
        self.observers = Observers()
        self.recorder = Recorder()
        self.observers.add(self.recorder)
        self.sink = PrometheusSink(
            CATALOGUE, self.observers, version="1", series_budget=budget, shared=directory, shared_interval=3600.0
        )
        self.observers.add(self.sink)

    def resolve(self, *keys: str) -> None:
        """Count a resolution of each of *keys*."""
        for key in keys:
            self.observers.notify(
                events.Resolved(domain="adapter", key=key, provider="redis", duration=0.0002, candidates=1, shadowed=0)
            )

    def totals(self) -> dict[str, float]:
        """Scrape, and return the resolutions by key."""
        (found,) = [snapshot for snapshot in self.sink.snapshots() if snapshot.metric.name == NAME]
        return {labels[1]: value for labels, value in zip(found.labels, found.values, strict=True)}

    @property
    def file(self) -> Path:
        """Its file."""
        sharing = self.sink._sharing
        assert sharing is not None
        return sharing._directory / sharing._file.name

    def problems(self) -> list[str]:
        """Scrape, and return what was reported in that."""
        self.recorder.told.clear()
        self.totals()
        return [event.error for event in self.recorder.told if isinstance(event, ScrapeFailed)]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Start a process in the temporary directory."""
    started: list[Process] = []

    def start(**options: int) -> Process:
        started.append(Process(tmp_path, **options))
        return started[-1]

    yield start
    for process in started:
        process.sink.close()


def ended(start: Callable[..., Process], *keys: str) -> Path:
    """Let a process count *keys* and end, and return its file."""
    process = start()
    process.resolve(*keys)
    process.sink.close()
    return process.file


def content(*records: Record) -> bytes:
    """Return a file of *records*."""
    body = b"".join(map(record_bytes, records))
    return header_bytes(HEADER_BYTES + len(body)) + body


def test_totals_are_those_of_all_processes(start: Callable[..., Process]) -> None:
    """Living and ended processes, and the one that is scraped, are added up by label set."""
    ended(start, "a", "a", "b")
    living, scraped = start(), start()
    living.resolve("b", "c")
    scraped.resolve("c", "d")
    assert scraped.totals() == living.totals() == {"a": 2, "b": 2, "c": 2, "d": 1}


def test_many_ended_processes_are_one_archive(start: Callable[..., Process], tmp_path: Path) -> None:
    """A scrape puts ended processes together, changes no total, and never touches a living one's file."""
    for number in range(MAX_ENDED + 5):
        ended(start, "a", f"k{number}")
    living, scraped = start(), start()
    living.resolve("a")
    before = scraped.totals()
    assert before["a"] == MAX_ENDED + 6
    assert sorted(path.name for path in tmp_path.glob("*.oneiric")) == [ARCHIVE, living.file.name]
    assert scraped.totals() == before
    assert scraped.problems() == []


def test_a_file_that_is_in_the_archive_too_counts_once(start: Callable[..., Process], tmp_path: Path) -> None:
    """When a process is killed between writing an archive and removing what went into it, nothing counts twice."""
    files = [ended(start, "a") for _ in range(MAX_ENDED + 1)]
    copies = tmp_path / "copies"
    copies.mkdir()
    for file in files:
        shutil.copy(file, copies)
    scraped = start()
    assert scraped.totals() == {"a": MAX_ENDED + 1}
    assert not files[0].exists()
    for file in files:
        shutil.copy(copies / file.name, file)
    assert scraped.totals() == {"a": MAX_ENDED + 1}
    for _ in range(MAX_ENDED + 1):
        ended(start, "a")
    assert scraped.totals() == {"a": 2 * MAX_ENDED + 2}
    assert [file for file in files if file.exists()] == []
    assert scraped.totals() == {"a": 2 * MAX_ENDED + 2}


def test_a_damaged_archive_is_set_aside(start: Callable[..., Process], tmp_path: Path) -> None:
    """It is reported from then on, and a new archive is begun."""
    (tmp_path / ARCHIVE).write_bytes(b"garbage")
    for _ in range(MAX_ENDED + 1):
        ended(start, "a")
    scraped = start()
    assert scraped.totals() == {"a": MAX_ENDED + 1}
    (problem,) = scraped.problems()
    assert "archive.oneiric: 7 bytes are less than a header" in problem
    assert scraped.totals() == {"a": MAX_ENDED + 1}


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda path: path.write_bytes(b""), "0 bytes are less than a header"),
        (lambda path: path.write_bytes(b"garbage" * 100), "is no file of shared counts"),
        (lambda path: path.write_bytes(header_bytes(1 << 20)), "ends before the 1048576 bytes that are in use"),
        (lambda path: path.write_bytes(header_bytes(1 << 40)), "cannot have"),
        (lambda path: path.write_bytes(content(Record(COUNTER, b"no JSON", (1.0,)))), "a series without a name"),
        (lambda path: path.write_bytes(content(Record(COUNTER, b'["x",["y"]]', (1.0,)))), "1 series that this release"),
        (
            lambda path: path.write_bytes(
                content(
                    Record(
                        HISTOGRAM,
                        b'["oneiric_resolution_duration_seconds",["a","b"]]',
                        (float("nan"), *[1.0] * 16, 1.0),
                    )
                )
            ),
            "an impossible number of observations",
        ),
        (make_huge, "is larger than"),
        (lambda path: path.mkdir(), "Is a directory"),
        (os.mkfifo, "Illegal seek|bytes are less than a header"),
        (lambda path: path.symlink_to("/dev/zero"), "symbolic links"),
    ],
)
def test_what_is_no_file_of_ours_is_reported_and_skipped(
    start: Callable[..., Process], tmp_path: Path, make: Callable[[Path], object], problem: str
) -> None:
    """Whatever stands under such a name is reported once a scrape; the counts of all others are exact."""
    ended(start, "a")
    make(tmp_path / "counts-1-1-1.oneiric")
    scraped = start()
    scraped.resolve("a")
    (found,) = scraped.problems()
    assert found.startswith("counts-1-1-1.oneiric: ")
    assert re.search(problem, found), found
    assert scraped.totals() == {"a": 2}


@given(garbage=strategies.binary(max_size=300), offset=strategies.integers(0, 600))
@settings(deadline=None)
def test_no_damage_disturbs_a_scrape(tmp_path_factory: pytest.TempPathFactory, garbage: bytes, offset: int) -> None:
    """Whatever is written over any part of one file, a scrape raises nothing, and all others are exact."""
    directory = tmp_path_factory.mktemp("shared")

    def start() -> Process:
        return Process(directory)

    ended(start, "a")
    damaged = ended(start, "b")
    with damaged.open("r+b") as file:
        file.seek(offset)
        file.write(garbage)
    scraped = start()
    scraped.resolve("a")
    totals = scraped.totals()
    scraped.sink.close()
    assert totals.pop("b", 1) in (0, 1)
    assert totals == {"a": 2}


def test_foreign_files_are_left_alone(start: Callable[..., Process], tmp_path: Path) -> None:
    """Files of other names are neither read nor reported nor removed."""
    names = ["notes.txt", "counts-x.db", ".counts-1.oneiric.swp", "other.oneiric"]
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    for _ in range(MAX_ENDED + 1):
        ended(start, "a")
    assert start().problems() == []
    clear_shared_directory(tmp_path)
    assert sorted(names) == sorted(path.name for path in tmp_path.iterdir() if path.name != ".lock")


def test_more_files_than_are_read_are_reported(start: Callable[..., Process], monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of files read is bounded, and who comes too late is told of."""
    monkeypatch.setattr(shared_files, "MAX_FILES", 3)
    for _ in range(5):
        ended(start, "a")
    scraped = start()
    assert scraped.totals() == {"a": 3}
    (problem,) = scraped.problems()
    assert "there are 5 files, over 3" in problem


def test_the_series_budget_is_that_of_all_processes(start: Callable[..., Process]) -> None:
    """Label sets over the budget are folded whoever has them, the total is exact, and every process shows the same."""
    for place in range(3):
        ended(start, *[f"k{place}-{number}" for number in range(8)])
    processes = [start(budget=10), start(budget=10)]
    processes[0].resolve("mine", "k0-0")
    processes[1].resolve("other")
    first, second = [process.totals() for process in processes]
    assert first == second
    eldest = {*(f"k0-{number}" for number in range(8)), "k1-0", "k1-1"}
    assert ({*first}, sum(first.values()), first["_other"]) == (eldest | {"_other"}, 27, 16)
    assert first["k0-0"] == 2


def test_two_telemetries_of_one_process_may_share_a_directory(tmp_path: Path) -> None:
    """Each has a file of its own, and shows the sum."""
    processes = [Process(tmp_path), Process(tmp_path)]
    for process in processes:
        process.resolve("a")
    assert [process.totals() for process in processes] == [{"a": 2}, {"a": 2}]
    processes[0].sink.close()
    assert processes[1].totals() == {"a": 2}
    processes[1].sink.close()


def test_a_directory_that_is_missing_is_made_for_its_owner(tmp_path: Path) -> None:
    """Attaching makes the directory with mode 0700, and those above it."""
    directory = tmp_path / "a" / "shared"
    attach(Resolver(), shared_dir=directory).detach()
    assert directory.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("below", ["", "below"])
def test_a_shared_directory_that_is_a_file_is_refused(tmp_path: Path, below: str) -> None:
    """Attaching raises, naming the path, and attaches nothing."""
    file = tmp_path / "file"
    file.touch()
    resolver = Resolver()
    with pytest.raises(ValueError, match=r"shared directory .*file.*: "):
        attach(resolver, shared_dir=file / below)
    assert resolver.observers.attached == ()


@pytest.mark.parametrize("interval", [0.0, -1.0, float("nan"), float("inf")])
def test_an_impossible_interval_is_refused(tmp_path: Path, interval: float) -> None:
    """Attaching raises, saying what is right, and attaches nothing."""
    resolver = Resolver()
    with pytest.raises(ValueError, match="shared_interval must be more than 0 and at most 86400 s"):
        attach(resolver, shared_dir=tmp_path, shared_interval=interval)
    assert resolver.observers.attached == ()


@pytest.mark.parametrize("path", ["", "a\0b"])
def test_a_path_that_is_none_is_refused(path: str) -> None:
    """Attaching raises, and the working directory is not taken instead."""
    with pytest.raises(ValueError, match="shared directory"):
        attach(Resolver(), shared_dir=path)


def test_the_environment_names_the_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ONEIRIC_METRICS_DIR is the shared directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ONEIRIC_METRICS_DIR", str(tmp_path / "shared"))
    assert load_settings().observability.shared.directory == tmp_path / "shared"


def test_a_wrong_directory_in_the_environment_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings are refused with the variable's name when it names a file."""
    (tmp_path / "file").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ONEIRIC_METRICS_DIR", str(tmp_path / "file"))
    with pytest.raises(SettingsError, match=r"ONEIRIC_METRICS_DIR.*must be a directory"):
        load_settings()


async def test_a_runtime_shares_what_it_counts(tmp_path: Path) -> None:
    """The orchestrator keeps its counts where the settings say."""
    ended(lambda: Process(tmp_path), "cache")
    options = {"metrics_server": False, "shared": {"directory": tmp_path, "publish_interval": 0.5}}
    given = OneiricSettings.model_validate({"cache_dir": str(tmp_path / "cache"), "observability": options})
    async with RuntimeOrchestrator(given) as runtime:
        runtime.resolver.register(Candidate(domain="adapter", key="cache", provider="redis", factory=dict))
        runtime.resolver.resolve("adapter", "cache")
        assert runtime.telemetry is not None
        assert [value for _, value in runtime.telemetry.samples()[NAME]] == [2.0]


def test_the_thread_that_reads_gauges_last_publishes_last(tmp_path: Path) -> None:
    """A publication that was held up between reading and writing does not put old values in place of newer ones."""
    reading, published = threading.Event(), threading.Event()
    problems: list[Exception] = []
    metric = next(metric for metric in CATALOGUE.metrics if metric.name == "oneiric_lifecycle_instances")

    def gauges() -> dict[str, dict[LabelSet, float]]:
        instances = 2.0
        if threading.current_thread() is slow:
            instances = 1.0
            reading.set()
            published.wait(0.5)  # for ever, where the other one waits for us
        return {metric.name: {("adapter",): instances}}

    sharing = Sharing(
        tmp_path,
        {metric.name: metric},
        budget=10,
        interval=3600.0,
        alone=lambda work: work(),
        gauges=gauges,
        full=lambda: None,
        failed=problems.append,
    )
    slow = threading.Thread(target=sharing.publish)
    slow.start()
    assert reading.wait(120)
    sharing.publish()
    published.set()
    slow.join()
    assert [list(cell.record.numbers) for cell in sharing._published.values()] == [[2.0]]
    assert not problems


def test_attaching_and_detaching_leaks_nothing(tmp_path: Path) -> None:
    """After 20 times there are no more descriptors and threads than before, and few files; no count is lost."""
    resolver = Resolver()
    resolver.register(Candidate(domain="adapter", key="cache", provider="redis", factory=dict))

    def once() -> list[float]:
        with attach(resolver, shared_dir=tmp_path, shared_interval=0.01) as telemetry:
            resolver.resolve("adapter", "cache")
            return [value for _, value in telemetry.samples()[NAME]]

    def held() -> list[int]:
        return [len(list(Path("/proc/self", of).iterdir())) for of in ("fd", "task")]

    once()
    before = held()
    totals = [once() for _ in range(20)]
    assert totals == [[number + 2.0] for number in range(20)]
    # what other tests left behind may end meanwhile
    eventually(lambda: all(map(le, held(), before)), what="no more descriptors and threads than before")
    assert len(list(tmp_path.iterdir())) < MAX_ENDED + 5
