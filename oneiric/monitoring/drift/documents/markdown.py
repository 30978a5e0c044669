"""Markdown: the fences with queries and commands, the names in its text, and the headings that links lead to."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from oneiric.monitoring.drift.documents.rules import shown_rules
from oneiric.monitoring.drift.documents.shell import is_command, judge_command_line
from oneiric.monitoring.drift.findings import did_you_mean
from oneiric.monitoring.drift.queries import judge_logql, judge_promql
from oneiric.monitoring.notation.nodes import DocumentError
from oneiric.monitoring.notation.promql import QueryError, parse, without_variables
from oneiric.monitoring.notation.text import Piece
from oneiric.monitoring.notation.yaml import read_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oneiric.monitoring.drift.documents.commands import Surface
    from oneiric.monitoring.drift.queries import Context

_FENCE = re.compile(
    r"^(?P<indent>[ \t>]*(?:[-*+]|\d+[.)])?[ \t]*)(?P<marks>`{3,}|~{3,})[ \t]*(?P<language>[\w+-]*)[^`\n]*$"
)
_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_HEADING = re.compile(r"^ {0,3}#{1,6}[ \t]+(.*?)[ \t]*#*$")
_ANCHOR = re.compile(r"<a\s+(?:id|name)=\"([^\"]+)\"")
_NOUN = re.compile(r"\b(?:an?|the|this|that|its|our|your|their|each|every)\s+\Z", re.IGNORECASE)
"""Behind these two words in code are a name more often than a command."""
_LONGEST_DETERMINER = 8
_RECORDED = re.compile(r"[a-z_]\w*(?::\w+)+")
_SHELL = {"bash", "sh", "shell", "console", "zsh"}


@dataclass(frozen=True, slots=True)
class Fence:
    """A fenced block: its language in lower case, and its text without the fence's indentation."""

    language: str
    piece: Piece


def fences(piece: Piece) -> Iterator[Fence]:
    """Give the fenced blocks of the document *piece*; one that is not closed ends with the document."""
    opened: re.Match[str] | None = None
    lines: list[tuple[int, int]] = []
    for start, end in _lines(piece.text):
        line = piece.text[start:end]
        if opened is None:
            opened, lines = _FENCE.match(line), []
        elif re.fullmatch(rf"[ \t>]*{re.escape(opened['marks'][0])}{{{len(opened['marks'])},}}[ \t]*", line):
            yield _fence(piece, opened, lines)
            opened = None
        else:
            lines.append((start, end))
    if opened is not None:
        yield _fence(piece, opened, lines)


def _lines(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    while start <= len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        yield start, end
        start = end + 1


def _fence(piece: Piece, opened: re.Match[str], lines: list[tuple[int, int]]) -> Fence:
    width = len(opened["indent"])
    text: list[str] = []
    offsets: list[int] = []
    for start, end in lines:
        line = piece.text[start:end]
        cut = len(line[:width]) - len(line[:width].lstrip(" \t>"))
        text.append(line[cut:] + "\n")
        offsets += piece.offsets[start + cut : end + 1]
    offsets.append(piece.offsets[lines[-1][1] if lines else opened.end()])
    return Fence(opened["language"].lower(), Piece(piece.source, "".join(text), offsets))


def judge_markdown(piece: Piece, context: Context, surface: Surface) -> None:
    """Report what is wrong with the queries, commands and names of the document *piece*."""
    for fence in fences(piece):
        if fence.language == "promql":
            for query in _queries(fence.piece):
                judge_promql(query, context, "document")
        elif fence.language == "logql":
            judge_logql(fence.piece, context)
        elif fence.language in _SHELL:
            judge_command_line(fence.piece, context, surface)
        elif fence.language in {"yaml", "yml"}:
            _judge_yaml(fence.piece, context)
    for start, end in _outside(piece):
        for found in _SPAN.finditer(piece.text, start, end):
            is_noun = _NOUN.search(piece.text[max(found.start() - _LONGEST_DETERMINER, 0) : found.start()]) is not None
            _judge_span(piece[found.start(1) : found.end(1)], context, surface, is_noun=is_noun)


def _queries(piece: Piece) -> Iterator[Piece]:
    """Give the queries of a fence: all of it, or its paragraphs, or its lines, whatever parses first."""
    if not piece.text.strip():
        return
    if _parses(piece):
        yield piece
        return
    for paragraph in _split(piece, r"\n[ \t]*\n"):
        lines = [line for line in _split(paragraph, r"\n") if not line.text.lstrip().startswith("#")]
        if not lines:
            continue
        if not _parses(paragraph) and len(lines) > 1 and sum(map(_parses, lines)) > len(lines) // 2:
            yield from lines
        else:
            yield paragraph


def _parses(piece: Piece) -> bool:
    try:
        parse(without_variables(piece)[0].text)
    except (QueryError, RecursionError):
        return False
    return True


def _split(piece: Piece, pattern: str) -> Iterator[Piece]:
    start = 0
    for found in [*re.finditer(pattern, piece.text), None]:
        end = len(piece.text) if found is None else found.start()
        if piece.text[start:end].strip():
            yield piece[start:end]
        start = end if found is None else found.end()


def _judge_yaml(piece: Piece, context: Context) -> None:
    """Judge the queries of rules that a document shows; what is no whole file is no finding."""
    try:
        documents = read_yaml(piece)
    except DocumentError:
        return
    for document in documents:
        for rule in shown_rules(document):
            if rule.is_logql:
                judge_logql(rule.expr, context)
            else:
                judge_promql(rule.expr, context, "alert" if rule.is_alert else "record")


def _outside(piece: Piece) -> Iterator[tuple[int, int]]:
    """Give where the text outside of fences begins and ends."""
    at, opened = 0, ""
    for start, end in _lines(piece.text):
        line = piece.text[start:end]
        found = _FENCE.match(line)
        if not opened and found is not None:
            yield at, start
            opened = found["marks"]
        elif opened and re.fullmatch(rf"[ \t>]*{re.escape(opened[0])}{{{len(opened)},}}[ \t]*", line):
            opened, at = "", end
    if not opened:
        yield at, len(piece.text)


def _judge_span(span: Piece, context: Context, surface: Surface, *, is_noun: bool) -> None:
    vocabulary, text = context.vocabulary, span.text
    if re.fullmatch(rf"{vocabulary.prefix}_[a-z0-9_]*[a-z0-9]", text):
        known = {*vocabulary.series, *vocabulary.metrics}
        if text not in known and (hint := did_you_mean(text, known, alike=0.92)):
            context.report.at(span, 0, "ON101", f"there is no metric {text}", hint)
    elif _RECORDED.fullmatch(text) and vocabulary.is_our_record(text):
        known = {*context.records.names()}
        if text not in known and (hint := did_you_mean(text, known, alike=0.92)):
            context.report.at(span, 0, "ON102", f"no recording rule gives {text}", hint)
    elif text.startswith(f"{vocabulary.prefix} ") and (not is_noun or is_command(text, surface)):
        judge_command_line(span, context, surface)


def headings(piece: Piece) -> frozenset[str]:
    """Return the anchors that links into the document *piece* can have, made as GitHub makes them."""
    anchors: set[str] = set(_ANCHOR.findall(piece.text))
    used: Counter[str] = Counter(anchors)
    for start, end in _outside(piece):
        for line in piece.text[start:end].splitlines():
            if (found := _HEADING.match(line)) is not None:
                anchors.add(_unused(_slug(found[1]), anchors, used))
    return frozenset(anchors)


def _slug(title: str) -> str:
    title = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title)
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def _unused(slug: str, anchors: set[str], used: Counter[str]) -> str:
    """Return *slug*, with the next number where it is there already; *used* counts how often it was."""
    while True:
        number = used[slug]
        used[slug] += 1
        anchor = f"{slug}-{number}" if number else slug
        if anchor not in anchors:
            return anchor
