"""The check of files: what is read, in which order it is understood, and what is asked of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from oneiric.monitoring.drift.alerts import Targets, judge_alerts
from oneiric.monitoring.drift.commands import UNKNOWN_SURFACE, Surface
from oneiric.monitoring.drift.complete import judge_usage
from oneiric.monitoring.drift.dashboards import judge_dashboard, judge_uids, uid_of
from oneiric.monitoring.drift.documents import Documents, read_documents
from oneiric.monitoring.drift.live import judge_live
from oneiric.monitoring.drift.markdown import headings, judge_markdown
from oneiric.monitoring.drift.openslo import judge_openslo
from oneiric.monitoring.drift.query import USUAL, Context, Pace, is_about_us
from oneiric.monitoring.drift.report import Report
from oneiric.monitoring.drift.routes import judge_alertmanager, notice_of
from oneiric.monitoring.drift.rules import RuleBook, judge_records, read_rules
from oneiric.monitoring.drift.shipped import shipped_rules
from oneiric.monitoring.drift.shippers import alloy_labels, judge_alloy, judge_promtail, promtail_labels
from oneiric.monitoring.drift.vocabulary import Vocabulary

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from oneiric.monitoring.drift.finding import Finding
    from oneiric.monitoring.drift.text import Source
    from oneiric.monitoring.drift.values import Value

_IGNORED = re.compile(r"oneiric: ignore ((?:ON\d{3}(?:,\s*)?)+)")


@dataclass(frozen=True, slots=True)
class Options:
    """How the check is made.

    Attributes:
        target_labels: Labels that the scrape configuration gives to targets, beside job and instance.
        pace: How often things happen, where no file says so.
        ignored: Codes that are not told.
        surface: What can be typed at the command line, and set in the environment.
        against: The URL of a live endpoint that the files are held against, or "".
        is_complete: Whether the files are all there are, so that a signal none of them uses is a finding.
    """

    target_labels: frozenset[str] = frozenset()
    pace: Pace = USUAL
    ignored: frozenset[str] = frozenset()
    surface: Surface = UNKNOWN_SURFACE
    is_complete: bool = False
    against: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check found, and in how many files it looked."""

    findings: tuple[Finding, ...]
    files: int


def check(paths: Iterable[Path], options: Options | None = None) -> Outcome:
    """Check the files of *paths*, and of the directories among them."""
    options = options or Options()
    report = Report()
    documents = read_documents(paths, report, Vocabulary().prefix)
    _Check(documents, options, report).run()
    found = tuple(finding for finding in report if not _is_ignored(finding, documents.sources, options))
    return Outcome(found, len(documents.sources))


def _is_ignored(finding: Finding, sources: Mapping[str, Source], options: Options) -> bool:
    if finding.code in options.ignored:
        return True
    source = sources.get(finding.path)
    if source is None:
        return False
    lines = [source.line(number) for number in (finding.line - 1, finding.line) if number > 0]
    return any(finding.code in found[1] for line in lines for found in _IGNORED.finditer(line))


def _stream_labels(documents: Documents, prefix: str) -> frozenset[str]:
    """Return the labels that the shippers among *documents* give to the streams of what is called *prefix*."""
    promtail = (promtail_labels(one.node, prefix) for one in documents.of("promtail"))
    alloy = (alloy_labels(one.piece, prefix) for one in documents.of("alloy"))
    return frozenset[str]().union(*promtail, *alloy)


class _Check:
    def __init__(self, documents: Documents, options: Options, report: Report) -> None:
        self._documents = documents
        self._options = options
        self._book = RuleBook()
        self._has_our_alerts = False
        vocabulary = Vocabulary()
        targets = vocabulary.target_labels | options.target_labels | documents.target_labels()
        self._context = Context(
            Vocabulary(target_labels=targets),
            report,
            self._book,
            documents.pace(options.pace, vocabulary.prefix),
            stream_labels=_stream_labels(documents, vocabulary.prefix),
        )

    def run(self) -> None:
        self._read_rules()
        self._book.use(self._context)
        targets = self._targets()
        judge_records(self._book, self._context)
        results = judge_alerts(self._book, self._context, targets)
        dashboards = [document.node for document in self._documents.of("dashboard")]
        judge_uids(dashboards, self._context)
        for node in dashboards:
            judge_dashboard(node, self._context, targets)
        for document in self._documents.of("markdown"):
            judge_markdown(document.piece, self._context, self._options.surface)
        self._judge_configurations(results)
        if self._options.against:
            judge_live(self._options.against, self._context)
        if self._options.is_complete:
            judge_usage(self._context)

    def _judge_configurations(self, results: Mapping[str, Value]) -> None:
        notices = [notice_of(rule, results[rule.name.text]) for rule in self._book.alerts]
        notices += [notice_of(rule, value) for rule, value in self._book.notices()]
        for document in self._documents.of("alertmanager"):
            judge_alertmanager(
                document.node,
                self._context,
                notices,
                is_strict=self._has_our_alerts,
                is_complete=self._options.is_complete,
            )
        for document in self._documents.of("promtail"):
            judge_promtail(document.node, self._context)
        for document in self._documents.of("alloy"):
            judge_alloy(document.piece, self._context)
        for document in self._documents.of("openslo"):
            judge_openslo(document.node, self._context)

    def _read_rules(self) -> None:
        for document in self._documents.of("rules", "loki rules"):
            for rule in read_rules(document.node, self._context, is_logql=document.kind == "loki rules"):
                self._book.add(rule)
        own = {rule.is_alert for rule in self._book if is_about_us(rule.expr.text, self._context)}
        self._has_our_alerts = True in own
        for rule in () if len(own) > 1 else shipped_rules(self._context):
            if rule.is_alert not in own:
                self._book.know(rule)

    def _targets(self) -> Targets:
        pages = [document.piece for document in self._documents.of("markdown")]
        documents = {page.source.path: headings(page) for page in pages}
        uids = [uid_of(document.node) for document in self._documents.of("dashboard")]
        return Targets(documents, frozenset(uid.text for uid in uids if uid is not None))
