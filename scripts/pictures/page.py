"""A dashboard as a page: its rows and panels on Grafana's grid."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime
from html import escape
from typing import Any

from graphs import COLORS, Frame, Series, color_of, heatmap, lines, spark, states
from units import written

CELL, GAP, COLUMN = 26, 7, 58
HEAD = 26
LEGEND = 4
CAPTION = "Drawn from the dashboard's own queries and a real Prometheus; not a screenshot of Grafana."
STYLE = """
body{margin:0;background:#111217;color:#ccccdc;font:12px 'DejaVu Sans',Inter,Arial,sans-serif}
.board{position:relative;margin:8px}
.title{font-size:17px;padding:4px 2px;color:#fff}.caption{color:#8e8e94;font-size:11px;padding:0 2px 4px}
.chips{padding:5px 2px 10px}
.chips span{border:1px solid #34343b;border-radius:3px;padding:2px 7px;margin-right:6px;color:#9fa7b3}
.row{position:absolute;left:0;font-weight:600;font-size:13px;color:#fff;line-height:24px}
.panel{position:absolute;background:#181b1f;
border:1px solid #25262b;border-radius:3px;overflow:hidden;box-sizing:border-box}
.name{padding:5px 8px 0;font-weight:600;font-size:12px;color:#d8d9da;height:20px;white-space:nowrap;overflow:hidden}
svg text{font-size:10px;fill:#9a9aa5}svg text.in{fill:#fff}.grid{stroke:#2a2c31}
table{border-collapse:collapse;width:100%}td,th{padding:2px 8px;text-align:left;white-space:nowrap;font-weight:400}
th{color:#6e9fff;border-bottom:1px solid #2c2d33}.table td{border-bottom:1px solid #202226}
.legend td{padding:0 8px;font-size:11px;color:#b6b6c0}.legend td+td{text-align:right;color:#9a9aa5}
.dot{display:inline-block;width:12px;height:4px;border-radius:2px;margin-right:6px;vertical-align:middle}
.figure{position:relative;text-align:center;font-size:30px}.spark{position:absolute;left:0;bottom:0}
.log{font:10.5px 'DejaVu Sans Mono',monospace;padding:1px 8px;white-space:nowrap}
.gauge{display:flex;align-items:center;padding:3px 8px}
.gauge b{width:80px;font-weight:400}.gauge i{height:18px;border-radius:2px}
.firing{padding:4px 8px;border-bottom:1px solid #202226}.firing b{color:#F2495C;font-weight:600}
"""


@dataclass(frozen=True)
class Box:
    """Where a panel is on the page."""

    x: int
    y: int
    width: int
    height: int


class Page:
    """Draws dashboards of what :func:`collect.collected` returned."""

    def __init__(self, data: dict[str, Any]) -> None:
        self._data = data
        self.boards: list[dict[str, Any]] = data["boards"]

    def html(self, board: dict[str, Any], rows: tuple[str, ...]) -> tuple[str, int, int]:
        """Return the page with the *rows* of *board*, its width and its height."""
        marks = self._marks(board)
        parts, shown, top, bottom = [], False, 0, 0
        for panel in board["panels"]:
            place = panel["gridPos"]
            if panel["type"] == "row":
                was, shown = shown, panel["title"] in rows
                top += place["y"] - bottom if shown else 0
                bottom = place["y"] + place["h"] if shown or was else bottom
            if shown:
                x, y = place["x"] * COLUMN, (place["y"] - top) * CELL
                box = Box(x, y, place["w"] * COLUMN - GAP, place["h"] * CELL - GAP)
                bottom = max(bottom, place["y"] + place["h"])
                parts.append(self._placed(panel, box, marks))
        height = max((int(found) for found in re.findall(r"data-end=(\d+)", "".join(parts))), default=0)
        chips = "".join(f"<span>{found['label']}: All</span>" for found in board["templating"]["list"][2:])
        head = f'<div class="title">{escape(board["title"])}</div><div class="chips">{chips}</div>'
        body = f'<div class="board">{head}<div style="position:relative;height:{height}px">{"".join(parts)}</div>'
        text = f"<style>{STYLE}</style>{body}<div class=caption>{CAPTION}</div></div>"
        return text, 24 * COLUMN + 10, height + 92

    def _placed(self, panel: dict[str, Any], box: Box, marks: list[dict[str, Any]]) -> str:
        where = f"left:{box.x}px;top:{box.y}px;width:{box.width}px"
        end = f"data-end={box.y + box.height}"
        title = escape(panel["title"])
        if panel["type"] == "row":
            return f'<div class="row" {end} style="{where}">⌄ {title}</div>'
        inside = self._inside(panel, box.width - 2, box.height - HEAD, marks)
        name = f'<div class="name">{title}</div>'
        return f'<div class="panel" {end} style="{where};height:{box.height}px">{name}{inside}</div>'

    def _inside(self, panel: dict[str, Any], wide: float, high: float, marks: list[dict[str, Any]]) -> str:
        if panel["type"] == "alertlist":
            return self._alerts()
        if panel["type"] in {"table", "logs"}:
            return self._table(panel) if panel["type"] == "table" else self._logs(panel, int(high / 15))
        series = self._series(panel)
        frame = Frame(wide, high, self._data["from"], self._data["to"], self._data["step"])
        draw = {
            "stat": lambda: _figure(panel, series, wide, high),
            "bargauge": lambda: _gauges(panel, series, wide),
            "state-timeline": lambda: states(panel, series, frame),
            "heatmap": lambda: heatmap(panel, self._answer(panel["targets"][0]), frame),
            "timeseries": lambda: _graph(panel, series, frame, marks),
        }
        return draw[panel["type"]]()

    def _answer(self, target: dict[str, Any]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._data["answers"][target["expr"]]
        return found

    def _series(self, panel: dict[str, Any]) -> list[Series]:
        found = []
        for target in panel["targets"]:
            for one in self._answer(target):
                name = _legend_of(target.get("legendFormat", ""), one["labels"])
                if one["values"]:
                    found.append(Series(name, one["values"], color_of(name, len(found))))
        return sorted(found, key=lambda one: one.name) if panel["type"] == "state-timeline" else found

    def _marks(self, board: dict[str, Any]) -> list[dict[str, Any]]:
        marks = []
        for mark in board["annotations"]["list"]:
            if mark["name"] not in {"Rollbacks", "Failed swaps"}:
                continue
            for found in self._data["answers"][mark["expr"]]:
                at = datetime.fromisoformat(found["at"]).timestamp()
                if self._data["from"] < at < self._data["to"]:
                    marks.append({"at": at, "color": mark["iconColor"]})
        return marks

    def _alerts(self) -> str:
        query = next(name for name in self._data["answers"] if name.startswith("count(ALERTS"))
        inside = query.partition("(")[2].partition(")")[0]
        names = sorted({one["labels"]["alertname"] for one in self._data["answers"].get(inside, ())})
        return "".join(f'<div class="firing"><b>firing</b> &nbsp;{escape(name)}</div>' for name in names)

    def _table(self, panel: dict[str, Any]) -> str:
        rows: dict[tuple[tuple[str, str], ...], dict[str, float]] = {}
        shared = set.intersection(
            *({name for one in self._answer(target) for name in one["labels"]} for target in panel["targets"])
        )
        names: dict[tuple[tuple[str, str], ...], dict[str, str]] = {}
        renamed = panel["transformations"][1]["options"]["renameByName"]
        for target in panel["targets"]:
            column = renamed.get("Value" if len(panel["targets"]) == 1 else f"Value #{target['refId']}", "")
            for one in self._answer(target):
                key = tuple(sorted((name, one["labels"][name]) for name in shared))
                names.setdefault(key, {}).update(one["labels"])
                rows.setdefault(key, {})[column] = one["values"][-1][1]
        first = panel["options"]["sortBy"][0]
        keys = sorted(rows, key=lambda key: rows[key].get(first["displayName"], 0), reverse=first["desc"])
        labels = sorted({name for found in names.values() for name in found} - {"job", "__name__"})
        columns = [name for name in renamed.values() if name]
        head = "".join(f"<th>{name}</th>" for name in (*labels, *columns))
        body = "".join(
            "<tr>"
            + "".join(f"<td>{escape(names[key].get(name, ''))}</td>" for name in labels)
            + "".join(_cell(panel, name, rows[key].get(name)) for name in columns)
            + "</tr>"
            for key in keys[:12]
        )
        return f'<table class="table"><tr>{head}</tr>{body}</table>'

    def _logs(self, panel: dict[str, Any], count: int) -> str:
        found = self._answer(panel["targets"][0])[-count:]
        return "".join(f'<div class="log">{escape(line["text"][:230])}</div>' for line in reversed(found))


def _legend_of(template: str, labels: dict[str, str]) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda label: labels.get(label[1], ""), template)


def _graph(panel: dict[str, Any], series: list[Series], frame: Frame, marks: list[dict[str, Any]]) -> str:
    rows = min(len(series), LEGEND) + (len(series) > LEGEND)
    smaller = replace(frame, height=frame.height - 15 * rows - 4)
    return lines(panel, series, smaller, marks) + _legend(panel, series)


def _threshold(steps: list[dict[str, Any]], value: float) -> str:
    color = "green"
    for step in steps:
        if step["value"] is None or value >= step["value"]:
            color = step["color"]
    return COLORS[color]


def _figure(panel: dict[str, Any], series: list[Series], wide: float, high: float) -> str:
    defaults = panel["fieldConfig"]["defaults"]
    if not series:
        return '<div class="figure">No data</div>'
    points = series[0].points
    color = _threshold(defaults["thresholds"]["steps"], points[-1][1])
    text = written(points[-1][1], defaults["unit"])
    figure = f'<div style="color:{color};line-height:{high * 0.8:.0f}px;position:relative;z-index:1">{text}</div>'
    return f'<div class="figure" style="height:{high}px">{figure}{spark(points, color, wide, high * 0.5)}</div>'


def _gauges(panel: dict[str, Any], series: list[Series], wide: float) -> str:
    most = max((one.last for one in series), default=1)
    unit = panel["fieldConfig"]["defaults"]["unit"]
    return "".join(
        f'<div class="gauge"><b>{escape(one.name)}</b>'
        f'<i style="background:#5794F2;width:{one.last / most * (wide - 170):.0f}px"></i>'
        f"&nbsp;{written(round(one.last), unit)}</div>"
        for one in sorted(series, key=lambda one: -one.last)
    )


def _legend(panel: dict[str, Any], series: list[Series]) -> str:
    unit = panel["fieldConfig"]["defaults"]["unit"]
    rows = "".join(
        f'<tr><td><span class="dot" style="background:{one.color}"></span>{escape(one.name)}</td>'
        f"<td>last {written(one.last, unit)}</td><td>max {written(one.most, unit)}</td></tr>"
        for one in sorted(series, key=lambda one: -one.most)[:LEGEND]
    )
    more = f"<tr><td>and {len(series) - LEGEND} more</td></tr>" if len(series) > LEGEND else ""
    return f'<table class="legend">{rows}{more}</table>'


def _cell(panel: dict[str, Any], column: str, value: float | None) -> str:
    if value is None:
        return "<td></td>"
    settings = {"unit": panel["fieldConfig"]["defaults"]["unit"]}
    for override in panel["fieldConfig"]["overrides"]:
        if override["matcher"]["options"] == column:
            settings |= {found["id"]: found["value"] for found in override["properties"]}
    text, color = written(value, settings["unit"]), ""
    for mapping in settings.get("mappings", ()):
        if found := mapping["options"].get(f"{value:g}"):
            text, color = found["text"], COLORS[found["color"]]
    if "thresholds" in settings:
        color = _threshold(settings["thresholds"]["steps"], value)
    style = f' style="background:{color}66"' if color else ""
    return f"<td{style}>{escape(text)}</td>"
