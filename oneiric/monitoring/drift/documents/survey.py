"""What of each file the judgement of the others needs, so that files are held one at a time."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from oneiric.monitoring.drift.documents.dashboards import uid_of
from oneiric.monitoring.drift.documents.document import KINDS_HINT, Document, read_documents
from oneiric.monitoring.drift.documents.files import read_again, sources
from oneiric.monitoring.drift.documents.rulebook import RuleBook
from oneiric.monitoring.drift.documents.rules import read_rules
from oneiric.monitoring.drift.documents.shippers import alloy_labels, promtail_labels
from oneiric.monitoring.drift.findings import Report
from oneiric.monitoring.drift.queries import discarding
from oneiric.monitoring.notation.markdown import anchors
from oneiric.monitoring.notation.promql import seconds
from oneiric.monitoring.notation.text import Piece

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from oneiric.monitoring.drift.queries import Context, Pace
    from oneiric.monitoring.notation.nodes import Node
    from oneiric.monitoring.notation.text import Place, Source


MAX_HELD = 500_000
"""Files of so many characters together are not read twice; trees of values are some forty times as large."""


@dataclass
class Survey:
    """What a first reading of all files gives: small facts, and no text.

    Attributes:
        context: What queries are judged with as long as nothing of the files is known.
        book: The rules.
        paths: The files that have something to check; a broken one is counted in ``broken``.
        headings: The anchors of each document, by its path.
        uids: The dashboards' uids, each with where it is first, by directory and uid.
        target_labels: Labels that configurations of Prometheus give to targets.
        stream_labels: Labels that shippers give to streams.
        has_targets: Whether a configuration says which labels targets have.
        has_streams: Whether one says which labels streams have.
    """

    context: Context
    book: RuleBook = field(default_factory=RuleBook)
    paths: list[str] = field(default_factory=list)
    broken: int = 0
    headings: dict[str, frozenset[str]] = field(default_factory=dict)
    uids: dict[tuple[str, str], Place] = field(default_factory=dict)
    target_labels: set[str] = field(default_factory=set)
    stream_labels: set[str] = field(default_factory=set)
    has_targets: bool = False
    has_streams: bool = False
    _held: dict[str, list[Document]] = field(default_factory=dict)
    _room: int = field(default_factory=lambda: MAX_HELD)
    _our_intervals: list[float] = field(default_factory=list)
    _intervals: list[float] = field(default_factory=list)

    def take(self, paths: Iterable[Path], report: Report) -> None:
        """Read every file of *paths*; what cannot be read, or was named in vain, goes to *report*."""
        mark = f"{self.context.vocabulary.prefix}_"
        for source, is_named in sources(paths, report, mark):
            found = read_documents(source, report, "" if is_named else mark)
            if found is None:
                self.broken += 1
                continue
            known = [document for document in found if document.kind != "other"]
            for document in known:
                self._note(document)
            if known:
                self.paths.append(source.path)
                self._hold(source, known)
            elif is_named:
                report.at(Piece.whole(source), 0, "ON010", "nothing in it can be checked", KINDS_HINT)

    def again(self) -> Iterator[Document]:
        """Give every document once more: what is not held is read anew, one file at a time."""
        for path in self.paths:
            held = self._held.pop(path, None)
            source = read_again(Path(path)) if held is None else None
            found = held if source is None else read_documents(source, Report(), "")
            yield from (one for one in found or () if one.kind != "other")

    def pace(self, pace: Pace) -> Pace:
        """Return *pace* with the longest scrape interval of our jobs, or else of all by default."""
        intervals = self._our_intervals or self._intervals
        return replace(pace, scrape=max(intervals)) if intervals else pace

    def _hold(self, source: Source, found: list[Document]) -> None:
        if len(source.text) <= self._room:
            self._room -= len(source.text)
            self._held[source.path] = found

    def _note(self, document: Document) -> None:
        node, prefix = document.node, self.context.vocabulary.prefix
        if document.kind == "rules":
            for rule in read_rules(node, discarding(self.context), is_for_loki=document.is_for_loki):
                self.book.add(rule.known())
        elif document.kind == "prometheus":
            self._note_targets(node, prefix)
        elif document.kind in {"promtail", "alloy"}:
            self.has_streams = True
            is_alloy = document.kind == "alloy"
            self.stream_labels |= alloy_labels(document.piece, prefix) if is_alloy else promtail_labels(node, prefix)
        elif document.kind == "markdown":
            self.headings[document.path] = anchors(document.piece)
        elif document.kind == "dashboard" and (uid := uid_of(node)) is not None and uid.text:
            self.uids.setdefault((str(PurePath(document.path).parent), uid.text), uid.place())

    def _note_targets(self, node: Node, prefix: str) -> None:
        usual = seconds(node.word("global", "scrape_interval"))
        self._intervals += [usual] if usual else []
        self.has_targets = True
        labels = {key.text.text for key, _ in node.get("global", "external_labels").pairs}
        for job in node.get("scrape_configs").items:
            for group in job.get("static_configs").items:
                labels |= {key.text.text for key, _ in group.get("labels").pairs}
            rules = job.get("relabel_configs").items
            labels |= {rule.word("target_label") for rule in rules}
            if any(rule.word("action") == "labelmap" for rule in rules):
                self.has_targets = False
            if any(prefix in one.text.text.lower() for one in job.walk() if one.kind == "string"):
                interval = seconds(job.word("scrape_interval")) or usual
                self._our_intervals += [interval] if interval else []
        self.target_labels |= {label for label in labels if label and not label.startswith("__")}
