"""Grafana's dashboards: their queries, variables, data sources, units, legends and links."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING

from oneiric.monitoring.drift.documents.alerts import judge_link
from oneiric.monitoring.drift.findings import did_you_mean, one_of
from oneiric.monitoring.drift.queries import (
    KUBERNETES_LABELS,
    Interval,
    fits,
    is_about_us,
    is_no_share,
    judge_logql,
    judge_promql,
    looks_like_logql,
    right_for,
)
from oneiric.monitoring.notation.dashboards import annotation_queries, panels, root_of, uid_node, variables
from oneiric.monitoring.notation.nodes import NOTHING
from oneiric.monitoring.notation.promql import VARIABLE, variable_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oneiric.monitoring.drift.documents.alerts import Targets
    from oneiric.monitoring.drift.queries import Context, Value
    from oneiric.monitoring.notation.dashboards import Panel, Target, Variable
    from oneiric.monitoring.notation.nodes import Node
    from oneiric.monitoring.notation.text import Piece, Place

_BUILT_IN = {"timeFilter", "timezone"}
_NO_VARIABLE_NEEDED = re.compile(r"-- \w+ --|grafana|-100|default|")
_LEGEND = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_VARIABLE_QUERY = re.compile(r"\s*(label_values|query_result|metrics|label_names)\s*\((.*)\)\s*", re.DOTALL)
_LIKE_A_TARGET_LABEL = 0.86
_PERCENT = Interval(0.0, 1.0)


def judge_dashboard(node: Node, context: Context, targets: Targets) -> None:
    """Report what is wrong with the dashboard *node*; one that asks for nothing of ours is another's."""
    dashboard = _Dashboard(root_of(node), context)
    dashboard.run()
    if dashboard.is_ours:
        for one in node.walk():
            if (url := one.string("url")) is not None:
                judge_link(url, context, targets)


def uid_of(node: Node) -> Piece | None:
    """Return the uid of the dashboard *node*."""
    return uid_node(node).text if uid_node(node).kind == "string" else None


@dataclass
class _Dashboard:
    root: Node
    context: Context
    types: dict[str, str] = field(default_factory=dict)
    is_ours: bool = False

    def run(self) -> None:
        chosen = list(variables(self.root))
        for variable in chosen:
            is_source = variable.type == "datasource"
            self.types[variable.name] = variable.query.text.text if is_source and variable.query else ""
        for variable in chosen:
            self._variable(variable)
        for annotation in annotation_queries(self.root):
            self._target(annotation, NOTHING)
        shown = list(panels(self.root))
        for panel in shown:
            for target in panel.targets:
                self._target(target, panel.fields)
        if self.is_ours:
            self._numbers(shown)
            self._others([*annotation_queries(self.root), *(target for panel in shown for target in panel.targets)])
            for variable in chosen:
                self._target_label(variable)

    def _others(self, targets: list[Target]) -> None:
        """Report names nearly a variable's, and what does not parse, in queries that have no name of ours in them."""
        for target in targets:
            expr = target.node.string("expr")
            if expr is None or is_about_us(expr.text, self.context):
                continue
            if "prometheus" not in self._type(target.sources, expr.text):
                continue
            judge_promql(expr, self.context, "panel", is_loaded=True)
            for piece in (expr, *(node.string("uid") for node in target.sources)):
                if piece is not None:
                    self._names(piece, is_ours=False)

    def _numbers(self, shown: list[Panel]) -> None:
        seen: set[str] = set()
        for panel in shown:
            number = panel.number.text
            if panel.number and number.text in seen:
                self.context.report.at(number, 0, "ON605", f"there are two panels {number.text}")
            seen.add(number.text)

    def _mentions(self, piece: Piece) -> bool:
        found = is_about_us(piece.text, self.context)
        self.is_ours = self.is_ours or found
        return found

    def _sources(self, sources: tuple[Node, ...]) -> None:
        for node in sources:
            uid = node.string("uid") or node.string("name") or (node.text if node.kind == "string" else None)
            if uid is None or _NO_VARIABLE_NEEDED.fullmatch(uid.text):
                continue
            if self.context.policy.datasource_variable and not re.search(VARIABLE, uid.text):
                message = f"the data source {uid.text} is that of one Grafana"
                self.context.report.at(uid, 0, "ON601", message, "use a variable of type datasource")
            self._names(uid)

    def _names(self, piece: Piece, *, is_ours: bool = True) -> None:
        for found in re.finditer(VARIABLE, piece.text):
            name = variable_name(found[0])
            if name not in self.types and not name.startswith("__") and name not in _BUILT_IN and not name.isdigit():
                hint = did_you_mean(name, self.types)
                if hint or is_ours:
                    self.context.report.at(piece, found.start(), "ON602", f"there is no variable {name}", hint)

    def _type(self, sources: tuple[Node, ...], query: str) -> str:
        """Return the type of the data source that *query* is asked of; guessed where nothing says it."""
        for node in sources:
            kind = node.word("type") or node.word("group") or node.word("kind")
            uid = node.word("uid") or node.word("name") or node.word()
            if kind and kind not in {"datasource", "DataQuery"}:
                return kind
            if known := self.types.get(variable_name(uid), ""):
                return known
        return "loki" if looks_like_logql(query) else "prometheus"

    def _target(self, target: Target, fields: Node) -> None:
        expr = target.node.string("expr")
        if expr is None or not expr.text.strip() or not self._mentions(expr):
            return
        self._sources(target.sources)
        self._names(expr)
        kind = self._type(target.sources, expr.text)
        if kind == "loki":
            judge_logql(expr, self.context)
        elif "prometheus" in kind:
            self._value(target.node, judge_promql(expr, self.context, "panel"), fields)

    def _value(self, target: Node, value: Value, fields: Node) -> None:
        for key in ("legendFormat", "titleFormat"):
            if (legend := target.string(key)) is not None:
                self._legend(legend, value)
        self._unit(value, fields)

    def _legend(self, legend: Piece, value: Value) -> None:
        self._names(legend)
        for found in _LEGEND.finditer(legend.text) if value.labels is not None else ():
            if not value.has(found[1]) and found[1] != "__name__":
                labels = (value.labels or frozenset()) - KUBERNETES_LABELS
                message = f"the result has no label {found[1]}"
                level = value.level_of(found[1], self.context.vocabulary)
                self.context.report.at(legend, found.start(1), "ON606", message, one_of(labels, found[1]), level=level)

    def _unit(self, value: Value, fields: Node) -> None:
        overridden = any(node.word("id") == "unit" for node in fields.get("overrides").walk())
        unit = fields.string("defaults", "unit")
        if unit is None or overridden or not value.ours:
            return
        if not fits(value.unit, unit.text):
            message = f"the values are {value.unit}, the panel's unit is {unit.text}"
            self.context.report.at(unit, 0, "ON604", message, f"did you mean {right_for(value.unit)}?")
        elif not value.unit and value.interval == _PERCENT and is_no_share(unit.text):
            message = f"the values lie in 0 to 1, the panel's unit is {unit.text}"
            self.context.report.at(unit, 0, "ON604", message, "did you mean percentunit?")

    def _variable(self, variable: Variable) -> None:
        if variable.type != "query" or variable.query.kind != "string" or not self._mentions(variable.query.text):
            return
        query = variable.query.text
        self._sources(variable.sources)
        self._names(query)
        found = _VARIABLE_QUERY.fullmatch(query.text)
        if found is None or "prometheus" not in self._type(variable.sources, ""):
            return
        inner = query[found.start(2) : found.end(2)]
        if found[1] == "query_result":
            judge_promql(inner, self.context, "panel")
        elif found[1] == "label_values":
            self._label_values(inner)

    def _target_label(self, variable: Variable) -> None:
        """Report a label of targets that is misspelt, where a variable of a dashboard of ours asks others for it."""
        query = variable.query.text
        found = _VARIABLE_QUERY.fullmatch(query.text) if variable.type == "query" else None
        if found is None or found[1] != "label_values" or is_about_us(query.text, self.context):
            return
        label = query[query.text.rfind(",") + 1 : found.end(2)].stripped()
        known = self.context.vocabulary.target_labels - KUBERNETES_LABELS
        if label.text not in known and (hint := did_you_mean(label.text, known, alike=_LIKE_A_TARGET_LABEL)):
            self.context.report.at(label, 0, "ON603", f"targets have no label {label.text}", hint)

    def _label_values(self, inner: Piece) -> None:
        comma = inner.text.rfind(",") if not inner.text.rstrip().endswith("}") else -1
        if comma < 0:
            return
        value = judge_promql(inner[:comma], self.context, "panel")
        label = inner[comma + 1 :].stripped()
        if value.labels is not None and label.text not in value.labels and not re.search(VARIABLE, label.text):
            hint = did_you_mean(label.text, value.labels) or one_of(value.labels - KUBERNETES_LABELS)
            level = value.level_of(label.text, self.context.vocabulary)
            self.context.report.at(label, 0, "ON603", f"the metric has no label {label.text}", hint, level=level)


def judge_uid(node: Node, context: Context, first: Mapping[tuple[str, str], Place]) -> None:
    """Report the dashboard *node*, of ours, if another beside it has its uid; *first* says where each is first."""
    uid = uid_of(node)
    if uid is None or not uid.text or not context.vocabulary.is_about_us(uid.source.text):
        return
    place = first.get((str(PurePath(uid.source.path).parent), uid.text))
    if place is not None and place != uid.place():
        context.report.at(
            uid, 0, "ON607", f"there are two dashboards {uid.text}", f"first in {place.path}:{place.line}"
        )
