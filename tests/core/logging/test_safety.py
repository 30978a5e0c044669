"""Logging from where little is allowed: signal handlers, finalisers, forked children, interrupts."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from processes import PROGRAMS

if TYPE_CHECKING:
    from pathlib import Path

DEADLINE = 300
"""Seconds after which a program that hangs has failed."""


def run(scenario: str, target: Path, *arguments: str) -> tuple[str, list[dict[str, Any]]]:
    """Run *scenario* with its standard error piped into *target*, and return what it printed and logged."""
    program = str(PROGRAMS / "log_safety.py")
    command = [sys.executable, "-W", "ignore::DeprecationWarning", program, scenario, *arguments]
    with target.open("wb") as file, subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=file) as copy:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=copy.stdin, text=True, check=False, timeout=DEADLINE
        )
        copy.communicate(timeout=DEADLINE)
    assert done.returncode == 0, target.read_text()[-2_000:]
    return done.stdout.strip(), [json.loads(line) for line in target.read_text().splitlines()]


@pytest.mark.slow
def test_a_signal_handler_may_log(tmp_path: Path) -> None:
    """Hundreds of signals that come while the main thread logs cost no line of either, new sets of names too."""
    printed, lines = run("signals", tmp_path / "log")
    events = Counter(line["event"] for line in lines)
    seen, main, flushed, dropped = printed.split()
    assert (flushed, dropped) == ("True", "0")
    assert (events["signal"], events["main"]) == (int(seen), int(main))
    numbers = [line["n"] for line in lines if line["event"] == "main"]
    assert numbers == sorted(numbers)


@pytest.mark.slow
def test_an_interrupt_leaves_no_lock_behind(tmp_path: Path) -> None:
    """However often Ctrl-C strikes in the middle of logging, the lines after it are written."""
    printed, _ = run("interrupts", tmp_path / "unused", str(tmp_path / "log"))
    last = (tmp_path / "log").read_text().splitlines()[-1]
    assert (printed, json.loads(last)["event"]) == ("True", "after")


@pytest.mark.slow
def test_finalisers_and_the_garbage_collector_may_log(tmp_path: Path) -> None:
    """What is collected in the middle of logging logs each its line."""
    printed, lines = run("finalisers", tmp_path / "log")
    assert printed == "True 0"
    finalised = [line["n"] for line in lines if line["event"] == "finaliser"]
    assert sorted(finalised) == list(range(1000))
    assert [line["n"] for line in lines if line["event"] == "main"] == list(range(1000))


@pytest.mark.slow
def test_children_forked_while_threads_log_write_their_own_lines(tmp_path: Path) -> None:
    """None of 300 hangs, each writes its three lines once, and none of the parent's."""
    printed, lines = run("forks", tmp_path / "log")
    assert printed == "0 0"
    own = Counter((line["child"], line["n"]) for line in lines if line["event"] == "child")
    assert own == {(child, n): 1 for child in range(300) for n in range(3)}
    parents = Counter((line["thread"], line["n"]) for line in lines if line["event"] == "parent")
    assert {*parents.values()} == {1}
