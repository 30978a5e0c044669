"""The part of the guide to the dashboards that is made of them: what each panel answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.monitoring.bundle.dashboards.boards import boards
from oneiric.monitoring.bundle.output import MARKDOWN_NOTICE

if TYPE_CHECKING:
    from oneiric.monitoring.bundle.dashboards.model import Board, Panel
    from oneiric.monitoring.config import BundleConfig

INTRODUCTION = """\
What each panel of the [dashboards](GRAFANA_DASHBOARDS.md) answers, row by row, and the runbooks it links. In Grafana,
the *i* beside a panel's title explains the metrics that it shows."""


def panels_page(config: BundleConfig) -> str:
    """Return the page of what every panel answers, as Markdown."""
    sections = "\n\n".join(_section(board) for board in boards(config))
    return f"{MARKDOWN_NOTICE}\n# Panels of the dashboards\n\n{INTRODUCTION}\n\n{sections}\n"


def _section(board: Board) -> str:
    rows = "\n".join(_line(row.title, panel) for row in board.rows for panel in row.panels)
    head = "| row | panel | what it answers | runbooks |\n| --- | --- | --- | --- |"
    return f"## {board.title}\n\n`{board.uid}`: {board.description}\n\n{head}\n{rows}"


def _line(row: str, panel: Panel) -> str:
    runbooks = ", ".join(f"[{name}](../runbooks/ALERTS.md#{name.lower()})" for name in panel.alerts)
    return f"| {row} | {panel.title} | {panel.question} | {runbooks} |"
