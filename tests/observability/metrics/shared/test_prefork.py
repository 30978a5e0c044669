"""Several processes of one service: whoever is scraped shows the exact totals of all, the killed ones included."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from processes import run_program

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow  # each starts processes


def in_processes(scenario: str, directory: Path) -> Any:
    """Run *scenario* of the program and return what it printed as JSON."""
    ended = run_program("prefork.py", scenario, str(directory), timeout=300)
    assert (ended.returncode, "Traceback" in ended.stderr) == (0, False), ended.stderr[-3000:]
    return json.loads(ended.stdout)


@pytest.mark.slow
def test_totals_are_exact_after_a_worker_is_killed_while_it_writes(tmp_path: Path) -> None:
    """20 times, one of four workers is killed in a loop of resolutions: nothing that it acknowledged is lost.

    It may have counted one resolution more than it acknowledged. The others' counts are exact, and in every series
    buckets, count and counter agree but for the one in flight.
    """
    rounds = in_processes("killed_worker", tmp_path)
    for found in rounds:
        assert found["errors"] == []
        killed, total, count = found["acknowledged"][3], found["total"], found["count"]
        assert {key: total[key] for key in ("w0", "w1", "w2")} == {"w0": 300, "w1": 301, "w2": 302}
        assert killed <= count["w3"] <= total["w3"] <= killed + 1
        assert {key: count[key] for key in ("w0", "w1", "w2")} == {"w0": 300, "w1": 301, "w2": 302}
        assert found["bucket"] == count
    assert len(rounds) == 20


def test_a_forked_child_counts_in_a_file_of_its_own(tmp_path: Path) -> None:
    """A child that inherits a telemetry starts from zero, and its parent's file is as it was."""
    found = in_processes("forked_child", tmp_path)
    assert found == [{"cache": 8}, 2]


def test_a_child_that_counts_nothing_leaves_no_file(tmp_path: Path) -> None:
    """Forking alone makes no file."""
    found = in_processes("idle_child", tmp_path)
    assert found == 1


def test_a_corrupt_file_is_reported_and_skipped(tmp_path: Path) -> None:
    """With two damaged files the counts of all others are exact, and each scrape reports each of them once."""
    found = in_processes("corrupt_file", tmp_path)
    assert found == [{"w0": 10, "w2": 12}, [], [[{"collector": "shared_dir"}, 2.0]]]


def test_a_living_worker_survives_whatever_is_done_to_its_file(tmp_path: Path) -> None:
    """A worker whose file is cut short, overwritten or removed goes on, and its whole count is there again soon."""
    found = in_processes("damaged_file", tmp_path)
    assert found == [2, 3, 4]


def test_gauges_of_living_processes_are_merged(tmp_path: Path) -> None:
    """Sums, extremes and infos of the processes that live are shown, those of ended ones are not."""
    found = in_processes("merged_gauges", tmp_path)
    assert found == [
        [[10.0], [0.0], [300.0], [1.0]],
        [[5.0], [1.0], [200.0], [1.0]],
        [[], [], [], []],
    ]


@pytest.mark.parametrize(
    ("scenario", "total"), [("archived", 140), pytest.param("archived_often", 420, marks=pytest.mark.slow)]
)
def test_ended_processes_are_archived_exactly_once_under_scrapes(scenario: str, total: int, tmp_path: Path) -> None:
    """While workers come and go and three processes scrape, no total ever falls, and few files are left."""
    found = in_processes(scenario, tmp_path)
    assert found == [{"cache": total}, True, True]


@pytest.mark.slow
def test_whoever_archives_may_be_killed_at_any_step(tmp_path: Path) -> None:
    """Killed at its first, second, ... last operation on the directory, it has lost no count, and doubled none."""
    found = in_processes("killed_archivist", tmp_path)
    assert found == [[], True, True]


def test_a_service_begins_anew_where_it_says_so(tmp_path: Path) -> None:
    """Counts of an earlier run are kept, until the directory is cleared; what lives, and is not ours, stays."""
    found = in_processes("cleared", tmp_path)
    assert found == [{"cache": 21}, {"cache": 1}, [".lock", "notes.txt"]]


def test_a_removed_component_is_shown_while_another_process_has_it(tmp_path: Path) -> None:
    """Unregistering removes the series of this process only."""
    found = in_processes("removed_component", tmp_path)
    assert found == [{"cache": 2}, {"cache": 1}, {"cache": 1}]


def test_sum_and_buckets_agree_in_every_scrape(tmp_path: Path) -> None:
    """While a worker counts as fast as it can, what another process reads of a histogram is of one instant."""
    found = in_processes("busy_histogram", tmp_path)
    assert found == [0, []]


def test_handlers_and_finalisers_may_count(tmp_path: Path) -> None:
    """What interrupts counting counts too, new label sets included, and is in the directory soon."""
    found = in_processes("interrupted", tmp_path)
    assert found == [0, 0]


def test_threads_lose_nothing(tmp_path: Path) -> None:
    """Eight threads that are switched after every microsecond are counted exactly."""
    found = in_processes("hasty_threads", tmp_path)
    assert found == {"cache": 4000}
