"""The documents of a run, each with its kind, and what configurations among them say of the targets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Literal

from oneiric.monitoring.drift.files import sources
from oneiric.monitoring.drift.json_text import read_json
from oneiric.monitoring.drift.nodes import DocumentError, Node
from oneiric.monitoring.drift.promql_tokens import seconds
from oneiric.monitoring.drift.text import Piece
from oneiric.monitoring.drift.yaml_text import read_yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from oneiric.monitoring.drift.query import Pace
    from oneiric.monitoring.drift.report import Report
    from oneiric.monitoring.drift.text import Source

Kind = Literal[
    "rules",
    "loki rules",
    "alertmanager",
    "prometheus",
    "promtail",
    "alloy",
    "dashboard",
    "markdown",
    "openslo",
    "other",
]


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

    def pace(self, pace: Pace) -> Pace:
        """Return *pace* with the longest scrape interval of the Prometheus configurations, where there is one."""
        intervals = [
            interval
            for document in self.of("prometheus")
            for place in (document.node.get("global"), *document.node.get("scrape_configs").items)
            if (interval := seconds(place.word("scrape_interval")))
        ]
        return replace(pace, scrape=max(intervals)) if intervals else pace

    def target_labels(self) -> frozenset[str]:
        """Return the labels that the Prometheus configurations give to targets."""
        labels: set[str] = set()
        for document in self.of("prometheus"):
            for job in document.node.get("scrape_configs").items:
                for group in job.get("static_configs").items:
                    labels |= {key.text.text for key, _ in group.get("labels").pairs}
                labels |= {rule.word("target_label") for rule in job.get("relabel_configs").items}
        return frozenset(label for label in labels if label and not label.startswith("__"))


def read_documents(paths: Iterable[Path], report: Report) -> Documents:
    """Return the documents of every file of *paths*; what cannot be read, or was named in vain, is reported."""
    documents: list[Document] = []
    read: dict[str, Source] = {}
    for source, is_named in sources(paths, report):
        found = _documents(source, report)
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


def _documents(source: Source, report: Report) -> list[Document] | None:
    """Return the documents of *source*, or None where it is broken, which is reported."""
    piece, suffix = Piece.whole(source), PurePath(source.path).suffix
    if suffix in {".md", ".markdown"}:
        return [Document("markdown", _nothing(piece), piece)]
    if suffix in {".alloy", ".river"}:
        return [Document("alloy", _nothing(piece), piece)]
    try:
        nodes = [read_json(piece)] if suffix == ".json" else read_yaml(piece)
    except DocumentError as error:
        report.at(piece, error.offset, error.code, str(error))
        return None
    found = [Document(kind_of(node, source.path), node, node.text) for node in nodes]
    for document in found if any(one.kind != "other" for one in found) else ():
        _judge_keys(document.node, report)
    return found


def _judge_keys(root: Node, report: Report) -> None:
    for node in root.walk():
        seen: set[str] = set()
        for key, _ in node.pairs:
            if key.text.text in seen:
                report.at(key.text, 0, "ON012", f"the key {key.text.text} is there twice")
            seen.add(key.text.text)


def _nothing(piece: Piece) -> Node:
    return Node("nothing", piece[0:0])


def _is_promtail(node: Node) -> bool:
    """Whether *node*, which says what is scraped, is about lines; where they go may be said in another file."""
    jobs = node.get("scrape_configs").items
    return bool(node.get("clients") or node.get("positions")) or any(job.get("pipeline_stages") for job in jobs)


def kind_of(node: Node, path: str) -> Kind:
    """Return what *node*, a document of the file *path*, is."""
    if node.get("groups") or node.word("kind") == "PrometheusRule":
        return "loki rules" if "loki" in PurePath(path).parts else "rules"
    if node.get("route") and node.get("receivers"):
        return "alertmanager"
    if node.get("scrape_configs"):
        return "promtail" if _is_promtail(node) else "prometheus"
    if node.word("apiVersion").startswith("openslo/"):
        return "openslo"
    is_dashboard = node.get("panels") or node.get("dashboard", "panels")
    return "dashboard" if is_dashboard else "other"
