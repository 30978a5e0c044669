"""The check of files: what is read, in which order it is understood, and what is asked of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from oneiric.monitoring.drift.alerts import Targets, judge_alerts
from oneiric.monitoring.drift.documents import Documents, read_documents
from oneiric.monitoring.drift.query import USUAL, Context, Pace
from oneiric.monitoring.drift.report import Report
from oneiric.monitoring.drift.rules import RuleBook, judge_records, read_rules
from oneiric.monitoring.drift.vocabulary import Vocabulary

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from oneiric.monitoring.drift.finding import Finding
    from oneiric.monitoring.drift.text import Source

_IGNORED = re.compile(r"oneiric: ignore ((?:ON\d{3}(?:,\s*)?)+)")


@dataclass(frozen=True, slots=True)
class Options:
    """How the check is made.

    Attributes:
        target_labels: Labels that the scrape configuration gives to targets, beside job and instance.
        pace: How often things happen, where no file says so.
        ignored: Codes that are not told.
    """

    target_labels: frozenset[str] = frozenset()
    pace: Pace = USUAL
    ignored: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check found, and in how many files it looked."""

    findings: tuple[Finding, ...]
    files: int


def check(paths: Iterable[Path], options: Options | None = None) -> Outcome:
    """Check the files of *paths*, and of the directories among them."""
    options = options or Options()
    report = Report()
    documents = read_documents(paths, report)
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


class _Check:
    def __init__(self, documents: Documents, options: Options, report: Report) -> None:
        self._documents = documents
        self._book = RuleBook()
        vocabulary = Vocabulary()
        targets = vocabulary.target_labels | options.target_labels | documents.target_labels()
        self._context = Context(Vocabulary(target_labels=targets), report, self._book, documents.pace(options.pace))

    def run(self) -> None:
        self._read_rules()
        self._book.use(self._context)
        judge_records(self._book, self._context)
        judge_alerts(self._book, self._context, Targets({}, frozenset()))

    def _read_rules(self) -> None:
        for document in self._documents.of("rules", "loki rules"):
            for rule in read_rules(document.node, self._context, is_logql=document.kind == "loki rules"):
                self._book.add(rule)
