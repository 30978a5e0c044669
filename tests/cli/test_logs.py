"""`oneiric logs`: the lines of a file, its rotated predecessors, standard input and the journal."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from processes import PROGRAMS, eventually
from typer.testing import CliRunner

from oneiric.cli.app import app
from oneiric.cli.loglines import MAX_LINE_BYTES, followed, lines_of, parse_since

if TYPE_CHECKING:
    from pathlib import Path

LINES = [
    {"timestamp": "2026-01-01T10:00:00Z", "level": "debug", "event": "resolver-decision", "domain": "adapter"},
    {"timestamp": "2026-01-01T11:00:00Z", "level": "info", "event": "swap-complete", "domain": "adapter", "key": "a"},
    {"timestamp": "2026-01-01T12:00:00Z", "level": "warning", "event": "swap-failed", "domain": "service", "key": "b"},
    {"timestamp": "2026-01-01T13:00:00Z", "level": "error", "event": "swap-failed", "domain": "adapter", "key": "b"},
]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Write a log of which one file was rotated, and one rotated and compressed."""
    path = tmp_path / "log.jsonl"
    with gzip.open(tmp_path / "log.jsonl.2.gz", "wt", encoding="utf-8") as file:
        file.write(json.dumps(LINES[0]) + "\n")
    path.with_name("log.jsonl.1").write_text(json.dumps(LINES[1]) + "\n", encoding="utf-8")
    path.write_text("".join(json.dumps(line) + "\n" for line in LINES[2:]) + "no JSON\n", encoding="utf-8")
    return path


def shown(log: Path, *options: str) -> list[Any]:
    """Return the lines that the command prints of *log* as JSON Lines."""
    done = CliRunner().invoke(app, ["logs", "--file", str(log), "--json", *options])
    assert (done.exit_code, done.stderr) == (0, "")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert all(line.pop("schema_version") == 1 for line in lines)
    return lines


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), [*LINES, {"text": "no JSON"}]),
        (("-n", "2"), [LINES[3], {"text": "no JSON"}]),
        (("--event", "swap-failed"), LINES[2:]),
        (("--level", "warning"), LINES[2:]),
        (("--domain", "adapter", "--key", "b"), [LINES[3]]),
        (("--since", "2026-01-01T11:30:00+00:00"), LINES[2:]),
        (("--since", "2026-01-01T11:30:00+00:00", "-n", "1"), LINES[3:]),
        (("--since", "2026-01-01T11:00:00Z", "--level", "error"), LINES[3:]),
    ],
)
def test_shows_the_lines_that_are_wanted(log: Path, options: tuple[str, ...], expected: list[Any]) -> None:
    """Lines come oldest first, of rotated files too, and each option leaves out what it does not name."""
    assert shown(log, *options) == expected


def test_writes_lines_for_people(log: Path) -> None:
    """Without --json a line has time, level, event, component, and the other fields."""
    done = CliRunner().invoke(app, ["logs", "--file", str(log), "--event", "swap-complete"])
    assert done.stdout == "2026-01-01T11:00:00Z info swap-complete adapter/a\n"


def test_reads_the_file_of_the_settings(log: Path) -> None:
    """Without --file it is the file that the settings log to."""
    config = log.with_name("oneiric.json")
    config.write_text(json.dumps({"logging": {"sinks": [{"target": "file", "path": str(log)}]}}), encoding="utf-8")
    done = CliRunner().invoke(app, ["--config", str(config), "logs", "--level", "error"])
    assert "swap-failed adapter/b" in done.stdout


def test_reads_standard_input(log: Path) -> None:
    """`-` is standard input."""
    done = CliRunner().invoke(app, ["logs", "--file", "-", "--level", "error"], input=log.read_text(encoding="utf-8"))
    assert done.stdout == "2026-01-01T13:00:00Z error swap-failed adapter/b\n"


def test_reads_the_journal_where_there_is_no_file(log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the settings name no file, journalctl is asked for the unit, and its lines are filtered alike."""
    program = tmp_path / "bin" / "journalctl"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {tmp_path}/asked\ncat {log}\n', encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["logs", "--unit", "shop", "--since", "2026-01-01T12:30:00Z"])
    assert done.stdout == "2026-01-01T13:00:00Z error swap-failed adapter/b\n"
    asked = (tmp_path / "asked").read_text(encoding="utf-8").split()
    assert asked == ["--output=cat", "--no-pager", "--unit=shop", "--since=@1767270600"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--file", "missing.log"), "missing.log: No such file or directory"),
        (("--since", "yesterday"), "--since: 'yesterday' is no time: write 90s, 15m, 2h, 7d, or 2026-01-31T12:00"),
    ],
)
def test_what_cannot_be_read_is_named(
    options: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is not there, and a time that is none, end with 2 and one line."""
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["logs", *options])
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr


def test_times_before_now() -> None:
    """A number with a unit is so long ago."""
    now = datetime(2026, 1, 2, tzinfo=UTC)
    assert [parse_since(text, now).isoformat() for text in ("90s", "15m", "2h", "1d")] == [
        "2026-01-01T23:58:30+00:00",
        "2026-01-01T23:45:00+00:00",
        "2026-01-01T22:00:00+00:00",
        "2026-01-01T00:00:00+00:00",
    ]


def test_a_line_without_end_is_cut(tmp_path: Path) -> None:
    """No line is held in memory beyond its limit."""
    path = tmp_path / "log"
    path.write_bytes(b"x" * (2 * MAX_LINE_BYTES + 1))
    with path.open("rb") as file:
        assert [len(line.text) for line in lines_of(path, file)] == [MAX_LINE_BYTES, MAX_LINE_BYTES, 1]


def test_follows_through_a_rotation(tmp_path: Path) -> None:
    """Lines that are written while it follows are shown, after the file was rotated, and emptied, too."""
    path = tmp_path / "log"
    path.write_text("old\n", encoding="utf-8")
    found: list[str] = []
    ended = threading.Event()

    def follow() -> None:
        with path.open("rb") as file:
            for line in followed(path, file):
                found.append(line.text)
                if line.text == "end":
                    break
        ended.set()

    threading.Thread(target=follow, daemon=True).start()
    append_until(path, found, "first")
    path.replace(tmp_path / "log.1")
    append_until(path, found, "second")
    path.write_text("", encoding="utf-8")
    append_until(path, found, "end")
    assert ended.wait(60)
    assert list(dict.fromkeys(found)) == ["old", "first", "second", "end"]


def append_until(path: Path, found: list[str], text: str) -> None:
    """Append *text* until it is found: when the follower looks is its own affair."""

    def is_found() -> bool:
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{text}\n")
        return text in found

    eventually(is_found, what=text, seconds=60)


def test_following_ends_with_ctrl_c(log: Path) -> None:
    """Ctrl-C ends it as it ends every program, without a traceback."""
    command = [sys.executable, "-m", "oneiric.cli", "logs", "--file", str(log), "--follow"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=PROGRAMS) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert b"resolver-decision" in process.stdout.readline()
        process.send_signal(2)
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (-2, b"")
