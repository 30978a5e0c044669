"""Grafana's dashboards: their queries, variables, data sources, units, legends and links."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from oneiric.monitoring.drift.alerts import judge_link
from oneiric.monitoring.drift.finding import did_you_mean, one_of
from oneiric.monitoring.drift.logs import judge_logql
from oneiric.monitoring.drift.nodes import NOTHING
from oneiric.monitoring.drift.promql import judge_promql
from oneiric.monitoring.drift.promql_tokens import VARIABLE, variable_name
from oneiric.monitoring.drift.units import fits, right_for
from oneiric.monitoring.drift.values import Interval

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oneiric.monitoring.drift.alerts import Targets
    from oneiric.monitoring.drift.nodes import Node
    from oneiric.monitoring.drift.query import Context
    from oneiric.monitoring.drift.text import Piece
    from oneiric.monitoring.drift.values import Value

_BUILT_IN = {"timeFilter", "timezone"}
_NO_VARIABLE_NEEDED = re.compile(r"-- \w+ --|grafana|-100|")
_LEGEND = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_VARIABLE_QUERY = re.compile(r"\s*(label_values|query_result|metrics|label_names)\s*\((.*)\)\s*", re.DOTALL)
_PERCENT = Interval(0.0, 1.0)


def judge_dashboard(node: Node, context: Context, targets: Targets) -> None:
    """Report what is wrong with the dashboard *node*, which may be wrapped as the API wraps it."""
    _Dashboard(node.get("dashboard") or node, context, targets).run()


def uid_of(node: Node) -> Piece | None:
    """Return the uid of the dashboard *node*."""
    return (node.get("dashboard") or node).string("uid")


@dataclass
class _Dashboard:
    root: Node
    context: Context
    targets: Targets
    types: dict[str, str] = field(default_factory=dict)

    def run(self) -> None:
        for variable in self.root.get("templating", "list").items:
            is_source = variable.word("type") == "datasource"
            self.types[variable.word("name")] = variable.word("query") if is_source else ""
        for variable in self.root.get("templating", "list").items:
            self._variable(variable)
        for annotation in self.root.get("annotations", "list").items:
            self._source(annotation)
            self._target(annotation, annotation, NOTHING)
        seen: set[str] = set()
        for panel in self._panels(self.root):
            self._panel(panel, seen)
        for node in self.root.walk():
            if (url := node.string("url")) is not None:
                judge_link(url, self.context, self.targets)

    def _panels(self, node: Node) -> Iterator[Node]:
        for panel in node.get("panels").items:
            yield panel
            yield from panel.get("panels").items

    def _panel(self, panel: Node, seen: set[str]) -> None:
        number = panel.get("id")
        if number and number.text.text in seen:
            self.context.report.at(number.text, 0, "ON605", f"there are two panels {number.text.text}")
        seen.add(number.text.text)
        self._source(panel)
        for target in panel.get("targets").items:
            self._source(target)
            self._target(target, panel, panel.get("fieldConfig"))

    def _source(self, node: Node) -> None:
        uid = node.string("datasource", "uid") or node.string("datasource")
        if uid is None or _NO_VARIABLE_NEEDED.fullmatch(uid.text):
            return
        if not re.search(VARIABLE, uid.text):
            message = f"the data source {uid.text} is that of one Grafana"
            self.context.report.at(uid, 0, "ON601", message, "use a variable of type datasource")
        self._names(uid)

    def _names(self, piece: Piece) -> None:
        for found in re.finditer(VARIABLE, piece.text):
            name = variable_name(found[0])
            if name not in self.types and not name.startswith("__") and name not in _BUILT_IN and not name.isdigit():
                hint = did_you_mean(name, self.types)
                self.context.report.at(piece, found.start(), "ON602", f"there is no variable {name}", hint)

    def _type(self, *nodes: Node) -> str:
        for node in nodes:
            if kind := node.word("datasource", "type"):
                return kind
            uid = node.word("datasource", "uid") or node.word("datasource")
            if kind := self.types.get(variable_name(uid), ""):
                return kind
        return "prometheus"

    def _target(self, target: Node, panel: Node, fields: Node) -> None:
        expr = target.string("expr")
        if expr is None or not expr.text.strip():
            return
        self._names(expr)
        if self._type(target, panel) == "loki":
            judge_logql(expr, self.context)
            return
        value = judge_promql(expr, self.context, "panel")
        for key in ("legendFormat", "titleFormat"):
            if (legend := target.string(key)) is not None:
                self._legend(legend, value)
        self._unit(value, fields)

    def _legend(self, legend: Piece, value: Value) -> None:
        self._names(legend)
        for found in _LEGEND.finditer(legend.text) if value.labels is not None else ():
            if not value.has(found[1]) and found[1] != "__name__":
                hint = one_of(value.labels or (), found[1])
                message = f"the result has no label {found[1]}"
                self.context.report.at(legend, found.start(1), "ON606", message, hint)

    def _unit(self, value: Value, fields: Node) -> None:
        overridden = any(node.word("id") == "unit" for node in fields.get("overrides").walk())
        unit = fields.string("defaults", "unit")
        if unit is None or overridden or not value.ours:
            return
        if not fits(value.unit, unit.text):
            message = f"the values are {value.unit}, the panel's unit is {unit.text}"
            self.context.report.at(unit, 0, "ON604", message, f"did you mean {right_for(value.unit)}?")
        elif unit.text == "percent" and value.interval == _PERCENT:
            message = "the values lie in 0 to 1, the panel's unit is percent"
            self.context.report.at(unit, 0, "ON604", message, "did you mean percentunit?")

    def _variable(self, variable: Node) -> None:
        self._source(variable)
        query = variable.string("query", "query") or variable.string("query")
        if query is None or variable.word("type") != "query":
            return
        self._names(query)
        found = _VARIABLE_QUERY.fullmatch(query.text)
        if self._type(variable) != "prometheus" or found is None:
            return
        inner = query[found.start(2) : found.end(2)]
        if found[1] == "query_result":
            judge_promql(inner, self.context, "panel")
        elif found[1] == "label_values":
            self._label_values(inner)

    def _label_values(self, inner: Piece) -> None:
        comma = inner.text.rfind(",") if not inner.text.rstrip().endswith("}") else -1
        if comma < 0:
            return
        value = judge_promql(inner[:comma], self.context, "panel")
        label = inner[comma + 1 :].stripped()
        if value.labels is not None and label.text not in value.labels and not re.search(VARIABLE, label.text):
            hint = did_you_mean(label.text, value.labels) or one_of(value.labels)
            self.context.report.at(label, 0, "ON603", f"the metric has no label {label.text}", hint)


def judge_uids(nodes: list[Node], context: Context) -> None:
    """Report dashboards that have the uid of another."""
    first: dict[str, Piece] = {}
    for node in nodes:
        uid = uid_of(node)
        if uid is None or not uid.text:
            continue
        if uid.text in first:
            place = first[uid.text].place()
            hint = f"first in {place.path}:{place.line}"
            context.report.at(uid, 0, "ON607", f"there are two dashboards {uid.text}", hint)
        first.setdefault(uid.text, uid)
