"""Saves of settings files: read once they are over, and not where they left nothing."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from oneiric.core.config import SettingsError, file_versions, require_content, settled_versions

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(("saves", "settles"), [(0, True), (3, True), (1000, False)])
def test_a_save_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, saves: int, settles: bool) -> None:
    """The versions are those after the last change; of a file that goes on changing there are none."""
    file = tmp_path / "own.yaml"
    written: list[str] = []
    file.write_text("a")

    def sleep(_: float) -> None:
        if len(written) < saves:
            written.append("a" * (len(written) + 2))
            file.write_text(written[-1])

    monkeypatch.setattr(time, "sleep", sleep)
    found = settled_versions([file])
    assert found == (file_versions([file]) if settles else None)
    assert not settles or len(written) == saves


def test_a_file_that_lost_its_content_is_refused(tmp_path: Path) -> None:
    """A file that had content must have some; one that is new, was empty before or is gone need not."""
    full, empty, absent = (tmp_path / name for name in ("full", "empty", "absent"))
    full.write_text("a")
    empty.touch()
    before = file_versions([full, empty, absent])
    absent.touch()
    require_content([full, empty, absent], before)
    full.write_text("")
    with pytest.raises(SettingsError, match="full: is empty"):
        require_content([full, empty, absent], before)
    full.unlink()
    require_content([full, empty, absent], before)
