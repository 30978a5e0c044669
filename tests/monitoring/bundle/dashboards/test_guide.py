"""The guide to the dashboards: what it says of the panels, and its pictures."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from documents import ROOT

from oneiric.monitoring.bundle.dashboards import panels_page
from oneiric.monitoring.bundle.dashboards.boards import boards
from oneiric.monitoring.config import BundleConfig

if TYPE_CHECKING:
    from oneiric.monitoring.bundle.dashboards.model import Row

DOCUMENTS = ROOT / "docs" / "monitoring"
GUIDE = (DOCUMENTS / "GRAFANA_DASHBOARDS.md").read_text(encoding="utf-8")
KILOBYTES = 250


def test_every_panel_is_on_the_page_of_panels() -> None:
    """The page that is committed says of each panel of each dashboard what it answers."""
    page = (DOCUMENTS / "PANELS.md").read_text(encoding="utf-8")
    assert page == panels_page(BundleConfig())
    for board in boards(BundleConfig()):
        for panel in board.panels:
            assert f"| {panel.title} | {panel.question} |" in page


def test_the_guide_has_every_picture_and_they_are_small() -> None:
    """Each picture in the folder is shown, with words for who cannot see it, and none is big."""
    shown = dict(re.findall(r"!\[([^\]]+)\]\(images/([\w-]+\.png)\)", GUIDE))
    pictures = {path.name: path.stat().st_size for path in (DOCUMENTS / "images").glob("*.png")}
    assert {*shown.values()} == pictures.keys()
    assert max(pictures.values()) < KILOBYTES * 1000


def test_the_guide_names_every_dashboard() -> None:
    """Each dashboard stands in the guide's table with its title and uid."""
    for board in boards(BundleConfig()):
        assert f"| {board.title} | `{board.uid}` |" in GUIDE


def test_the_panels_that_the_guide_names_exist() -> None:
    """Each panel or row named in the three nights is one of the dashboards."""
    titles = {title for board in boards(BundleConfig()) for row in board.rows for title in _titles(row)}
    nights = GUIDE.partition("## Three nights")[2].partition("\n## ")[0]
    named = [" ".join(name.split()) for name in re.findall(r"(?<!\*)\*([A-Z][^*]+)\*", nights)]
    assert len(named) > 5
    assert {*named} <= titles


def _titles(row: Row) -> tuple[str, ...]:
    return (row.title, *(panel.title for panel in row.panels))
