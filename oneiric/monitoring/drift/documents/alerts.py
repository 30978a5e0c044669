"""Alerts: names, severities, texts and links that hold."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from oneiric.monitoring.drift.documents.rulebook import judge_rule
from oneiric.monitoring.drift.documents.rules import hold_of, judge_twice
from oneiric.monitoring.drift.findings import did_you_mean, one_of
from oneiric.monitoring.drift.queries import KUBERNETES_LABELS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oneiric.monitoring.drift.documents.rules import Rule
    from oneiric.monitoring.drift.queries import Context, Value
    from oneiric.monitoring.notation.text import Piece

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


def judge_alert(rule: Rule, context: Context, targets: Targets) -> None:
    """Report what is wrong with the alert *rule*."""
    value = judge_rule(rule, context)
    name = rule.name.text
    if not value.ours and not name.lower().startswith(context.vocabulary.prefix):
        return
    judge_twice(rule, f"there are two alerts {name}", context)
    _judge_style(rule, context)
    _judge_hold(rule, value, context)
    for key, text in rule.node.get("annotations").pairs:
        _judge_text(text.text, value, context)
        if key.text.text.endswith("_url"):
            judge_link(text.text, context, targets, is_runbook=key.text.text == "runbook_url")
    for _, text in rule.node.get("labels").pairs:
        _judge_text(text.text, value, context)


def _judge_style(rule: Rule, context: Context) -> None:
    """Report what the policy asks of alerts, and *rule* has not."""
    policy, name = context.policy, rule.name.text
    if policy.alert_name and not re.fullmatch(policy.alert_name, name):
        context.report.at(
            rule.name, 0, "ON401", f"{name} is not as the policy wants names of alerts", policy.alert_name
        )
    severity = rule.node.get("labels", "severity")
    if policy.severities and not severity:
        context.report.at(rule.name, 0, "ON402", f"{name} has no severity", one_of(policy.severities))
    elif policy.severities and severity.text.text not in policy.severities and "{{" not in severity.text.text:
        hint = one_of(policy.severities, severity.text.text)
        context.report.at(severity.text, 0, "ON402", f"{severity.text.text!r} is no severity", hint)
    for annotation in policy.annotations:
        if not any(rule.node.word("annotations", one).strip() for one in annotation.split("|")):
            context.report.at(rule.name, 0, "ON403", f"{name} has no {annotation.replace('|', ' or ')}")


def _judge_hold(rule: Rule, value: Value, context: Context) -> None:
    hold = hold_of(rule)
    if value.once and value.step == 1 and value.window is not None and hold >= value.window:
        node = rule.node.get("for")
        message = f"one event makes it true for {value.window:g} s, and it must hold for {hold:g} s"
        hint = "only events that keep coming fire it; for one alone take a longer window, or a shorter `for`"
        context.report.at(node.text, 0, "ON307", message, hint)


def _judge_text(text: Piece, value: Value, context: Context) -> None:
    if value.labels is None:
        return
    for found in _TEMPLATE_LABEL.finditer(text.text):
        group = 1 if found[1] else 2
        if not value.has(found[group] or ""):
            labels = ", ".join(sorted(value.labels - KUBERNETES_LABELS)) or "none"
            hint = did_you_mean(found[group], value.labels) or f"it has {labels}"
            message = f"the result has no label {found[group]}"
            level = value.level_of(found[group], context.vocabulary)
            context.report.at(text, found.start(group), "ON406", message, hint, level=level)


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
