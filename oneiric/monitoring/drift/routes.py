"""Alertmanager's configuration: receivers, routes and inhibitions that fit the alerts there are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from oneiric.monitoring.drift.alternatives import alternatives, matches_any
from oneiric.monitoring.drift.finding import did_you_mean, one_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from oneiric.monitoring.drift.nodes import Node
    from oneiric.monitoring.drift.query import Context
    from oneiric.monitoring.drift.rules import Rule
    from oneiric.monitoring.drift.text import Piece
    from oneiric.monitoring.drift.values import Value

_MATCHER = re.compile(
    r"\s*(?P<name>[a-zA-Z_]\w*)\s*(?P<operator>=~|!~|!=|=)\s*(?P<quote>\"?)(?P<value>.*?)(?P=quote)\s*"
)
ALERT_NAME = "alertname"
_EVERY_LABEL = "..."


@dataclass(frozen=True, slots=True)
class Notice:
    """What an alert tells Alertmanager: labels with fixed values, and all labels it can have (None: any)."""

    fixed: Mapping[str, str]
    labels: frozenset[str] | None

    def has(self, label: str) -> bool:
        """Whether it can have *label*."""
        return self.labels is None or label in self.labels


@dataclass(frozen=True, slots=True)
class Matcher:
    """A matcher, and where its label and its value begin."""

    piece: Piece
    name: str
    name_at: int
    operator: str
    value: str
    value_at: int

    def can_match(self, notice: Notice) -> bool:
        """Whether an alert like *notice* can fit."""
        fixed = notice.fixed.get(self.name)
        if fixed is None:
            return notice.has(self.name) or (self.operator in {"!=", "!~"}) or not self.value
        found = matches_any(self.value, (fixed,)) if self.operator in {"=~", "!~"} else self.value == fixed
        return found if self.operator in {"=", "=~"} else not found or self.operator == "!~"


def notice_of(rule: Rule, value: Value) -> Notice:
    """Return what the alert *rule*, whose expression gives *value*, tells."""
    fixed = {name: text for name, text in rule.labels.items() if "{{" not in text}
    labels = None if value.labels is None else value.labels | {*rule.labels, ALERT_NAME}
    return Notice({**fixed, ALERT_NAME: rule.name.text}, labels)


def judge_alertmanager(node: Node, context: Context, notices: list[Notice], *, is_strict: bool) -> None:
    """Report what is wrong with the configuration *node*, which routes *notices*.

    Unless *is_strict*, there may be further alerts: labels and values that none of *notices* has are no findings.
    """
    _Alertmanager(node, context, notices, is_strict=is_strict).run()


class _Alertmanager:
    def __init__(self, node: Node, context: Context, notices: list[Notice], *, is_strict: bool) -> None:
        self._node = node
        self._context = context
        self._notices = notices
        self._used: set[str] = set()
        self._is_strict = is_strict
        prefix = context.vocabulary.prefix
        self._prefix = prefix.capitalize()
        self._is_ours = any(prefix in one.text.text.lower() for one in node.walk() if one.kind == "string")

    def run(self) -> None:
        names = {receiver.word("name"): receiver.get("name") for receiver in self._node.get("receivers").items}
        for route in self._routes(self._node.get("route")):
            self._route(route, frozenset(names))
        for name, node in names.items():
            if name not in self._used:
                self._context.report.at(node.text, 0, "ON506", f"no route leads to {name}")
        for rule in self._node.get("inhibit_rules").items:
            self._inhibition(rule)

    def _routes(self, route: Node) -> Iterator[Node]:
        waiting = [route]
        while waiting:
            one = waiting.pop()
            yield one
            waiting.extend(reversed(one.get("routes").items))

    def _route(self, route: Node, receivers: frozenset[str]) -> None:
        receiver = route.get("receiver")
        if receiver:
            self._used.add(receiver.text.text)
            if receiver.text.text not in receivers:
                hint = did_you_mean(receiver.text.text, receivers)
                self._context.report.at(receiver.text, 0, "ON501", f"there is no receiver {receiver.text.text}", hint)
        for matcher in self._matchers(route, "matchers", "match", "match_re"):
            self._judge(matcher)
        for label in route.get("group_by").items:
            name = label.text.text
            if (
                self._is_judged()
                and self._is_strict
                and name != _EVERY_LABEL
                and not any(one.has(name) for one in self._notices)
            ):
                hint = did_you_mean(name, self._labels())
                self._context.report.at(label.text, 0, "ON507", f"no alert has a label {name}", hint)

    def _is_judged(self) -> bool:
        return self._is_ours and bool(self._notices)

    def _labels(self) -> frozenset[str]:
        return frozenset(label for notice in self._notices for label in notice.labels or ())

    def _matchers(self, node: Node, *keys: str) -> list[Matcher]:
        found = []
        for key in keys:
            parsed = [self._parsed(item.text) for item in node.get(key).items]
            found += [matcher for matcher in parsed if matcher is not None]
            for name, value in node.get(key).pairs:
                operator = "=~" if key.endswith("_re") else "="
                found.append(Matcher(value.text, name.text.text, 0, operator, value.text.text, 0))
        return found

    def _parsed(self, piece: Piece) -> Matcher | None:
        found = _MATCHER.fullmatch(piece.text)
        if found is None:
            self._context.report.at(piece, 0, "ON508", f"{piece.text!r} is not a matcher", 'write label="value"')
            return None
        return Matcher(
            piece, found["name"], found.start("name"), found["operator"], found["value"], found.start("value")
        )

    def _judge(self, matcher: Matcher) -> None:
        if not self._is_judged() or not (self._is_strict or matcher.name == ALERT_NAME):
            return
        if not any(notice.has(matcher.name) for notice in self._notices):
            hint = did_you_mean(matcher.name, self._labels())
            message = f"no alert has a label {matcher.name}"
            self._context.report.at(matcher.piece, matcher.name_at, "ON502", message, hint)
            return
        if any(matcher.name not in notice.fixed and notice.has(matcher.name) for notice in self._notices):
            return
        known = {notice.fixed[matcher.name] for notice in self._notices if matcher.name in notice.fixed}
        is_pattern = matcher.operator in {"=~", "!~"}
        for at, text in alternatives(matcher.value) if is_pattern else [(0, matcher.value)]:
            if matcher.name == ALERT_NAME and not text.startswith(self._prefix):
                continue
            if text and not (matches_any(text, known) if is_pattern else text in known):
                code = "ON505" if matcher.name == ALERT_NAME else "ON503"
                message = f"no alert has {matcher.name} {text}"
                hint = did_you_mean(text, known) if matcher.name == ALERT_NAME else one_of(known, text)
                self._context.report.at(matcher.piece, matcher.value_at + at, code, message, hint)

    def _inhibition(self, rule: Node) -> None:
        sides = []
        for side in ("source", "target"):
            matchers = self._matchers(rule, f"{side}_matchers", f"{side}_match", f"{side}_match_re")
            for matcher in matchers:
                self._judge(matcher)
            sides.append([one for one in self._notices if all(matcher.can_match(one) for matcher in matchers)])
        for label in rule.get("equal").items if self._is_judged() else ():
            for side, notices in zip(("inhibits", "is inhibited"), sides, strict=True):
                if notices and not any(one.has(label.text.text) for one in notices):
                    hint = did_you_mean(label.text.text, self._labels())
                    message = f"no alert that {side} has a label {label.text.text}"
                    self._context.report.at(label.text, 0, "ON504", message, hint)
                    break
