"""Markdown: the queries and commands in its fences, and the names in its text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from oneiric.monitoring.drift.documents.rules import shown_rules
from oneiric.monitoring.drift.documents.shell import is_command, judge_command_line
from oneiric.monitoring.drift.findings import did_you_mean
from oneiric.monitoring.drift.queries import judge_logql, judge_promql
from oneiric.monitoring.notation.markdown import fences, spans
from oneiric.monitoring.notation.nodes import DocumentError
from oneiric.monitoring.notation.promql import QueryError, parse, without_variables
from oneiric.monitoring.notation.yaml import read_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oneiric.monitoring.drift.documents.commands import Surface
    from oneiric.monitoring.drift.queries import Context
    from oneiric.monitoring.notation.text import Piece

_NOUN = re.compile(r"\b(?:an?|the|this|that|its|our|your|their|each|every)\s+\Z", re.IGNORECASE)
"""Behind these two words in code are a name more often than a command."""
_LONGEST_DETERMINER = 8
_RECORDED = re.compile(r"[a-z_]\w*(?::\w+)+")
_SHELL = {"bash", "sh", "shell", "console", "zsh"}


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
    for start, end in spans(piece):
        before = piece.text[max(start - 1 - _LONGEST_DETERMINER, 0) : start - 1]
        _judge_span(piece[start:end], context, surface, is_noun=_NOUN.search(before) is not None)


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
