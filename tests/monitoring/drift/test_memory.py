"""What the check holds: one file at a time, however many there are."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

from oneiric.monitoring.drift import check
from oneiric.monitoring.drift.documents import document, survey
from oneiric.monitoring.notation.text import Source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _only_new_objects() -> Iterator[None]:
    """Keep the garbage collector from visiting what was there before the test: that would take most of its time."""
    gc.freeze()
    yield
    gc.unfreeze()


RULE = "  - alert: A{0}\n    expr: sum(oneiric_nothing{0}) > 1\n"
PANEL = '{{"id": {0}, "targets": [{{"expr": "sum(oneiric_nothing{0})"}}]}}'
FILES = 6


def texts() -> int:
    """Return how many texts of files in which something is to be found are held."""
    gc.collect()
    # isinstance() would ask every object of the process for its class, and some that other tests leave raise then.
    held = [one for one in gc.get_objects() if type(one) is Source]
    return sum("oneiric_nothing" in one.text and len(one.text) > 200 for one in held)


def test_files_are_held_one_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a file is judged, no text of another one is held, nor is any when the check has ended."""
    for number in range(FILES):
        rules = "".join(RULE.format(f"{number}x{each}") for each in range(9))
        panels = ", ".join(PANEL.format(each) for each in range(9))
        (tmp_path / f"{number}.yml").write_text(f"groups:\n- name: g{number}\n  rules:\n{rules}", encoding="utf-8")
        (tmp_path / f"{number}.json").write_text(f'{{"uid": "u{number}", "panels": [{panels}]}}', encoding="utf-8")
        (tmp_path / f"{number}.md").write_text("```promql\noneiric_nothing\n```\n" * 9, encoding="utf-8")
    held: list[int] = []
    again = document.read_documents

    def watched(*arguments: object) -> object:
        held.append(texts())
        return again(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(survey, "MAX_HELD", 0)
    monkeypatch.setattr(survey, "read_documents", watched)
    assert len(check([tmp_path]).findings) == 3 * 9 * FILES
    assert len(held) == 2 * 3 * FILES
    assert max(held) <= 3  # the file that is read, and those before it that a loop still names
    assert texts() == 0
