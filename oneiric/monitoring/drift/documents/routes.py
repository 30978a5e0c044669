"""Alertmanager's configuration: receivers, routes and inhibitions that fit the alerts there are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from oneiric.monitoring.drift.findings import LIKE_AN_ALERT, did_you_mean, one_of
from oneiric.monitoring.drift.queries import KUBERNETES_LABELS
from oneiric.monitoring.notation.regex import alternatives, matches_any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from oneiric.monitoring.drift.queries import Context, KnownRule, Value
    from oneiric.monitoring.notation.nodes import Node
    from oneiric.monitoring.notation.text import Piece

_MATCHER = re.compile(
    r"\s*(?:(?P<name>[^\s{}!=~,\\\"'`]+)|\"(?P<quoted>(?:[^\"\\]|\\.)+)\")\s*(?P<operator>=~|!~|!=|=)\s*"
    r"(?:\"(?P<text>(?:[^\"\\]|\\.)*)\"|(?P<bare>[^\",]*))\s*"
)
_MATCHERS = (
    ("matchers", "match", "match_re"),
    ("source_matchers", "source_match", "source_match_re"),
    ("target_matchers", "target_match", "target_match_re"),
)
"""Where matchers stand: of routes, of what inhibits, of what is inhibited; in the new form and the old ones."""
_LIKE_A_LABEL = 0.75
_LIKE_A_SHORT_LABEL = 0.6
ALERT_NAME = "alertname"
_EVERY_LABEL = "..."


@dataclass(frozen=True, slots=True)
class Notice:
    """What an alert sends to Alertmanager: labels with fixed values, and all labels it can have (None: any)."""

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


def _asked(matcher: Matcher) -> list[tuple[int, str]]:
    return alternatives(matcher.value) if matcher.operator in {"=~", "!~"} else [(0, matcher.value)]


def _matcher(piece: Piece, match: re.Match[str]) -> Matcher:
    name = "name" if match["name"] else "quoted"
    value = "bare" if match["text"] is None else "text"
    text = (
        re.sub(r"\\(.)", lambda found: {"n": "\n"}.get(found[1], found[1]), match[value])
        if value == "text"
        else match[value].strip()
    )
    return Matcher(piece, match[name], match.start(name), match["operator"], text, match.start(value))


def notice_of(rule: KnownRule, value: Value) -> Notice:
    """Return the notice of the alert *rule*, whose expression gives *value*."""
    fixed = {name: text for name, text in rule.labels.items() if "{{" not in text}
    labels = None if value.labels is None else value.labels | {*rule.labels, ALERT_NAME}
    return Notice({**fixed, ALERT_NAME: rule.name}, labels)


def judge_alertmanager(
    node: Node, context: Context, notices: list[Notice], *, is_strict: bool, is_complete: bool
) -> None:
    """Report what is wrong with the configuration *node*, which routes *notices*.

    Unless *is_strict*, there may be further alerts of ours; unless *is_complete*, there may be further ones of others.
    Labels and values that none of *notices* has are no findings where such further alerts may have them.
    """
    _Alertmanager(node, context, notices, is_strict=is_strict, is_complete=is_complete).run()


class _Alertmanager:
    def __init__(
        self, node: Node, context: Context, notices: list[Notice], *, is_strict: bool, is_complete: bool
    ) -> None:
        self._node = node
        self._context = context
        self._notices = notices
        self._used: set[str] = set()
        self._is_complete = is_complete
        prefix = context.vocabulary.prefix
        self._prefix = prefix.capitalize()
        self._is_ours = any(prefix in one.text.text.lower() for one in node.walk() if one.kind == "string")
        self._is_strict = is_strict
        self._is_shared = not is_complete and any(map(self._is_foreign, self._all_matchers()))

    def run(self) -> None:
        names = {receiver.word("name"): receiver.get("name") for receiver in self._node.get("receivers").items}
        for route in self._routes(self._node.get("route")):
            self._route(route, frozenset(names))
        for name, node in names.items() if self._is_ours else ():
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
        for matcher in self._matchers(route, *_MATCHERS[0]):
            self._judge(matcher)
        for label in route.get("group_by").items if self._is_judged() and self._is_strict else ():
            name = label.text.text
            if name != _EVERY_LABEL and not self._is_known(name):
                self._lacks(label.text, 0, "ON507", name)

    def _is_judged(self) -> bool:
        return self._is_ours and bool(self._notices)

    def _is_known(self, label: str) -> bool:
        return any(notice.has(label) for notice in self._notices)

    def _meant(self, label: str) -> str:
        """Return a question for the label of ours that *label* is nearly, or ""; short ones differ sooner."""
        alike = _LIKE_A_LABEL if len(label) > len("name") else _LIKE_A_SHORT_LABEL
        return did_you_mean(label, self._labels() - {label}, alike=alike)

    def _lacks(self, piece: Piece, at: int, code: str, label: str) -> None:
        """Report that no alert has *label*: one that is not like any label of ours may be that of others' alerts."""
        hint = self._meant(label)
        if hint or self._is_complete:
            self._context.report.at(piece, at, code, f"no alert has a label {label}", hint)

    def _is_foreign(self, matcher: Matcher) -> bool:
        """Whether *matcher* asks for what only alerts of others have."""
        if matcher.name != ALERT_NAME:
            is_ours = self._is_known(matcher.name) and matcher.name not in KUBERNETES_LABELS
            return not is_ours and not self._meant(matcher.name)
        known = {notice.fixed[ALERT_NAME] for notice in self._notices}
        return not any(self._is_our_alert(text, known) for _, text in _asked(matcher)) and not any(
            matcher.can_match(notice) for notice in self._notices
        )

    def _is_our_alert(self, name: str, known: set[str]) -> bool:
        """Whether *name* is meant to be that of an alert of ours."""
        return self._prefix in name or bool(did_you_mean(name, known, alike=LIKE_AN_ALERT))

    def _all_matchers(self) -> Iterator[Matcher]:
        """Give every matcher that reads, without a word on those that do not."""
        nodes = [*self._routes(self._node.get("route")), *self._node.get("inhibit_rules").items]
        for node in nodes:
            for keys in _MATCHERS:
                yield from self._matchers(node, *keys, is_told=False)

    def _labels(self) -> frozenset[str]:
        found = frozenset(label for notice in self._notices for label in notice.labels or ())
        return found - KUBERNETES_LABELS

    def _matchers(self, node: Node, *keys: str, is_told: bool = True) -> list[Matcher]:
        found = []
        for key in keys:
            for item in node.get(key).items:
                found += self._parsed(item.text, is_told=is_told)
            for name, value in node.get(key).pairs:
                operator = "=~" if key.endswith("_re") else "="
                found.append(Matcher(value.text, name.text.text, 0, operator, value.text.text, 0))
        return found

    def _parsed(self, piece: Piece, *, is_told: bool) -> list[Matcher]:
        """Return the matchers of *piece*: one, or several with commas between them, in braces or not."""
        stripped = piece.stripped()
        inner = stripped[1:-1] if stripped.text[:1] + stripped.text[-1:] == "{}" else piece
        found, at = [], 0
        while inner.text[at:].strip():
            match = _MATCHER.match(inner.text, at)
            if match is None or inner.text[match.end() : match.end() + 1] not in {"", ","}:
                if is_told:
                    message = f"{piece.text!r} is not a matcher"
                    self._context.report.at(piece, 0, "ON508", message, 'write label="value"')
                return []
            found.append(_matcher(inner, match))
            at = match.end() + 1
        return found

    def _judge(self, matcher: Matcher) -> None:
        if not self._is_judged() or not (self._is_strict or matcher.name == ALERT_NAME):
            return
        if not self._is_known(matcher.name):
            self._lacks(matcher.piece, matcher.name_at, "ON502", matcher.name)
            return
        if any(matcher.name not in notice.fixed and notice.has(matcher.name) for notice in self._notices):
            return
        if not self._is_shared or matcher.name == ALERT_NAME:
            self._values(matcher)

    def _values(self, matcher: Matcher) -> None:
        known = {notice.fixed[matcher.name] for notice in self._notices if matcher.name in notice.fixed}
        is_pattern = matcher.operator in {"=~", "!~"}
        for at, text in _asked(matcher):
            if matcher.name == ALERT_NAME and not self._is_our_alert(text, known):
                continue
            if text and not (matches_any(text, known) if is_pattern else text in known):
                code = "ON505" if matcher.name == ALERT_NAME else "ON503"
                message = f"no alert has {matcher.name} {text}"
                hint = did_you_mean(text, known) if matcher.name == ALERT_NAME else one_of(known, text)
                self._context.report.at(matcher.piece, matcher.value_at + at, code, message, hint)

    def _inhibition(self, rule: Node) -> None:
        sides = []
        for keys in _MATCHERS[1:]:
            matchers = self._matchers(rule, *keys)
            for matcher in matchers:
                self._judge(matcher)
            sides.append([one for one in self._notices if all(matcher.can_match(one) for matcher in matchers)])
        if self._is_judged() and all(sides):
            for label in rule.get("equal").items:
                self._equal(label.text, *sides)

    def _equal(self, label: Piece, sources: list[Notice], targets: list[Notice]) -> None:
        for side, notices in (("inhibits", sources), ("is inhibited", targets)):
            if not any(one.has(label.text) for one in notices):
                hint = self._meant(label.text)
                if hint or self._is_complete or self._is_known(label.text):
                    message = f"no alert that {side} has a label {label.text}"
                    self._context.report.at(label, 0, "ON504", message, hint)
                return
