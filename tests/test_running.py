"""How the tests are run: what the README's command leaves out, and how it says so."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
SETTINGS = """
[pytest]
addopts = --numprocesses=auto --dist=loadfile
markers = slow: slow
testpaths = tests
"""
SAMPLE = """
import os, pytest

@pytest.mark.slow
def test_slow(): pass

def test_fast(): assert ("PYTEST_XDIST_WORKER" in os.environ) == {shared}
"""
ONLY_XDIST = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "xdist.plugin"}
"""No other plugin takes part in what is tested here."""
HINT = "The slow tests, which measure and stress processes, were left out: uv run pytest --all"


def last_lines(directory: Path, *arguments: str, shared: bool) -> list[str]:
    """Run pytest with our conftest.py on two tests, and return its last two lines."""
    (directory / "pytest.ini").write_text(SETTINGS, encoding="utf-8")
    (directory / "tests").mkdir()
    shutil.copy(TESTS / "conftest.py", directory / "tests")
    (directory / "tests" / "test_sample.py").write_text(SAMPLE.format(shared=shared), encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV"))}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--color=no", *arguments],
        cwd=directory,
        env=environment | {"PYTHONPATH": str(TESTS)} | ONLY_XDIST,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()[-2:]


def test_the_whole_leaves_the_slow_tests_out_and_says_so_last(tmp_path: Path) -> None:
    """`pytest` runs the fast test in a worker, and its last line names the command for the rest."""
    result, last = last_lines(tmp_path, shared=os.cpu_count() != 1)
    assert (" 1 passed" in result, last) == (True, HINT)


@pytest.mark.slow
def test_all_of_it_can_be_run(tmp_path: Path) -> None:
    """`pytest --all` runs both, and has nothing to add."""
    _, last = last_lines(tmp_path, "--all", shared=os.cpu_count() != 1)
    assert " 2 passed" in last


@pytest.mark.parametrize("arguments", [("tests/test_sample.py",), ("tests",)])
def test_what_is_named_runs_whole_in_one_process(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """`pytest tests/test_sample.py` runs the slow test, too, without workers."""
    _, last = last_lines(tmp_path, *arguments, shared=False)
    assert " 2 passed" in last


def test_the_fast_tests_of_a_directory_can_be_chosen(tmp_path: Path) -> None:
    """`pytest tests -m "not slow"` runs the fast test alone, without workers, and has nothing to add."""
    _, last = last_lines(tmp_path, "tests", "-m", "not slow", shared=False)
    assert " 1 passed, 1 deselected" in last


@pytest.mark.slow
def test_what_is_chosen_by_name_or_marker_is_not_cut_down(tmp_path: Path) -> None:
    """`pytest -m slow` runs the slow tests of the whole."""
    _, last = last_lines(tmp_path, "-m", "slow", shared=os.cpu_count() != 1)
    assert " 1 passed" in last


def test_programs_find_what_is_compiled() -> None:
    """Nothing keeps the many interpreters that the tests start from sharing what one of them compiled."""
    assert (sys.dont_write_bytecode, os.environ.get("PYTHONDONTWRITEBYTECODE")) == (False, None)
