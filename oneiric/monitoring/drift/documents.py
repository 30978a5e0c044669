"""The documents of a run, each with its kind, and what configurations among them say of the targets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import TYPE_CHECKING

from oneiric.monitoring.drift.files import sources
from oneiric.monitoring.drift.kinds import Kind, is_meant, is_template, kind_of
from oneiric.monitoring.drift.kinds import read as read_nodes
from oneiric.monitoring.drift.nodes import DocumentError, Node
from oneiric.monitoring.drift.promql_tokens import seconds
from oneiric.monitoring.drift.text import Piece

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from oneiric.monitoring.drift.query import Pace
    from oneiric.monitoring.drift.report import Report
    from oneiric.monitoring.drift.text import Source


@dataclass(frozen=True, slots=True)
class Document:
    """A document of a file: its kind, its values, and its text where it is no tree."""

    kind: Kind
    node: Node
    piece: Piece


class Documents:
    """All documents of a run, and the files that they are in."""

    def __init__(self, documents: list[Document], read: dict[str, Source]) -> None:
        self._documents = documents
        self.sources = read

    def of(self, *kinds: Kind) -> Iterator[Document]:
        """Give the documents of *kinds*."""
        yield from (document for document in self._documents if document.kind in kinds)

    def pace(self, pace: Pace, mark: str) -> Pace:
        """Return *pace* with the longest scrape interval of the jobs that name *mark*, or else of all by default."""
        jobs = [(job, document.node) for document, job in self._jobs() if _names(job, mark)]
        if not jobs:
            jobs = [(document.node.get("global"), document.node) for document in self.of("prometheus")]
        words = [job.word("scrape_interval") or node.word("global", "scrape_interval") for job, node in jobs]
        intervals = [interval for word in words if (interval := seconds(word))]
        return replace(pace, scrape=max(intervals)) if intervals else pace

    def target_labels(self) -> frozenset[str]:
        """Return the labels that the Prometheus configurations give to targets, and to all that leaves the server."""
        labels: set[str] = set()
        for document in self.of("prometheus"):
            labels |= {key.text.text for key, _ in document.node.get("global", "external_labels").pairs}
        for _, job in self._jobs():
            for group in job.get("static_configs").items:
                labels |= {key.text.text for key, _ in group.get("labels").pairs}
            labels |= {rule.word("target_label") for rule in job.get("relabel_configs").items}
        return frozenset(label for label in labels if label and not label.startswith("__"))

    def _jobs(self) -> Iterator[tuple[Document, Node]]:
        for document in self.of("prometheus"):
            yield from ((document, job) for job in document.node.get("scrape_configs").items)


def _names(job: Node, mark: str) -> bool:
    return any(mark in node.text.text.lower() for node in job.walk() if node.kind == "string")


def read_documents(paths: Iterable[Path], report: Report, prefix: str) -> Documents:
    """Return the documents of every file of *paths*; what cannot be read, or was named in vain, is reported.

    *prefix* is what our names begin with: what is broken, and has neither it nor the look of a kind, is another's.
    """
    documents: list[Document] = []
    read: dict[str, Source] = {}
    mark = f"{prefix}_"
    for source, is_named in sources(paths, report, mark):
        found = _documents(source, report, "" if is_named else mark)
        if found is None:
            read[source.path] = source
            continue
        known = [document for document in found if document.kind != "other"]
        if known:
            read[source.path] = source
        elif is_named:
            report.at(Piece.whole(source), 0, "ON010", "nothing in it can be checked", _KINDS_HINT)
        documents += known
    return Documents(documents, read)


_KINDS_HINT = (
    "rules, Alertmanager, Prometheus, Promtail and Alloy configurations, dashboards, OpenSLO and Markdown are checked"
)


def _documents(source: Source, report: Report, mark: str) -> list[Document] | None:
    """Return the documents of *source*, or None where it is broken, which is reported.

    Of what is broken without having *mark* in it, or the look of a kind, there are no documents.
    """
    piece, suffix = Piece.whole(source), PurePath(source.path).suffix
    if suffix in {".md", ".markdown"}:
        return [Document("markdown", _nothing(piece), piece)]
    if suffix in {".alloy", ".river"}:
        return [Document("alloy", _nothing(piece), piece)]
    try:
        nodes = read_nodes(piece, suffix)
    except DocumentError as error:
        return _broken(piece, suffix, error, report, mark)
    found = [Document(kind_of(node, source.path), node, node.text) for node in nodes]
    for document in found:
        if document.kind != "other" and (document.kind != "dashboard" or mark in source.text):
            _judge_keys(document.node, report)
    return found


def _broken(piece: Piece, suffix: str, error: DocumentError, report: Report, mark: str) -> list[Document] | None:
    is_rendered = suffix != ".json" and is_template(piece.text, error.offset)
    if (is_rendered and mark) or not is_meant(piece.text, suffix, mark):
        return []
    hint = "what a template renders to can be checked" if is_rendered else ""
    report.at(piece, error.offset, error.code, str(error), hint)
    return None


def _judge_keys(root: Node, report: Report) -> None:
    for node in root.walk():
        seen: set[str] = set()
        for key, _ in node.pairs:
            if key.text.text in seen:
                report.at(key.text, 0, "ON012", f"the key {key.text.text} is there twice")
            seen.add(key.text.text)


def _nothing(piece: Piece) -> Node:
    return Node("nothing", piece[0:0])
