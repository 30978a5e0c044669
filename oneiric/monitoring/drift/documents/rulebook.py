"""The rules of a run, kept small: what each is called, asks for and adds, and what its result is like."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from oneiric.monitoring.drift.queries import (
    UNKNOWN,
    KnownRule,
    Value,
    discarding,
    is_about_us,
    judge_logql,
    judge_promql,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oneiric.monitoring.drift.queries import Context
    from oneiric.monitoring.notation.text import Piece, Place


class Asking(Protocol):
    """A rule as far as its query goes."""

    @property
    def expr(self) -> Piece:
        """The query."""

    @property
    def is_alert(self) -> bool:
        """Whether it is an alert."""

    @property
    def is_logql(self) -> bool:
        """Whether Loki evaluates it."""


def judge_rule(rule: Asking, context: Context) -> Value:
    """Report what is wrong with the query of *rule*, and return what is known of its result."""
    if rule.is_logql:
        return judge_logql(rule.expr, context, is_loaded=True)
    return judge_promql(rule.expr, context, "alert" if rule.is_alert else "record", is_loaded=True)


class RuleBook:
    """All rules of a run: what one gives is worked out when it is asked for, once."""

    def __init__(self) -> None:
        self._rules: list[KnownRule] = []
        self._records: dict[str, KnownRule] = {}
        self._alerts: list[KnownRule] = []
        self._first: dict[object, Place] = {}
        self._values: dict[str, Value] = {}
        self._context: Context | None = None

    def add(self, rule: KnownRule) -> None:
        """Take *rule*, which is in one of the files, in."""
        self._rules.append(rule)
        self._first.setdefault(rule.key, rule.place)
        self.know(rule)

    def know(self, rule: KnownRule) -> None:
        """Take *rule* in as one that queries and routes may ask for."""
        if rule.is_alert:
            self._alerts.append(rule)
        else:
            self._records.setdefault(rule.name, rule)

    def use(self, context: Context) -> None:
        """Work values out in *context* from now on."""
        self._context = context

    def __iter__(self) -> Iterator[KnownRule]:
        yield from self._rules

    def first(self, rule: KnownRule) -> Place:
        """Return where the first rule beside *rule* is that has its name and labels: *rule* itself, perhaps."""
        return self._first.get(rule.key, rule.place)

    def has_ours(self, context: Context, *, is_alert: bool) -> bool:
        """Whether one of the files has an alert, or a recording rule, about us."""
        return any(rule.is_alert is is_alert and is_about_us(rule.expr.text, context) for rule in self._rules)

    def names(self) -> Iterator[str]:
        """Give the names of recording rules."""
        yield from self._records

    def alert_names(self) -> Iterator[str]:
        """Give the names of the alerts."""
        yield from (rule.name for rule in self._alerts)

    def alerts(self) -> Iterator[tuple[KnownRule, Value]]:
        """Give the alerts, each with what is known of its result."""
        context = self._context
        yield from ((rule, judge_rule(rule, discarding(context))) for rule in self._alerts if context is not None)

    def value(self, name: str) -> Value | None:
        """Return the value of the rule that records *name*, or None where there is none."""
        rule = self._records.get(name)
        if rule is None or self._context is None:
            return None
        if name not in self._values:
            self._values[name] = UNKNOWN  # a rule that reads itself, directly or not
            self._values[name] = _recorded(rule, judge_rule(rule, discarding(self._context)))
        return self._values[name]


def _recorded(rule: KnownRule, value: Value) -> Value:
    labels = None if value.labels is None else value.labels | {*rule.labels}
    return replace(value, labels=labels, window=None, once=False)
