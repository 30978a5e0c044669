"""Rule files: what they record and which alerts they have, and what is wrong with the rules themselves."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from oneiric.monitoring.drift.documents.rulebook import judge_rule
from oneiric.monitoring.drift.queries import KnownRule, is_about_us, is_logql, is_open
from oneiric.monitoring.notation.promql import seconds
from oneiric.monitoring.notation.text import Piece, Source

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from oneiric.monitoring.drift.queries import Context
    from oneiric.monitoring.notation.nodes import Node

_DURATION = re.compile(r"(\d+(ms|[smhdwy]))+|0")
_OTHER_LANGUAGES = {"vlogs", "graphite", "sql"}
"""What groups of vmalert say that their queries are in."""


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

    def known(self) -> KnownRule:
        """Return this without the file that it is in."""
        place = self.name.place()
        expr = Piece.whole(Source(place.path, self.expr.text))
        return KnownRule(self.name.text, self.labels, expr, self.is_alert, self.is_logql, place)


def groups_of(document: Node) -> Node:
    """Return the groups of the rule file, or PrometheusRule, *document*."""
    return document.get("spec", "groups") or document.get("groups")


def read_rules(document: Node, context: Context, *, is_for_loki: bool) -> list[Rule]:
    """Return the rules of a rule file, and report what is not one; queries in languages of others are left out."""
    groups = groups_of(document)
    rules: list[Rule] = []
    if not _is_list(groups):
        context.report.at(groups.text, 0, "ON011", "groups must be a list")
    for group in groups.items:
        if is_of_others(group):
            continue
        _judge_duration(group.get("interval"), context)
        listed = group.get("rules")
        if not _is_list(listed):
            context.report.at(listed.text, 0, "ON011", "rules must be a list")
        found = (_rule(node, context, is_for_loki=is_for_loki) for node in listed.items)
        rules.extend(rule for rule in found if rule is not None)
    return rules


def is_of_others(group: Node) -> bool:
    """Whether *group* says that its queries are neither PromQL nor LogQL."""
    return group.word("type") in _OTHER_LANGUAGES


def shown_rules(document: Node) -> Iterator[Rule]:
    """Give the rules that *document*, a part of a text, shows, whole or not."""
    waiting = [document]
    while waiting:
        node = waiting.pop()
        expr, name = node.string("expr"), node.get("alert") or node.get("record")
        if expr is not None and name:
            yield Rule(name.text, node, expr, bool(node.get("alert")), is_logql(expr.text))
        if not is_of_others(node):
            waiting.extend(reversed((*node.items, *(value for _, value in node.pairs))))


def _is_list(node: Node) -> bool:
    """Whether *node* is a list; one that is missing, or empty, is one without rules to Prometheus."""
    return node.kind in {"list", "nothing"} or (node.kind == "other" and node.text.text.lower() in {"", "~", "null"})


def _rule(node: Node, context: Context, *, is_for_loki: bool) -> Rule | None:
    alert, record = node.get("alert"), node.get("record")
    expr = node.get("expr")
    if bool(alert) == bool(record) or expr.kind not in {"string", "number"}:
        context.report.at(node.text, 0, "ON011", "a rule must have expr, and either alert or record")
        return None
    _judge_duration(node.get("for"), context)
    _judge_duration(node.get("keep_firing_for"), context)
    name = alert or record
    return Rule(name.text, node, expr.text, bool(alert), is_logql(expr.text.text, is_for_loki=is_for_loki))


def _judge_duration(node: Node, context: Context) -> None:
    if node and not _DURATION.fullmatch(node.text.text) and not is_open(node.text.text):
        hint = "numbers with ms, s, m, h, d, w or y: 5m"
        context.report.at(node.text, 0, "ON409", f"{node.text.text!r} is not a duration", hint)


def judge_record(rule: Rule, context: Context) -> None:
    """Report what is wrong with the recording rule *rule*."""
    judge_rule(rule, context)
    if not is_about_us(rule.expr.text, context):
        return
    name = rule.name.text
    judge_twice(rule, f"{name} is recorded twice", context)
    pattern = context.policy.record_name
    if pattern and not re.fullmatch(pattern, name):
        context.report.at(rule.name, 0, "ON408", f"{name} is not as the policy wants names of recording rules", pattern)


def judge_twice(rule: Rule, message: str, context: Context) -> None:
    """Report *rule* with *message* where the files beside it have another one of its name and labels."""
    first = context.records.first(rule.known())
    if first != rule.name.place():
        context.report.at(rule.name, 0, "ON407", message, f"first in {first.path}:{first.line}")


def hold_of(rule: Rule) -> float:
    """Return how many seconds *rule* must hold before it fires."""
    return seconds(rule.node.word("for")) or 0.0
