"""What a dashboard must be like to work for others: the rules of Grafana's own linter, and a few of ours."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dashboard_lint.reading import asked, panels, values_query, variables
from dashboard_lint.selectors import selectors

from oneiric.monitoring.bundle.dashboards.foreign import ALERTS
from oneiric.monitoring.notation.logql import LogQLError, parse, replaced

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from dashboard_lint.reading import Asked
    from dashboard_lint.selectors import Selected

    Dashboard = Mapping[str, Any]
    Rule = Callable[[Dashboard], Iterator[tuple[str, str]]]

UNITS = frozenset(
    {
        "none",
        "short",
        "percent",
        "percentunit",
        "bool",
        "bool_yes_no",
        "bool_on_off",
        "ops",
        "reqps",
        "rps",
        "iops",
        "opm",
        "s",
        "ms",
        "ns",
        "m",
        "h",
        "d",
        "dtdurations",
        "bytes",
        "decbytes",
        "kbytes",
        "mbytes",
        "gbytes",
        "Bps",
        "binBps",
        "bps",
        "dateTimeAsIso",
        "dateTimeFromNow",
        "hertz",
        "string",
    }
)
"""Units of Grafana that say something about figures of a program."""
WITHOUT_FIGURES = frozenset({"logs", "alertlist", "text", "dashlist", "news"})
"""Kinds of panels that show no figures, hence have no unit."""
WITHOUT_QUERIES = WITHOUT_FIGURES - {"logs"}
LISTED_AGAIN = 2
"""How Grafana writes that a variable's values are listed again when the time shown changes."""
RATES = {"rate": {"__rate_interval"}, "irate": {"__rate_interval"}, "increase": {"__rate_interval", "__range"}}
"""The windows that a rate can have; an increase may also be over all of the time shown."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with a dashboard: which rule it breaks, at which panel, variable or mark, and how."""

    rule: str
    where: str
    message: str


def lint(dashboard: Dashboard) -> list[Finding]:
    """Return what is wrong with *dashboard*, in the order of the rules."""
    return [Finding(name, where, message) for name, rule in RULES.items() for where, message in rule(dashboard)]


def _datasource(dashboard: Dashboard) -> Iterator[tuple[str, str]]:
    found = variables(dashboard).get("datasource", {})
    if (found.get("type"), found.get("query")) != ("datasource", "prometheus"):
        yield "datasource", "must be a variable that chooses a data source of type prometheus"
    elif found.get("label") != "Data source":
        yield "datasource", "must be labelled 'Data source'"


def _template(name: str) -> Rule:
    def rule(dashboard: Dashboard) -> Iterator[tuple[str, str]]:
        found = variables(dashboard).get(name, {})
        wanted = {
            "type": "query",
            "label": name.capitalize(),
            "multi": True,
            "includeAll": True,
            "allValue": ".+",
            "datasource": {"type": "prometheus", "uid": "${datasource}"},
        }
        for field, value in wanted.items():
            if found.get(field) != value:
                yield name, f"must be a variable with {field} {value!r}, and has {found.get(field)!r}"

    return rule


def _label_promql(dashboard: Dashboard) -> Iterator[tuple[str, str]]:
    for name, variable in variables(dashboard).items():
        if variable.get("type") == "query":
            inside = re.fullmatch(r"label_values\((.+), *(\w+)\)", values_query(variable))
            if inside is None or _parsed(inside[1], dashboard) is None:
                yield name, "must list label_values(SELECTOR, LABEL)"


def _reload(dashboard: Dashboard) -> Iterator[tuple[str, str]]:
    for name, variable in variables(dashboard).items():
        if variable.get("type") == "query" and variable.get("refresh") != LISTED_AGAIN:
            yield name, "must list its values again when the time shown changes"


def _known_variables(dashboard: Dashboard) -> Iterator[tuple[str, str]]:
    known = {*variables(dashboard)}
    for query in asked(dashboard):
        left = replaced(f"{query.expr} {query.source}", dict.fromkeys(known, ""))
        for name in re.findall(r"\$\{?([a-z]\w*)", left):
            yield query.where, f"there is no variable {name}"


def _panel_source(dashboard: Dashboard) -> Iterator[tuple[str, str]]:
    chosen = {
        f"${{{name}}}": variable.get("query")
        for name, variable in variables(dashboard).items()
        if variable.get("type") == "datasource"
    }
    for panel in panels(dashboard):
        source = panel.get("datasource") or {}
        if panel.get("type") != "text" and chosen.get(str(source.get("uid"))) != source.get("type"):
            yield panel.get("title", ""), "must use the data source that was chosen"
    for query in asked(dashboard):
        if chosen.get(query.source) != query.kind:
            yield query.where, f"query {query.letter} must use the data source that was chosen"


def _title_description(dashboard: Dashboard) -> Iterator[tuple[str, str]]:
    for panel in panels(dashboard):
        for field in ("title", "description"):
            if not panel.get(field):
                yield panel.get("title") or f"panel {panel.get('id')}", f"must have a {field}"


def _units(dashboard: Dashboard) -> Iterator[tuple[str, str]]:
    for panel in panels(dashboard):
        unit = panel.get("fieldConfig", {}).get("defaults", {}).get("unit")
        if panel.get("type") not in WITHOUT_FIGURES and unit not in UNITS:
            yield panel.get("title", ""), f"must have a unit that Grafana knows, and has {unit!r}"


def _no_targets(dashboard: Dashboard) -> Iterator[tuple[str, str]]:
    for panel in panels(dashboard):
        if panel.get("type") not in WITHOUT_QUERIES and not panel.get("targets"):
            yield panel.get("title", ""), "must ask something"


def _ids(dashboard: Dashboard) -> Iterator[tuple[str, str]]:
    seen: set[int] = set()
    for panel in panels(dashboard):
        number = panel.get("id", 0)
        if not number or number in seen:
            yield panel.get("title", ""), f"must have an id of its own, and has {number}"
        seen.add(number)


def _promql(dashboard: Dashboard) -> Iterator[tuple[str, str]]:
    for query in _of_prometheus(dashboard):
        if _parsed(query.expr, dashboard) is None:
            yield query.where, f"query {query.letter} is not PromQL"


def _rate_interval(dashboard: Dashboard) -> Iterator[tuple[str, str]]:
    for query, selector in _selectors(dashboard):
        if selector.window not in RATES.get(selector.function, {selector.window}):
            allowed = " or ".join(f"${name}" for name in sorted(RATES[selector.function]))
            yield query.where, f"{selector.function}() of {selector.name} must be over {allowed}"


def _target(label: str) -> Rule:
    def rule(dashboard: Dashboard) -> Iterator[tuple[str, str]]:
        for query, selector in _selectors(dashboard):
            if _can_have(selector.name, label) and f"${label}" not in selector.matchers.get(label, ""):
                yield query.where, f'{selector.name} must be matched by {label}=~"${label}"'

    return rule


def _can_have(name: str, label: str) -> bool:
    """Whether series of *name* can have the target's *label*: a recorded sum tells in its name what it is by."""
    level, colon, _ = name.partition(":")
    if colon:
        return label in level.split("_")
    return label == "job" or name != ALERTS


def _counter(dashboard: Dashboard) -> Iterator[tuple[str, str]]:
    for query, selector in _selectors(dashboard):
        if selector.name.endswith(("_total", "_count", "_sum", "_bucket")) and selector.function not in RATES:
            yield query.where, f"{selector.name} only ever grows: it must be in rate() or increase()"


def _logql(dashboard: Dashboard) -> Iterator[tuple[str, str]]:
    for query in asked(dashboard):
        if query.kind == "loki":
            try:
                parse(query.expr)
            except LogQLError as error:
                yield query.where, f"query {query.letter} is not LogQL: {error}"


def _logql_auto(dashboard: Dashboard) -> Iterator[tuple[str, str]]:
    for query in asked(dashboard):
        if query.kind == "loki":
            for window in re.findall(r"\[([^\]\"]*)\]", query.expr):
                if window.strip() != "$__auto":
                    yield query.where, f"must be over $__auto, and is over {window}"


def _uneditable(dashboard: Dashboard) -> Iterator[tuple[str, str]]:
    if dashboard.get("editable") is not False:
        yield "dashboard", "must not be editable: it is provisioned"


RULES: Mapping[str, Rule] = {
    "template-datasource": _datasource,
    "template-job": _template("job"),
    "template-instance": _template("instance"),
    "template-label-promql": _label_promql,
    "template-on-time-change-reload": _reload,
    "variable-known": _known_variables,
    "panel-datasource": _panel_source,
    "panel-title-description": _title_description,
    "panel-units": _units,
    "panel-no-targets": _no_targets,
    "panel-id": _ids,
    "target-promql": _promql,
    "target-rate-interval": _rate_interval,
    "target-job": _target("job"),
    "target-instance": _target("instance"),
    "target-counter-agg": _counter,
    "target-logql": _logql,
    "target-logql-auto": _logql_auto,
    "uneditable-dashboard": _uneditable,
}
"""Each rule by its name: what it finds is where, and what must be."""


def _of_prometheus(dashboard: Dashboard) -> Iterator[Asked]:
    return (query for query in asked(dashboard) if query.kind == "prometheus")


def _parsed(query: str, dashboard: Dashboard) -> list[Selected] | None:
    kept = {name: f"${name}" for name in variables(dashboard)}
    try:
        return selectors(query, kept)
    except ValueError:
        return None


def _selectors(dashboard: Dashboard) -> Iterator[tuple[Asked, Selected]]:
    for query in _of_prometheus(dashboard):
        for selector in _parsed(query.expr, dashboard) or ():
            yield query, selector
