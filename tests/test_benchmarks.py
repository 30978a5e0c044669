"""The benchmarks: that each row is measured, and that what is printed says what was; no figure is asserted."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks._report import Result, Row, Standing, table
from benchmarks.soak import SAMPLES, Sample, grown

ROOT = Path(__file__).parents[1]
JUDGED = {
    "added-prometheus": (1 / 6, 1 / 10),
    "added-opentelemetry": (1 / 25, 1 / 40),
    "added-pair": (6, 3),
    "resolve-50": (1.1, 1.0),
    "swap": (3, 2),
    "line": (1 / 3, 1 / 6),
    "exposition": (1 / 10, 1 / 25),
    "paced": (2, 1.2),
    "memory-counter": (2 / 3, 1 / 3),
    "memory-histogram": (2 / 3, 1 / 3),
    "import": (4, 2),
    "help": (1.5, 1.2),
    "status": (2, 1.5),
}
"""What has to be reached, and what is aimed at, by the row that shows it."""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Return how ``python -m benchmarks`` ended and what it printed."""
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def row(*, at_least: float | None = 2, aim: float | None = 1.2) -> Row:
    """Return a row."""
    return Row(name="row", what="this vs that", at_least=at_least, aim=aim)


@pytest.mark.slow
def test_every_row_is_measured() -> None:
    """The quick form produces every row, those that are judged first, each with the limits that it is held to."""
    done = run("--quick", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    rows = json.loads(done.stdout)["rows"]
    assert {row["name"]: (row["at_least"], row["aim"]) for row in rows[: len(JUDGED)]} == JUDGED
    assert all(row["at_least"] is None for row in rows[len(JUDGED) :])
    assert all(row["rounds"] > 1 and math.isfinite(row["median"]) for row in rows)


@pytest.mark.slow
def test_a_soak_runs_to_its_end() -> None:
    """Its quick form starts what is required, swaps, and shows a line for each twentieth of the time."""
    options = ["--minutes", "0.1", "--rate", "100", "--components", "50", "--candidates", "200"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.soak", *options], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "50 of 50 active" in done.stdout
    assert len(re.findall(r"^ +\d+ +\d+ +[\d.]+ ms +[\d.]+ MiB +\d+ +\d+$", done.stdout, re.MULTILINE)) == 20
    assert done.stdout.endswith("nothing grew\n")


@pytest.mark.parametrize(
    ("field", "size", "grew"),
    [("memory", 9 * 1024 * 1024, 1), ("threads", 1, 1), ("descriptors", 1, 1), ("memory", 9, 0)],
)
def test_a_soak_tells_what_grew(field: str, size: int, grew: int) -> None:
    """More memory, a thread or a descriptor that stays after the warm-up is growth; some bytes are not."""
    samples = [Sample(float(number), number, 0, 5, 20, 0.0) for number in range(SAMPLES + 1)]
    later = [one._replace(**{field: getattr(one, field) + size}) for one in samples[SAMPLES // 2 :]]
    assert grown(samples) == []
    assert len(grown([*samples[: SAMPLES // 2], *later])) == grew


def test_rows_are_selected_by_name() -> None:
    """Only what is asked for is measured and printed, under a header with the interpreter and the peers."""
    done = run("--quick", "resolve-50", "resolve-observer")
    assert (done.returncode, done.stderr) == (0, "")
    header, _, body = done.stdout.partition("\n\n")
    assert {line.partition(":")[0] for line in header.splitlines()} == {
        "interpreter",
        "machine",
        "opentelemetry-sdk",
        "prometheus-client",
        "structlog",
        "typer",
    }
    assert re.findall(r"^\| (\S+)", body, re.MULTILINE) == ["row", "resolve-50", "resolve-observer"]


def test_a_row_that_does_not_exist_is_refused() -> None:
    """A wrong name ends the program with 2 and says which one was wrong, before anything is measured."""
    done = run("resolve-50", "reslove-50")
    assert (done.returncode, done.stdout) == (2, "")
    assert "no such row: reslove-50" in done.stderr


@pytest.mark.parametrize(
    ("median", "stands"),
    [(1.19, "aim reached"), (1.204, "aim reached"), (1.21, "reached"), (2.0, "reached"), (2.01, "not reached")],
)
def test_the_median_is_judged(median: float, stands: Standing) -> None:
    """The median of the rounds stands where its printed figure stands, whatever the extremes are."""
    assert Result(row(), [0.1, median, 100.0]).stands == stands


def test_a_row_without_limits_only_informs() -> None:
    """What is held to nothing is not judged."""
    assert Result(row(at_least=None, aim=None), [1.0]).stands == ""


def test_the_table_shows_ratios() -> None:
    """A ratio clearly below 1 is printed as a fraction, others as a multiple; limits have no digits to spare."""
    results = [
        Result(row(), [1.5, 2.5, 0.9]),
        Result(row(at_least=1 / 6, aim=1 / 10), [1 / 8, 1 / 12, 1 / 4]),
    ]
    assert table(results).splitlines() == [
        "| row | what         | reached | min..max       | at least | aim   | where it stands |",
        "|-----|--------------|---------|----------------|----------|-------|-----------------|",
        "| row | this vs that | 1.50 x  | 0.90 x..2.50 x | 2 x      | 1.2 x | reached         |",
        "| row | this vs that | 1/8.0   | 1/12.0..1/4.0  | 1/6      | 1/10  | reached         |",
    ]
