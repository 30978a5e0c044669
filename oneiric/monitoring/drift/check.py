"""The check of files: what is read, in which order it is understood, and what is asked of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from oneiric.monitoring.drift.documents import (
    UNKNOWN_SURFACE,
    RuleBook,
    Surface,
    Survey,
    Targets,
    Validators,
    judge_alert,
    judge_alertmanager,
    judge_alloy,
    judge_dashboard,
    judge_deployment,
    judge_live,
    judge_markdown,
    judge_openslo,
    judge_promtail,
    judge_record,
    judge_uid,
    judge_usage,
    notice_of,
    read_again,
    read_rules,
    shipped_rules,
)
from oneiric.monitoring.drift.findings import NOTHING_ASKED, Policy, Report
from oneiric.monitoring.drift.queries import USUAL, Context, Pace, Vocabulary

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from oneiric.monitoring.drift.documents import Document, Notice
    from oneiric.monitoring.drift.findings import Finding
    from oneiric.monitoring.notation.text import Source

_IGNORED = re.compile(r"oneiric: ignore ((?:ON\d{3}(?:,\s*)?)+)")


@dataclass(frozen=True, slots=True)
class Options:
    """How the check is made.

    Attributes:
        target_labels: Labels that the scrape configuration gives to targets, beside job and instance.
        pace: How often things happen, where no file says so.
        ignored: Codes that are not reported.
        surface: What can be typed at the command line, and set in the environment.
        against: The URL of a live endpoint that the files are held against, or "".
        is_complete: Whether the files are all there are, so that a signal none of them uses is a finding.
        policy: What is asked for beyond what is right or wrong.
        is_validated: Whether promtool and amtool are asked, too, where they are on the path.
    """

    target_labels: frozenset[str] = frozenset()
    pace: Pace = USUAL
    ignored: frozenset[str] = frozenset()
    surface: Surface = UNKNOWN_SURFACE
    is_complete: bool = False
    against: str = ""
    policy: Policy = NOTHING_ASKED
    is_validated: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check found, in how many files it looked, and what, in a sentence each, it could not do."""

    findings: tuple[Finding, ...]
    files: int
    notices: tuple[str, ...] = ()


def check(paths: Iterable[Path], options: Options | None = None) -> Outcome:
    """Check the files of *paths*, and of the directories among them.

    Files are read twice, one at a time: first for what the others need to know of them, then for what is wrong.
    """
    options = options or Options()
    report = Report()
    survey = Survey(Context(Vocabulary(), Report(), RuleBook()))
    survey.take(paths, report)
    with Validators() as validators:
        _Check(survey, options, report, validators).run()
        notices = validators.run(report) if options.is_validated else ()
    found = tuple(_wanted(report, options))
    return Outcome(found, len(survey.paths) + survey.broken, notices)


def _wanted(report: Report, options: Options) -> Iterator[Finding]:
    """Give the findings that are not ignored, by an option or where they are."""
    source: Source | None = None
    path = ""
    for finding in report:
        if finding.code in options.ignored:
            continue
        if finding.path != path:
            path = finding.path
            source = read_again(Path(path)) if path and "://" not in path else None
        if source is None or not _is_ignored(finding, source):
            yield finding


def _is_ignored(finding: Finding, source: Source) -> bool:
    lines = [source.line(number) for number in (finding.line - 1, finding.line) if 0 < number <= source.lines]
    return any(finding.code in found[1] for line in lines for found in _IGNORED.finditer(line))


class _Check:
    def __init__(self, survey: Survey, options: Options, report: Report, validators: Validators) -> None:
        self._survey = survey
        self._options = options
        self._validators = validators
        vocabulary = Vocabulary(
            target_labels=Vocabulary().target_labels | options.target_labels | survey.target_labels,
            has_targets=survey.has_targets,
        )
        self._context = Context(
            vocabulary,
            report,
            survey.book,
            survey.pace(options.pace),
            stream_labels=frozenset(survey.stream_labels),
            has_streams=survey.has_streams,
            policy=options.policy,
        )
        self._targets = Targets(survey.headings, frozenset(uid for _, uid in survey.uids))
        self._has_our_alerts = survey.book.has_ours(survey.context, is_alert=True)
        self._know_shipped()
        survey.book.use(self._context)
        self._notices: list[Notice] | None = None

    def _know_shipped(self) -> None:
        """Let queries and routes ask for the bundle's rules too, unless these, or some of them, are among the files."""
        book = self._survey.book
        shipped = shipped_rules(self._survey.context)
        names = {rule.name for rule in shipped}
        here = {rule.is_alert for rule in book if rule.name in names}
        for rule in shipped:
            if rule.is_alert not in here:
                book.know(rule)

    def run(self) -> None:
        for document in self._survey.again():
            self._judge(document)
        if self._options.against:
            judge_live(self._options.against, self._context)
        if self._options.is_complete:
            judge_usage(self._context)

    def _judge(self, document: Document) -> None:
        node, context = document.node, self._context
        match document.kind:
            case "rules":
                self._judge_rules(document)
            case "dashboard":
                judge_uid(node, context, self._survey.uids)
                judge_dashboard(node, context, self._targets)
            case "markdown":
                judge_markdown(document.piece, context, self._options.surface)
            case "alertmanager":
                self._judge_alertmanager(document)
            case "promtail":
                judge_promtail(node, context)
            case "alloy":
                judge_alloy(document.piece, context)
            case "openslo":
                judge_openslo(node, context)
            case "workload" | "compose" | "dockerfile" | "unit":
                judge_deployment(document, context, self._options.surface)
            case "prometheus":
                self._validators.take("prometheus", node)

    def _judge_rules(self, document: Document) -> None:
        rules = read_rules(document.node, self._context, is_for_loki=document.is_for_loki)
        for rule in rules:
            if rule.is_alert:
                judge_alert(rule, self._context, self._targets)
            else:
                judge_record(rule, self._context)
        if not any(rule.is_logql for rule in rules):
            self._validators.take("rules", document.node)

    def _judge_alertmanager(self, document: Document) -> None:
        if self._notices is None:
            self._notices = [notice_of(rule, value) for rule, value in self._survey.book.alerts()]
        judge_alertmanager(
            document.node,
            self._context,
            self._notices,
            is_strict=self._has_our_alerts,
            is_complete=self._options.is_complete,
        )
        self._validators.take("alertmanager", document.node)
