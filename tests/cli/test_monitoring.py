"""The commands below `oneiric monitoring` with ``--json``: one document, of the shape that its golden file has."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from shapes import compare
from typer.testing import CliRunner

from oneiric.cli.app import app

if TYPE_CHECKING:
    from pathlib import Path

BROKEN = "groups:\n- name: extra\n  rules:\n  - record: level:extra:sum\n    expr: oneiric_nothing\n"


def answer(*arguments: str, code: int = 0) -> dict[str, Any]:
    """Return the document that the command prints, with nothing on standard error."""
    done = CliRunner().invoke(app, ["monitoring", *arguments, "--json"])
    assert (done.exit_code, done.stderr) == (code, "")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_shape_of_an_export(tmp_path: Path) -> None:
    """The document names the directory, every file below it, what goes into other files, and what is left open."""
    found = answer("export", "--out", str(tmp_path), "--merge")
    assert found["files"] == sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    shown = {"out": found["out"] == str(tmp_path), "files": found["files"][:1], "merge": found["merge"] != ""}
    compare("monitoring-export", found | shown)


def test_the_shape_of_a_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The document has the findings, and how many of each level there are."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rules.yml").write_text(BROKEN, encoding="utf-8")
    found = answer("check", code=1)
    compare("monitoring-check", found | {"notices": []})  # of validators that are not there


def test_the_shape_of_the_list_of_drills() -> None:
    """The document has every incident with its alerts."""
    found = answer("drill", "--list")
    compare("monitoring-drills", found | {"drills": found["drills"][:1]})


@pytest.mark.slow
def test_the_shape_of_a_drill() -> None:
    """What happens is an object a line: when, of which kind, and its lines."""
    command = [sys.executable, "-m", "oneiric", "monitoring", "drill", "swap-failures", "--seconds", "3", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.returncode, done.stderr) == (0, "")
    assert {tuple(record) for record in records} == {("schema_version", "seconds", "kind", "lines")}
    assert records[-1]["lines"] == ["swap-failures: rehearsed"]


def test_an_error_is_an_object() -> None:
    """With --json what cannot be done is said in one object on standard error, with the exit code."""
    command = [sys.executable, "-m", "oneiric", "monitoring", "drill", "swap-failure", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stdout) == (2, "")
    compare("error-drill", json.loads(done.stderr))
