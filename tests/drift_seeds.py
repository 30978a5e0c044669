"""What the tests of the drift check share: the real bundle in a directory, and defects put into it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from bundles import exported

from oneiric.cli.app import app
from oneiric.cli.surface import surface
from oneiric.monitoring.bundle import write
from oneiric.monitoring.bundle.runbooks import runbook_page
from oneiric.monitoring.config import configured
from oneiric.monitoring.drift import Options, check
from oneiric.monitoring.drift.findings import read_policy
from oneiric.monitoring.drift.findings.policy import FILE

if TYPE_CHECKING:
    from collections.abc import Iterable

MARK = "«"
"""Stands before the character that a finding is told at."""

SETTINGS = ("docs_url=https://docs.example",)
CONFIG = configured(SETTINGS)
"""What the bundle is for."""

SURFACE = surface(typer.main.get_command(app), "oneiric")
POLICY = read_policy(Path(__file__).parents[1] / FILE)
OPTIONS = Options(surface=SURFACE, policy=POLICY)

Found = list[tuple[str, int, int, str]]


def write_bundle(directory: Path, *, below: str = "") -> None:
    """Write what of the bundle is *below* that path, and the runbooks that its alerts link to, into *directory*."""
    write({path: text for path, text in exported(SETTINGS).items() if path.startswith(below)}, directory)
    write({"docs/runbooks/ALERTS.md": runbook_page(CONFIG)}, directory)


def found(path: Path, options: Options = OPTIONS, *, root: Path | None = None) -> Found:
    """Return path, line, column and code of what is found in *path*; paths are relative to *root*, or else to it."""
    return found_in([path], root or path, options)


def found_in(paths: Iterable[Path], root: Path, options: Options = OPTIONS) -> Found:
    """Return path, relative to *root*, line, column and code of what is found in *paths*."""
    return [
        (Path(one.path).relative_to(root).as_posix(), one.line, one.column, one.code)
        for one in check(paths, options).findings
    ]


def marked(text: str) -> tuple[str, int, int]:
    """Return *text* without its mark, and the line and the column of the mark."""
    before, mark, after = text.partition(MARK)
    assert mark
    assert MARK not in after
    return before + after, before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


@dataclass(frozen=True)
class Seed:
    """A defect: in the file *path* of the bundle *old* becomes *new*; without *old*, *new* is a file of its own."""

    code: str
    path: str
    new: str
    old: str = ""

    def sown(self, directory: Path, beside: Iterable[str] = ("",)) -> Found:
        """Return what is found with the defect, after which everything is as before, and expect it at the mark.

        The file is checked together with the paths *beside* it, or else with all of *directory*.
        """
        path = directory / self.path
        before = path.read_text(encoding="utf-8") if self.old else None
        assert before is None or self.old in before
        text, line, column = marked(self.new if before is None else before.replace(self.old, self.new, 1))
        path.write_text(text, encoding="utf-8")
        try:
            all_found = found_in([*(directory / one for one in beside), path], directory)
            return [one if one != (self.path, line, column, self.code) else EXPECTED for one in all_found]
        finally:
            if before is None:
                path.unlink()
            else:
                path.write_text(before, encoding="utf-8")


EXPECTED = ("the finding", 0, 0, "where the mark is")
"""Stands for the finding that a seed expects."""
