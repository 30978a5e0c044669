"""Rule files: what they record and which alerts they have, and what is wrong with the rules themselves."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from oneiric.monitoring.drift.logs import judge_logql, looks_like_logql
from oneiric.monitoring.drift.promql import judge_promql
from oneiric.monitoring.drift.promql_tokens import seconds
from oneiric.monitoring.drift.query import is_about_us, unheard
from oneiric.monitoring.drift.values import UNKNOWN, Value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from oneiric.monitoring.drift.nodes import Node
    from oneiric.monitoring.drift.query import Context, Role
    from oneiric.monitoring.drift.text import Piece

_DURATION = re.compile(r"(\d+(ms|[smhdwy]))+|0")
_RECORD = re.compile(r"[a-zA-Z_]\w*(:[a-zA-Z_]\w*){2}")


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """A rule of a file.

    Attributes:
        name: What it records, or the alert's name.
        node: The rule.
        expr: Its query.
        is_alert: Whether it is an alert.
        is_logql: Whether Loki evaluates it.
    """

    name: Piece
    node: Node
    expr: Piece
    is_alert: bool
    is_logql: bool

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels that the rule itself adds."""
        return {key.text.text: value.text.text for key, value in self.node.get("labels").pairs}


def read_rules(document: Node, context: Context, *, is_logql: bool) -> list[Rule]:
    """Return the rules of a rule file, and report what is not one."""
    groups = document.get("spec", "groups") or document.get("groups")
    rules: list[Rule] = []
    if not _is_list(groups):
        context.report.at(groups.text, 0, "ON011", "groups must be a list")
    for group in groups.items:
        _judge_duration(group.get("interval"), context)
        listed = group.get("rules")
        if not _is_list(listed):
            context.report.at(listed.text, 0, "ON011", "rules must be a list")
        rules.extend(rule for node in listed.items if (rule := _rule(node, context, is_logql=is_logql)) is not None)
    return rules


def _is_list(node: Node) -> bool:
    """Whether *node* is a list; one that is missing, or empty, is one without rules to Prometheus."""
    return node.kind in {"list", "nothing"} or (node.kind == "other" and node.text.text.lower() in {"", "~", "null"})


def _rule(node: Node, context: Context, *, is_logql: bool) -> Rule | None:
    alert, record = node.get("alert"), node.get("record")
    expr = node.get("expr")
    if bool(alert) == bool(record) or expr.kind not in {"string", "number"}:
        context.report.at(node.text, 0, "ON011", "a rule must have expr, and either alert or record")
        return None
    _judge_duration(node.get("for"), context)
    _judge_duration(node.get("keep_firing_for"), context)
    name = alert or record
    return Rule(name.text, node, expr.text, bool(alert), is_logql or looks_like_logql(expr.text.text))


def _judge_duration(node: Node, context: Context) -> None:
    if node and not _DURATION.fullmatch(node.text.text):
        hint = "numbers with ms, s, m, h, d, w or y: 5m"
        context.report.at(node.text, 0, "ON409", f"{node.text.text!r} is not a duration", hint)


class RuleBook:
    """All rules of a run: what a record gives is worked out when it is asked for, once."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []
        self._known: list[Rule] = []
        self._records: dict[str, Rule] = {}
        self._values: dict[str, Value] = {}
        self._context: Context | None = None

    def add(self, rule: Rule) -> None:
        """Take *rule* in."""
        self._rules.append(rule)
        if not rule.is_alert:
            self._records.setdefault(rule.name.text, rule)

    def know(self, rule: Rule) -> None:
        """Take *rule* in as one that is there besides: queries may ask for it, and it is not judged."""
        self._known.append(rule)
        if not rule.is_alert:
            self._records.setdefault(rule.name.text, rule)

    def use(self, context: Context) -> None:
        """Work values out in *context* from now on."""
        self._context = context

    def __iter__(self) -> Iterator[Rule]:
        yield from self._rules

    @property
    def alerts(self) -> list[Rule]:
        """The alerts."""
        return [rule for rule in self._rules if rule.is_alert]

    @property
    def records(self) -> list[Rule]:
        """The recording rules."""
        return [rule for rule in self._rules if not rule.is_alert]

    def names(self) -> Iterator[str]:
        """Give what is recorded."""
        yield from self._records

    def alert_names(self) -> Iterator[str]:
        """Give the names of the alerts."""
        yield from (rule.name.text for rule in (*self._rules, *self._known) if rule.is_alert)

    def notices(self) -> list[tuple[Rule, Value]]:
        """Return the alerts that are there besides, with what is known of their results."""
        if self._context is None:
            return []
        return [(rule, judge_rule(rule, unheard(self._context))) for rule in self._known if rule.is_alert]

    def is_told(self, rule: Rule) -> bool:
        """Whether *rule* is the one whose value is told for its name, and so judged with it."""
        return self._records.get(rule.name.text) is rule

    def value(self, name: str) -> Value | None:
        """Return what the rule that records *name* gives, or None where there is none."""
        rule = self._records.get(name)
        if rule is None or self._context is None:
            return None
        if name not in self._values:
            self._values[name] = UNKNOWN  # a rule that reads itself, directly or not
            context = unheard(self._context) if rule in self._known else self._context
            self._values[name] = _recorded(rule, judge_rule(rule, context))
        return self._values[name]


def _recorded(rule: Rule, value: Value) -> Value:
    labels = None if value.labels is None else value.labels | {*rule.labels}
    return replace(value, labels=labels, window=None, once=False)


def judge_rule(rule: Rule, context: Context) -> Value:
    """Report what is wrong with the query of *rule*, and return what is known of its result."""
    role: Role = "alert" if rule.is_alert else "record"
    if rule.is_logql:
        return judge_logql(rule.expr, context, is_loaded=True)
    return judge_promql(rule.expr, context, role)


def judge_records(book: RuleBook, context: Context) -> None:
    """Report what is wrong with recording rules beside their queries."""
    seen: dict[tuple[str, tuple[tuple[str, str], ...]], Rule] = {}
    for rule in book.records:
        book.value(rule.name.text)
        name, key = rule.name.text, (rule.name.text, tuple(sorted(rule.labels.items())))
        if not book.is_told(rule):
            judge_rule(rule, context)
        is_ours = is_about_us(rule.expr.text, context)
        if key in seen and is_ours:
            context.report.at(rule.name, 0, "ON407", f"{name} is recorded twice", _first(seen[key]))
        seen.setdefault(key, rule)
        if is_ours and not _RECORD.fullmatch(name):
            context.report.at(rule.name, 0, "ON408", f"{name} is not level:metric:operations")


def _first(rule: Rule) -> str:
    place = rule.name.place()
    return f"first in {place.path}:{place.line}"


def hold_of(rule: Rule) -> float:
    """Return how many seconds *rule* must hold before it fires."""
    return seconds(rule.node.word("for")) or 0.0
