"""The documents of a file, each with its kind, and what is broken about them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

from oneiric.monitoring.drift.documents.instructions import UNIT_SUFFIX, is_dockerfile
from oneiric.monitoring.drift.documents.kinds import DocumentKind, is_meant, is_template, kind_of
from oneiric.monitoring.drift.documents.kinds import read as read_nodes
from oneiric.monitoring.notation.nodes import DocumentError, Node
from oneiric.monitoring.notation.text import Piece

if TYPE_CHECKING:
    from oneiric.monitoring.drift.findings import Report
    from oneiric.monitoring.notation.text import Source


@dataclass(frozen=True, slots=True)
class Document:
    """A document of a file: its kind, its values, and its text where it is no tree."""

    kind: DocumentKind
    node: Node
    piece: Piece

    @property
    def path(self) -> str:
        """The file that it is in."""
        return self.piece.source.path

    @property
    def is_for_loki(self) -> bool:
        """Whether its path says that Loki reads it."""
        return any("loki" in part.lower() for part in PurePath(self.path).parts)


_OF_OTHERS = {"dashboard", "workload", "compose"}
"""Kinds that a directory has of many programs."""
KINDS_HINT = (
    "rules, Alertmanager, Prometheus, Promtail and Alloy configurations, dashboards, OpenSLO, Markdown, workloads of "
    "Kubernetes, Compose files, Dockerfiles and units are checked"
)


def read_documents(source: Source, report: Report, mark: str) -> list[Document] | None:
    """Return the documents of *source*, or None where it is broken, which is reported.

    Of what is broken without having *mark* in it, or the look of a kind, there are no documents.
    """
    piece, suffix = Piece.whole(source), PurePath(source.path).suffix
    if suffix in {".md", ".markdown"}:
        return [Document("markdown", _nothing(piece), piece)]
    if suffix in {".alloy", ".river"}:
        return [Document("alloy", _nothing(piece), piece)]
    if is_dockerfile(source.path):
        return [Document("dockerfile", _nothing(piece), piece)]
    if suffix == UNIT_SUFFIX:
        return [Document("unit", _nothing(piece), piece)]
    try:
        nodes = read_nodes(piece, suffix)
    except DocumentError as error:
        return _broken(piece, suffix, error, report, mark)
    found = [Document(kind_of(node), node, node.text) for node in nodes]
    for document in found:
        if document.kind != "other" and (document.kind not in _OF_OTHERS or mark in source.text.lower()):
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
