"""The guide on the commands: every example does what the guide says, in its order, on a running service."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import pytest
from documents import COMMANDS, ROOT, fences
from services import running
from typer.main import get_command
from typer.testing import CliRunner

from oneiric.cli import exits
from oneiric.cli.app import app

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow  # each starts processes


def test_every_example_does_what_the_guide_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each ends with 0, or as its comment says, and says what the comment quotes."""
    lines = [line for document, fence in fences("sh") if document == COMMANDS for line in fence.splitlines() if line]
    monkeypatch.chdir(tmp_path)
    with running(tmp_path, runtime={"start": ["adapter/cache"]}) as one:
        for line in lines:
            command, _, comment = line.partition(" # ends with ")
            code, _, said = comment.partition(": ")
            program, *arguments = shlex.split(command)
            done = CliRunner().invoke(app, ["--config", str(one.config), *arguments])
            assert (program, done.exit_code) == ("oneiric", int(code or 0)), (line, done.output)
            if said.startswith("no candidate"):
                assert said in done.stderr


def test_every_command_and_exit_code_is_in_the_guide() -> None:
    """The overview names each command of the command line, and each exit code."""
    overview = (ROOT / COMMANDS).read_text(encoding="utf-8").partition("## Components")[0]
    names = vars(get_command(app))["commands"]
    assert [name for name in names if f"`{name}" not in overview] == []
    codes = [value for name, value in vars(exits).items() if name.isupper()]
    assert [code for code in codes if f"| {code} |" not in overview] == []
