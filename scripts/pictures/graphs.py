"""Graphs, state timelines and heatmaps of a panel as SVG."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from typing import Any

from units import DAY, written

COLORS = {
    "green": "#73BF69",
    "yellow": "#F2CC0C",
    "orange": "#FF9830",
    "red": "#F2495C",
    "blue": "#5794F2",
    "purple": "#B877D9",
    "text": "#8e8e94",
}
PALETTE = (
    "#7EB26D",
    "#EAB839",
    "#6ED0E0",
    "#EF843C",
    "#E24D42",
    "#5195CE",
    "#BA43A9",
    "#A27DD8",
    "#C9A04E",
    "#82B5D8",
    "#F29191",
    "#B7DBAB",
)
LEFT, RIGHT, TOP, BOTTOM = 58, 10, 8, 20
TICKS = 4


@dataclass(frozen=True)
class Series:
    """A series by its name in the legend."""

    name: str
    points: list[list[float]]
    color: str

    @property
    def last(self) -> float:
        """The newest value."""
        return self.points[-1][1]

    @property
    def most(self) -> float:
        """The greatest value."""
        return max(value for _, value in self.points)


@dataclass(frozen=True)
class Frame:
    """A graph's size, and the time that it shows."""

    width: float
    height: float
    start: float
    end: float
    step: float

    def x(self, when: float) -> float:
        """Return where *when* is."""
        return LEFT + (when - self.start) / (self.end - self.start) * (self.width - LEFT - RIGHT)

    def y(self, share: float) -> float:
        """Return where the *share* of the axis is."""
        return self.height - BOTTOM - share * (self.height - TOP - BOTTOM)


def color_of(name: str, number: int) -> str:
    """Return the colour of the series *name*: of its meaning where it has one, else the next of the palette."""
    known = {"failed": "red", "success": "green", "invalid": "red", "valid": "green", "mismatched": "red"}
    for word, color in known.items():
        if word in name.split():
            return COLORS[color]
    return PALETTE[number % len(PALETTE)]


def top_of(highest: float, unit: str) -> float:
    """Return where an axis up to *highest* ends, so that each line of the grid is at a round number."""
    if highest <= 0:
        return 1.0
    base = 1.0
    if unit in {"bytes", "Bps"}:
        base = 1024.0 ** math.floor(math.log(highest, 1024)) if highest >= 1 else 1.0
    elif unit == "s" and highest >= DAY:
        base = DAY
    step = highest * 1.02 / base / TICKS
    size = 10 ** math.floor(math.log10(step))
    return next(round_ * size for round_ in (1, 2, 2.5, 5, 10) if round_ * size >= step) * TICKS * base


def lines(panel: dict[str, Any], series: list[Series], frame: Frame, marks: list[dict[str, Any]]) -> str:
    """Return the graph of *panel*, its lines or bars."""
    defaults = panel["fieldConfig"]["defaults"]
    custom = defaults.get("custom", {})
    stacked = custom.get("stacking", {}).get("mode") == "normal"
    bars = custom.get("drawStyle") == "bars"
    limits = [step for step in defaults["thresholds"]["steps"] if step["value"] is not None]
    highest = max((value for one in series for _, value in one.points), default=0)
    if stacked:
        highest = max(_sums(series).values(), default=0)
    drawn = [limit for limit in limits if custom.get("thresholdsStyle") and limit["value"] <= 3 * max(highest, 1e-9)]
    top = defaults.get("max") or top_of(max([highest, *(limit["value"] for limit in drawn)]), defaults["unit"])
    parts = [_axes(frame, top, defaults["unit"]), *(_mark(frame, mark) for mark in marks)]
    below: dict[float, float] = {}
    for one in series:
        if bars:
            parts.append(_bars(one, frame, top, below if stacked else {}))
        else:
            parts.append(_line(one, frame, top, below if stacked else None))
    for limit in drawn:
        y = frame.y(limit["value"] / top)
        parts.append(
            f'<line x1="{LEFT}" x2="{frame.width - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" '
            f'stroke="{COLORS[limit["color"]]}" stroke-dasharray="8 6" stroke-width="1.5"/>'
        )
    return _svg(frame, parts)


def states(panel: dict[str, Any], series: list[Series], frame: Frame) -> str:
    """Return the timeline of *panel*: a row for each series, a bar for each state."""
    words = {
        float(value): found
        for mapping in panel["fieldConfig"]["defaults"].get("mappings", ())
        for value, found in mapping["options"].items()
    }
    wide = min(max([len(one.name) for one in series], default=0) * 6.2 + 14, frame.width / 2.5)
    row = (frame.height - BOTTOM) / max(len(series), 1)
    parts = []
    for number, one in enumerate(series):
        y = number * row
        parts.append(f'<text x="{wide - 8:.0f}" y="{y + row / 2 + 4:.1f}" text-anchor="end">{escape(one.name)}</text>')
        for start, end, value in _runs(one.points, frame.step):
            x1, x2 = (
                wide + (when - frame.start) / (frame.end - frame.start) * (frame.width - wide - RIGHT)
                for when in (start, end)
            )
            found = words.get(value, {"text": f"{value:g}", "color": "blue"})
            parts.append(
                f'<rect x="{x1:.1f}" y="{y + row * 0.1:.1f}" width="{max(x2 - x1, 1):.1f}" height="{row * 0.8:.1f}" '
                f'fill="{COLORS[found["color"]]}" fill-opacity=".75"/>'
            )
            if x2 - x1 > 9 * len(found["text"]) and row > 11:  # noqa: PLR2004 - room for the text
                parts.append(
                    f'<text x="{x1 + 5:.1f}" y="{y + row / 2 + 4:.1f}" class="in">{escape(found["text"])}</text>'
                )
    parts.append(_times(frame, wide))
    return _svg(frame, parts)


def heatmap(panel: dict[str, Any], answers: list[dict[str, Any]], frame: Frame) -> str:
    """Return the heatmap of *panel*: how many fell between two bounds."""
    unit = panel["options"]["yAxis"]["unit"]
    bounds = sorted({_bound(one["labels"]["le"]) for one in answers})
    counts = {_bound(one["labels"]["le"]): dict(one["values"]) for one in answers}
    cells: dict[tuple[int, float], float] = {}
    for number, bound in enumerate(bounds):
        lower = counts[bounds[number - 1]] if number else {}
        for when, value in counts[bound].items():
            if (count := value - lower.get(when, 0)) > 1e-6:  # noqa: PLR2004 - rounding
                cells[number, when] = count
    used = sorted({number for number, _ in cells}) or [0]
    first, last = max(used[0] - 1, 0), min(used[-1] + 1, len(bounds) - 1)
    most, rows = max(cells.values(), default=1), last - first + 1
    parts = []
    for (number, when), count in cells.items():
        share = (count / most) ** 0.5
        x, wide = frame.x(when - frame.step), frame.x(when) - frame.x(when - frame.step)
        y, high = frame.y((number - first + 1) / rows), frame.y(0) - frame.y(1 / rows)
        color = f"rgb(255,{235 - 150 * share:.0f},{200 - 190 * share:.0f})"
        parts.append(
            f'<rect x="{max(x, LEFT):.1f}" y="{y:.1f}" width="{wide - 1:.1f}" height="{high - 1:.1f}" fill="{color}" '
            f'fill-opacity="{0.35 + 0.65 * share:.2f}"/>'
        )
    for number in range(first, last + 1):
        if (number - first) % max(rows // 7, 1) == 0:
            text = "∞" if math.isinf(bounds[number]) else written(bounds[number], unit)
            y = frame.y((number - first + 1) / rows) + 4
            parts.append(f'<text x="{LEFT - 6}" y="{y:.1f}" text-anchor="end">{text}</text>')
    return _svg(frame, [*parts, _times(frame, LEFT)])


def spark(points: list[list[float]], color: str, width: float, height: float) -> str:
    """Return the small graph behind a figure."""
    if not points:
        return ""
    frame = Frame(width, height, points[0][0], max(points[-1][0], points[0][0] + 1), 1)
    top = max(value for _, value in points) or 1
    place = [
        ((when - frame.start) / (frame.end - frame.start) * width, height - max(value, 0) / top * height * 0.9)
        for when, value in points
    ]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in place)
    return (
        f'<svg class="spark" width="{width:.0f}" height="{height:.0f}">'
        f'<polygon points="0,{height} {path} {width},{height}" '
        f'fill="{color}" fill-opacity=".18"/><polyline points="{path}" fill="none" stroke="{color}"/></svg>'
    )


def _bound(text: str) -> float:
    return math.inf if text == "+Inf" else float(text)


def _sums(series: list[Series]) -> dict[float, float]:
    sums: dict[float, float] = {}
    for one in series:
        for when, value in one.points:
            sums[when] = sums.get(when, 0) + value
    return sums


def _runs(points: list[list[float]], step: float) -> list[tuple[float, float, float]]:
    runs: list[tuple[float, float, float]] = []
    for when, value in points:
        if runs and runs[-1][2] == value and when - runs[-1][1] <= step / 2:
            runs[-1] = (runs[-1][0], when + step, value)
        else:
            runs.append((when, when + step, value))
    return runs


def _line(one: Series, frame: Frame, top: float, below: dict[float, float] | None) -> str:
    base = [below.get(when, 0) if below is not None else 0 for when, _ in one.points]
    high = [frame.y(min((low + value) / top, 1.05)) for low, (_, value) in zip(base, one.points, strict=True)]
    xs = [frame.x(when) for when, _ in one.points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(xs, high, strict=True))
    back = " ".join(f"{x:.1f},{frame.y(low / top):.1f}" for x, low in reversed([*zip(xs, base, strict=True)]))
    if below is not None:
        below.update({when: low + value for low, (when, value) in zip(base, one.points, strict=True)})
    opacity = 0.3 if below is not None else 0.06
    return (
        f'<polygon points="{path} {back}" fill="{one.color}" fill-opacity="{opacity}"/>'
        f'<polyline points="{path}" fill="none" stroke="{one.color}" stroke-width="1.6"/>'
    )


def _bars(one: Series, frame: Frame, top: float, below: dict[float, float]) -> str:
    wide = max((frame.x(frame.start + frame.step) - frame.x(frame.start)) * 0.8, 1)
    parts = []
    for when, value in one.points:
        if value > 0:
            low = below.get(when, 0)
            y = frame.y((low + value) / top)
            x, high = frame.x(when) - wide, frame.y(low / top) - y
            parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{high:.1f}"/>')
            below[when] = low + value
    return f'<g fill="{one.color}" fill-opacity=".85">{"".join(parts)}</g>'


def _axes(frame: Frame, top: float, unit: str) -> str:
    parts = []
    for number in range(TICKS + 1):
        y = frame.y(number / TICKS)
        parts.append(f'<line x1="{LEFT}" x2="{frame.width - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>')
        text = written(top * number / TICKS, unit).removesuffix(" ops/s")
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{text}</text>')
    return "".join(parts) + _times(frame, LEFT)


def _times(frame: Frame, left: float) -> str:
    parts = []
    first = math.ceil(frame.start / 60) * 60
    for when in range(first, int(frame.end) + 1, 60):
        x = left + (when - frame.start) / (frame.end - frame.start) * (frame.width - left - RIGHT)
        text = f"{when // 3600 % 24:02d}:{when // 60 % 60:02d}"
        if x < frame.width - RIGHT - 12:
            parts.append(f'<text x="{x:.1f}" y="{frame.height - 5:.1f}" text-anchor="middle">{text}</text>')
    return "".join(parts)


def _mark(frame: Frame, mark: dict[str, Any]) -> str:
    x, color = frame.x(mark["at"]), COLORS[mark["color"]]
    foot = frame.height - BOTTOM
    line = f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{foot}" stroke="{color}" stroke-opacity=".16"/>'
    return f'{line}<path d="M{x - 3.5:.1f} {foot + 5}L{x:.1f} {foot}L{x + 3.5:.1f} {foot + 5}Z" fill="{color}"/>'


def _svg(frame: Frame, parts: list[str]) -> str:
    return f'<svg width="{frame.width:.0f}" height="{frame.height:.0f}">{"".join(parts)}</svg>'
