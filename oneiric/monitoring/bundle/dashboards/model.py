"""What dashboards are made of, before it is written for Grafana: queries, panels, rows, variables."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from oneiric.monitoring.bundle.dashboards.foreign import described
from oneiric.observability.catalogue import CATALOGUE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from oneiric.monitoring.promql import Expr

PanelKind = Literal["stat", "lines", "bars", "table", "states", "heatmap", "gauges", "logs", "alerts"]
Color = Literal["green", "yellow", "orange", "red", "blue", "purple", "text"]

GRID_COLUMNS = 24
HELP = {metric.name: metric.help for metric in CATALOGUE.metrics}


class DashboardError(ValueError):
    """A dashboard contradicts itself; the text names it and what is wrong."""


@dataclass(frozen=True, slots=True)
class Query:
    """A query of Prometheus.

    Attributes:
        expr: What is asked.
        legend: The name of a series in Grafana's template (``{{label}}``); of a table, its column, "" for one that
            only brings its labels.
        unit: The unit of a table's column, where it is not the panel's.
        words: What a column's values mean, where they are few.
        limits: The colours of a column, from the smallest value up.
    """

    expr: Expr
    legend: str
    unit: str = ""
    words: Mapping[int, tuple[str, Color]] = field(default_factory=dict)
    limits: tuple[Limit, ...] = ()


@dataclass(frozen=True, slots=True)
class Limit:
    """The colour of values from *value* up (None: of the smallest)."""

    value: float | None
    color: Color


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel.

    Attributes:
        title: Short, and the only one of its dashboard.
        question: What whoever looks at it wants to know, as a question.
        kind: How it is drawn.
        unit: Grafana's name of the unit.
        queries: What it asks Prometheus.
        logs: What it asks Loki, for kind ``logs``.
        limits: Colours by value; where lines are drawn, the thresholds among them too.
        words: What values mean, where they are few.
        alerts: The alerts that fire of what it shows; their runbooks are linked.
        stacked: Whether series are stacked.
        highest: The end of the axis, where there is one.
        descending: Whether a table begins with the greatest value of its first query, else with the smallest.
        width: In columns of the grid, of which there are 24.
        height: In rows of the grid.
    """

    title: str
    question: str
    kind: PanelKind
    unit: str = "short"
    queries: tuple[Query, ...] = ()
    logs: str = ""
    limits: tuple[Limit, ...] = ()
    words: Mapping[int, tuple[str, Color]] = field(default_factory=dict)
    alerts: tuple[str, ...] = ()
    stacked: bool = False
    highest: float | None = None
    descending: bool = False
    width: int = 8
    height: int = 8

    @property
    def number(self) -> int:
        """The panel's id: it stays while the title does, wherever the panel goes."""
        return zlib.crc32(self.title.encode()) % 1_000_000 + 1

    @property
    def metrics(self) -> frozenset[str]:
        """Names of the catalogue's metrics that it shows."""
        return frozenset().union(*(query.expr.metrics for query in self.queries))

    @property
    def description(self) -> str:
        """The help of the metrics that it shows."""
        helps = {name: HELP[name] for query in self.queries for name in sorted(query.expr.metrics)}
        helps |= described(query.expr.text for query in self.queries)
        if len(helps) == 1:
            return next(iter(helps.values()))
        return "\n".join(f"- `{name}`: {text}" for name, text in helps.items()) or self.question


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under a heading; *collapsed* ones are opened by hand."""

    title: str
    panels: tuple[Panel, ...]
    collapsed: bool = False


@dataclass(frozen=True, slots=True)
class Variable:
    """What a user chooses of a dashboard: values of *label*, asked by the query *values*."""

    label: str
    values: str


@dataclass(frozen=True, slots=True)
class Board:
    """A dashboard."""

    uid: str
    title: str
    description: str
    variables: tuple[Variable, ...]
    rows: tuple[Row, ...]

    def __post_init__(self) -> None:
        numbers = [panel.number for panel in self.panels]
        if len({*numbers}) < len(numbers):
            raise DashboardError(f"{self.uid}: two panels have the same title or id")

    @property
    def panels(self) -> tuple[Panel, ...]:
        """Every panel, in order."""
        return tuple(panel for row in self.rows for panel in row.panels)


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is on the grid."""

    x: int
    y: int
    width: int
    height: int


def placed(board: Board) -> Iterator[tuple[Row, Place, tuple[tuple[Panel, Place], ...]]]:
    """Return each row and its panels with their places: panels fill a line from the left, then the next line."""
    y = 0
    for row in board.rows:
        head = Place(0, y, GRID_COLUMNS, 1)
        panels = tuple(_flowing(row.panels, y + 1))
        y = y + 1 if row.collapsed else max(place.y + place.height for _, place in panels)
        yield row, head, panels


def _flowing(panels: tuple[Panel, ...], y: int) -> Iterator[tuple[Panel, Place]]:
    x = tallest = 0
    for panel in panels:
        if x + panel.width > GRID_COLUMNS:
            x, y, tallest = 0, y + tallest, 0
        yield panel, Place(x, y, panel.width, panel.height)
        x, tallest = x + panel.width, max(tallest, panel.height)
