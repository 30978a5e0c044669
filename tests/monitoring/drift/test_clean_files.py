"""A dozen files of a user's own, in styles of their own, that are right: nothing is found in any."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from drift_seeds import SURFACE
from processes import executable

from oneiric.monitoring.drift import Options, check

if TYPE_CHECKING:
    from oneiric.monitoring.drift import Finding

FILES = Path(__file__).parent / "clean"
"""Each has ``.in`` behind its name, so that a check of this repository does not take it for one of the repository's."""

NAMES = sorted(path.relative_to(FILES).as_posix().removesuffix(".in") for path in FILES.rglob("*.in"))
OPTIONS = Options(surface=SURFACE, is_validated=True)

pytestmark = pytest.mark.prometheus


def wrong(directory: Path, *names: str) -> list[Finding]:
    """Return what is found in the files *names*, put into *directory*, with promtool and amtool."""
    executable("promtool", package="prometheus")
    executable("amtool", package="prometheus-alertmanager")
    for name in names:
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(FILES / f"{name}.in", directory / name)
    return list(check([directory], OPTIONS).findings)


def test_there_are_a_dozen() -> None:
    """The files are there."""
    assert len(NAMES) >= 12


@pytest.mark.parametrize("name", NAMES)
def test_a_right_file_has_no_finding(name: str, tmp_path: Path) -> None:
    """Neither an error nor a warning nor a note is found in what is right."""
    assert wrong(tmp_path, name) == []


def test_right_files_have_no_finding_together(tmp_path: Path) -> None:
    """Nor are they wrong beside each other."""
    assert wrong(tmp_path, *NAMES) == []
