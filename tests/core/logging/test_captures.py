"""Warnings and uncaught errors: lines among the lines, and nothing in between."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import warnings
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from processes import PROGRAMS

from oneiric.core.logging import configure_logging

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = PROGRAMS / "log_captures.py"


@cache
def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Return how the program ended, and what it printed."""
    command = [sys.executable, "-W", "default", str(PROGRAM), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def shown(line: dict[str, Any]) -> tuple[str, ...]:
    """Return what says which line it is."""
    return line["logger"], line["level"], line["event"].partition("\n")[0], line.get("error_type", "")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("warning", ("py.warnings", "warning", "100% old, token=***", "")),
        ("error", ("py.uncaught", "critical", "uncaught exception", "ValueError")),
        ("interrupt", ("py.uncaught", "warning", "uncaught exception", "KeyboardInterrupt")),
        ("thread", ("py.uncaught", "error", "uncaught exception in a thread", "ValueError")),
        ("finaliser", ("py.uncaught", "error", "exception ignored", "ValueError")),
        ("task", ("asyncio", "error", "Task exception was never retrieved", "ValueError")),
    ],
)
def test_what_python_reports_is_a_line(what: str, expected: tuple[str, ...]) -> None:
    """Standard error holds one JSON line and nothing else."""
    (line,) = map(json.loads, run(what).stderr.splitlines())
    assert shown(line) == expected
    assert ("boom" in line["exception"]) is (expected[3] == "ValueError") if "exception" in line else what == "warning"


def test_a_thread_that_exits_is_no_error() -> None:
    """SystemExit in a thread is silent, as it was."""
    assert run("thread_exit").stderr == ""


def test_the_exit_code_stays() -> None:
    """A program that ends with an error ends with 1."""
    assert run("error").returncode == 1


def test_whoever_sits_at_the_terminal_sees_why_a_program_ended(tmp_path: Path) -> None:
    """Where lines go to a file only, the error is in the file and Python prints its traceback too."""
    done = run("error", str(tmp_path / "log"))
    (line,) = map(json.loads, (tmp_path / "log").read_text().splitlines())
    assert (shown(line)[2:], done.stderr.splitlines()[-1]) == (("uncaught exception", "ValueError"), "ValueError: boom")


@pytest.mark.slow
@pytest.mark.parametrize("what", ["warning", "error", "thread", "finaliser"])
def test_capturing_can_be_turned_off(what: str, tmp_path: Path) -> None:
    """With the settings off Python reports in its own words, and nothing is logged."""
    done = run(what, str(tmp_path / "log"), "off")
    assert (bool(done.stderr), (tmp_path / "log").read_text()) == (True, "")


def test_a_hook_of_the_host_is_called() -> None:
    """An error reporter that was there before is told of the error, beside the line."""
    done = run("host_hook")
    assert (done.stdout, json.loads(done.stderr)["error"]) == ("the host's\n", "boom")


def test_the_hooks_are_given_back() -> None:
    """Where logging is suppressed, the hooks are those from before, however often it was configured."""

    def hooks() -> tuple[object, ...]:
        return sys.excepthook, threading.excepthook, sys.unraisablehook, warnings.showwarning

    with warnings.catch_warnings():
        configure_logging(suppress_events=True)
        before = hooks()
        configure_logging()
        configure_logging()
        assert [one is two for one, two in zip(before, hooks(), strict=True)] == [False] * 4
        configure_logging(suppress_events=True)
        assert hooks() == before
