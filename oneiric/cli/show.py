"""How answers look: tables and colours on a terminal, plain lines everywhere else."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

COLUMNS = 80
"""Width that texts are made for."""
STYLES = {
    "active": "green",
    "ready": "green",
    "healthy": "green",
    "paused": "yellow",
    "draining": "yellow",
    "pending": "yellow",
    "unresolved": "red",
    "failed": "red",
    "unhealthy": "red",
}
"""Colours of words that stand alone in a cell."""


def on_terminal() -> bool:
    """Return whether somebody reads standard output in a terminal."""
    return sys.stdout.isatty()


def lines(texts: Iterable[str]) -> None:
    """Print *texts*, a line each; nothing of none."""
    for text in texts:
        typer.echo(text)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], plain: Iterable[str]) -> None:
    """Print *rows* below *columns* on a terminal, and elsewhere the lines *plain*, which others may read."""
    if not on_terminal():
        lines(plain)
        return
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415 - on a terminal only
    from rich.console import Console  # noqa: PLC0415 - likewise
    from rich.table import Table  # noqa: PLC0415 - likewise
    from rich.text import Text  # noqa: PLC0415 - likewise

    drawn = Table(title=title, title_justify="left", box=SIMPLE_HEAD, title_style="bold", pad_edge=False)
    for column in columns:
        drawn.add_column(column, overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(_cell(value), style=STYLES.get(_cell(value), "")) for value in row))
    Console().print(drawn)


def word(text: str) -> str:
    """Return *text* in its colour on a terminal."""
    return coloured(text, STYLES.get(text))


def coloured(text: str, colour: str | None) -> str:
    """Return *text* in *colour* on a terminal, unless ``NO_COLOR`` asks for none (no-color.org)."""
    if colour is None or not on_terminal() or os.environ.get("NO_COLOR"):
        return text
    return typer.style(text, fg=colour)


def size(count: float) -> str:
    """Return *count* bytes as a text in binary units."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:  # noqa: PLR2004 - what a unit has of the smaller one
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"


def age(seconds: float) -> str:
    """Return *seconds* as a text in the largest unit that is not less than one."""
    for limit, divisor, unit in ((60, 1, "s"), (3600, 60, "min"), (86_400, 3600, "h")):
        if seconds < limit:
            return f"{seconds / divisor:.0f} {unit}"
    return f"{seconds / 86_400:.0f} d"


def milliseconds(value: float | None) -> str:
    """Return a duration in ms as a text, "-" for none."""
    return "-" if value is None else f"{value:.1f} ms"


def _cell(value: object) -> str:
    return "-" if value is None or value == "" else str(value)
