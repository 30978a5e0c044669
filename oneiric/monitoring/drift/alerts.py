"""Alerts: names, severities, texts and links that hold."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from oneiric.monitoring.config import Severity
from oneiric.monitoring.drift.finding import did_you_mean, one_of
from oneiric.monitoring.drift.rules import hold_of, judge_rule

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oneiric.monitoring.drift.query import Context
    from oneiric.monitoring.drift.rules import Rule, RuleBook
    from oneiric.monitoring.drift.text import Piece
    from oneiric.monitoring.drift.values import Value

SEVERITIES: tuple[str, ...] = get_args(Severity)
ANNOTATIONS = ("summary", "description", "runbook_url", "dashboard_url")
_IN_WORDS = {"runbook_url": "runbook"}
"""What says it where no address is known."""
_TEMPLATE_LABEL = re.compile(r"\$labels\.([a-zA-Z_]\w*)|index\s+\$labels\s+\"([^\"]*)\"")
_RUNBOOKS = "/runbooks/"
_LIKE_A_UID = 0.8
_DASHBOARD = re.compile(r"/d/([\w-]+)")


@dataclass(frozen=True, slots=True)
class Targets:
    """Where links can lead.

    Attributes:
        headings: The anchors of each document, by the document's path; empty where no document is checked.
        dashboards: The uids of the dashboards; empty where none is checked.
    """

    headings: Mapping[str, frozenset[str]]
    dashboards: frozenset[str]


def judge_alerts(book: RuleBook, context: Context, targets: Targets) -> dict[str, Value]:
    """Report what is wrong with the alerts of *book*; return what is known of the result of each, by name."""
    results: dict[str, Value] = {}
    first: dict[str, Rule] = {}
    for rule in book.alerts:
        value = judge_rule(rule, context)
        name = rule.name.text
        if value.ours or name.lower().startswith(context.vocabulary.prefix):
            _judge(rule, value, context, targets)
            _judge_twice(rule, first.get(name), context)
        first.setdefault(name, rule)
        results.setdefault(name, value)
    return results


def _judge_twice(rule: Rule, first: Rule | None, context: Context) -> None:
    if first is not None and first.labels == rule.labels:
        place = first.name.place()
        hint = f"first in {place.path}:{place.line}"
        context.report.at(rule.name, 0, "ON407", f"there are two alerts {first.name.text}", hint)


def _judge(rule: Rule, value: Value, context: Context, targets: Targets) -> None:
    prefix = context.vocabulary.prefix.capitalize()
    if not re.fullmatch(rf"{prefix}([A-Z0-9][a-z0-9]*)+", rule.name.text):
        context.report.at(rule.name, 0, "ON401", f"{rule.name.text} is not CamelCase with the prefix {prefix}")
    _judge_severity(rule, context)
    _judge_hold(rule, value, context)
    for name in ANNOTATIONS:
        if not any(rule.node.word("annotations", one).strip() for one in (name, _IN_WORDS.get(name, name))):
            context.report.at(rule.name, 0, "ON403", f"{rule.name.text} has no {name}")
    for key, text in rule.node.get("annotations").pairs:
        _judge_text(text.text, value, context)
        if key.text.text.endswith("_url"):
            judge_link(text.text, context, targets, is_runbook=key.text.text == "runbook_url")
    for _, text in rule.node.get("labels").pairs:
        _judge_text(text.text, value, context)


def _judge_severity(rule: Rule, context: Context) -> None:
    severity = rule.node.get("labels", "severity")
    allowed = ", ".join(SEVERITIES)
    if not severity:
        context.report.at(rule.name, 0, "ON402", f"{rule.name.text} has no severity", f"it is one of {allowed}")
    elif severity.text.text not in SEVERITIES and "{{" not in severity.text.text:
        hint = one_of(SEVERITIES, severity.text.text)
        context.report.at(severity.text, 0, "ON402", f"{severity.text.text!r} is no severity", hint)


def _judge_hold(rule: Rule, value: Value, context: Context) -> None:
    hold = hold_of(rule)
    if value.once and value.window is not None and hold >= value.window:
        node = rule.node.get("for")
        message = f"one event makes it true for {value.window:g} s, and it must hold for {hold:g} s: it never fires"
        context.report.at(node.text, 0, "ON307", message, "take a longer window, or a shorter `for`")


def _judge_text(text: Piece, value: Value, context: Context) -> None:
    if value.labels is None:
        return
    for found in _TEMPLATE_LABEL.finditer(text.text):
        group = 1 if found[1] else 2
        if not value.has(found[group] or ""):
            hint = did_you_mean(found[group], value.labels) or f"it has {', '.join(sorted(value.labels)) or 'none'}"
            message = f"the result has no label {found[group]}"
            context.report.at(text, found.start(group), "ON406", message, hint)


def judge_link(url: Piece, context: Context, targets: Targets, *, is_runbook: bool = False) -> None:
    """Report a link to a dashboard, document or heading that is not there, where such are checked."""
    found = _DASHBOARD.search(url.text)
    if found is not None and targets.dashboards and found[1] not in targets.dashboards:
        hint = did_you_mean(found[1], targets.dashboards, alike=_LIKE_A_UID)
        if hint or found[1].startswith(context.vocabulary.prefix):
            context.report.at(url, found.start(1), "ON405", f"there is no dashboard {found[1]}", hint)
    elif ".md" in url.text:
        _judge_document(url, context, targets, is_runbook=is_runbook)


def _judge_document(url: Piece, context: Context, targets: Targets, *, is_runbook: bool) -> None:
    path, _, anchor = url.text.partition("#")
    documents = {name: headings for name, headings in targets.headings.items() if _ends_alike(name, path)}
    known = {heading for headings in documents.values() for heading in headings}
    has_runbooks = any(_RUNBOOKS in f"/{name}" for name in targets.headings)
    if not documents and has_runbooks and _RUNBOOKS in path:
        names = [name.rpartition("/")[2] for name in targets.headings]
        context.report.at(url, 0, "ON404", f"no document {path.rpartition('/')[2]} is there", did_you_mean(path, names))
    elif documents and anchor not in known and (anchor or is_runbook):
        message = f"{path.rpartition('/')[2]} has no heading {anchor or 'to lead to'}"
        context.report.at(url, len(path) + 1 if anchor else 0, "ON404", message, did_you_mean(anchor, known))


def _ends_alike(name: str, path: str) -> bool:
    return name.split("/")[-2:] == path.rstrip("/").split("/")[-2:]
