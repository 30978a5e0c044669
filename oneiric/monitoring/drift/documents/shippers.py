"""What ships log lines, Promtail or Alloy: fields that lines have, and labels that stay few."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.monitoring.drift.documents.extraction import OPENING, Pair, Pipeline
from oneiric.monitoring.drift.queries import judge_logql
from oneiric.monitoring.notation import alloy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from oneiric.monitoring.drift.queries import Context
    from oneiric.monitoring.notation.nodes import Node
    from oneiric.monitoring.notation.text import Piece

_STAGES = "pipeline_stages"
_PROCESS = "loki.process"
_WRITE = "loki.write"
_SOURCED = frozenset({"timestamp", "output", "tenant"})
"""Stages that read what was extracted under the name that is their ``source``."""


def judge_promtail(node: Node, context: Context) -> None:
    """Report what is wrong with the pipelines of Promtail's configuration *node*."""
    for job in _jobs(node, context.vocabulary.prefix):
        given = frozenset(_given(job))
        is_open = any(one.word("action") == "labelmap" for one in job.get("relabel_configs").items)
        _stages(job.get(_STAGES), Pipeline(context, given, is_open))


def promtail_labels(node: Node, prefix: str) -> frozenset[str]:
    """Return the labels that Promtail's configuration *node* gives to the streams of what is called *prefix*."""
    labels = {name.text.text for client in node.get("clients").items for name, _ in client.get("external_labels").pairs}
    for job in _jobs(node, prefix):
        own = {*_given(job)}
        for stage in job.get(_STAGES).walk():
            own |= {name.text.text for key in ("labels", "static_labels") for name, _ in stage.get(key).pairs}
        for stage in job.get(_STAGES).items:
            if kept := stage.get("labelallow"):
                own &= {one.text.text for one in kept.items}
            own -= {one.text.text for one in stage.get("labeldrop").items}
        labels |= own
    return _shown(labels)


def _shown(labels: Iterable[str]) -> frozenset[str]:
    return frozenset(label for label in labels if label and not label.startswith("__"))


def _jobs(node: Node, prefix: str) -> Iterator[Node]:
    for job in node.get("scrape_configs").items:
        if any(prefix in one.text.text.lower() for one in job.walk() if one.kind == "string"):
            yield job


def _given(job: Node) -> Iterator[str]:
    """Give the labels that lines of *job* come with."""
    for name, value in job.pairs:
        if name.text.text != _STAGES:
            for one in value.walk():
                yield from (label.text.text for label, _ in one.get("labels").pairs)
                yield one.word("target_label")


def _stages(stages: Node, pipeline: Pipeline) -> None:
    for stage in stages.items:
        for kind, body in stage.pairs:
            _stage(kind.text.text, body, pipeline)


def _stage(kind: str, body: Node, pipeline: Pipeline) -> None:
    if kind == "json":
        pipeline.json(_yaml_pairs(body.get("expressions")), body.string("source"))
    elif kind == "labels":
        pipeline.labels(_yaml_pairs(body))
    elif kind == "structured_metadata":
        pipeline.metadata(_yaml_pairs(body))
    elif kind == "match":
        _match(body, pipeline)
    elif kind in _SOURCED and (source := body.string("source")) is not None:
        pipeline.metadata([Pair(source, source)])
    elif kind in OPENING:
        pipeline.is_open = True


def _match(body: Node, pipeline: Pipeline) -> None:
    selector = body.string("selector")
    if selector is not None:
        judge_logql(selector, pipeline.context)
    if selector is None or not pipeline.is_of_others(selector):
        _stages(body.get("stages"), pipeline)


def _yaml_pairs(node: Node) -> Iterator[Pair]:
    for name, value in node.pairs:
        yield Pair(name.text, value.text if value.kind == "string" and value.text.text else name.text)


def judge_alloy(piece: Piece, context: Context) -> None:
    """Report what is wrong with the pipelines of Alloy's configuration *piece*."""
    found = alloy.tokens(piece.text)
    if (at := alloy.unbalanced(found)) is not None:
        context.report.at(piece, at, "ON011", "a bracket is not closed, or not opened")
        return
    if (at := alloy.too_deep(found)) is not None:
        context.report.at(piece, at, "ON006", "nested too deeply")
        return
    parts, before = _lines_pass(piece, found, context.vocabulary.prefix)
    given = frozenset(label for part in before for label in _come_with(piece, part))
    is_open = any(one.text == "labelmap" for part in before for one in alloy.attribute(piece, part.body, "action"))
    for part in parts:
        if part.name == _PROCESS:
            _alloy_stages(piece, part.body, Pipeline(context, given, is_open))


def alloy_labels(piece: Piece, prefix: str) -> frozenset[str]:
    """Return the labels that Alloy's configuration *piece* gives to the streams of what is called *prefix*."""
    parts, before = _lines_pass(piece, alloy.tokens(piece.text), prefix)
    labels = {label for part in before for label in _come_with(piece, part)}
    processes = [part.body for part in parts if part.name == _PROCESS]
    for body in processes:
        stages = [*_named(body, "stage.labels"), *_named(body, "stage.static_labels")]
        labels |= {key.text for stage in stages for key in alloy.keys(piece, stage)}
    kept = [{*_values(piece, body, "stage.label_keep")} for body in processes]
    if kept and all(kept):
        labels &= set[str]().union(*kept)
    labels -= {label for body in processes for label in _values(piece, body, "stage.label_drop")}
    return _shown(labels | {key.text for one in parts if one.name == _WRITE for key in alloy.keys(piece, one.body)})


def _lines_pass(
    piece: Piece, found: Sequence[alloy.Lexeme], prefix: str
) -> tuple[list[alloy.Component], list[alloy.Component]]:
    """Return the components that lines of what is called *prefix* pass, and those that make the lines' first labels."""
    flow = alloy.Flow(alloy.components(piece, found) if alloy.too_deep(found) is None else ())
    parts = flow.passed(prefix)
    # What writes is fed by all: lines of other programs have other labels.
    return parts, flow.feeding(part for part in parts if part.name != _WRITE)


def _come_with(piece: Piece, part: alloy.Component) -> Iterator[str]:
    if part.name not in {_PROCESS, _WRITE}:
        yield from (key.text for key in alloy.keys(piece, part.body))
        yield from (label.text for label in alloy.attribute(piece, part.body, "target_label"))


def _named(body: Sequence[alloy.Lexeme], name: str) -> Iterator[Sequence[alloy.Lexeme]]:
    return (alloy.body(body, index + 1) for index, token in enumerate(body) if token[0] == name)


def _values(piece: Piece, body: Sequence[alloy.Lexeme], name: str) -> Iterator[str]:
    return (one.text for stage in _named(body, name) for one in alloy.listed(piece, stage, "values"))


def _alloy_stages(piece: Piece, body: Sequence[alloy.Lexeme], pipeline: Pipeline) -> None:
    index = 0
    while index < len(body):
        token = body[index]
        index += 1
        if token.lastgroup == "word" and token[0].startswith("stage."):
            inner = alloy.body(body, index)
            is_left_out = _alloy_stage(piece, token[0].removeprefix("stage."), inner, pipeline)
            index += len(inner) if is_left_out else 0


def _alloy_stage(piece: Piece, kind: str, body: Sequence[alloy.Lexeme], pipeline: Pipeline) -> bool:
    """Take a stage; return whether the stages within it are none of ours."""
    if kind == "json":
        pipeline.json(_alloy_pairs(piece, body, "expressions"), next(alloy.attribute(piece, body, "source"), None))
    elif kind == "labels":
        pipeline.labels(_alloy_pairs(piece, body, "values"))
    elif kind == "structured_metadata":
        pipeline.metadata(_alloy_pairs(piece, body, "values"))
    elif kind == "match":
        return _alloy_match(next(alloy.attribute(piece, body, "selector"), None), pipeline)
    elif kind in _SOURCED:
        pipeline.metadata(Pair(source, source) for source in alloy.attribute(piece, body, "source"))
    elif kind in OPENING:
        pipeline.is_open = True
    return False


def _alloy_match(selector: Piece | None, pipeline: Pipeline) -> bool:
    if selector is None:
        return False
    judge_logql(selector, pipeline.context)
    return pipeline.is_of_others(selector)


def _alloy_pairs(piece: Piece, body: Sequence[alloy.Lexeme], name: str) -> Iterator[Pair]:
    return (Pair(*pair) for pair in alloy.pairs(piece, body, name))
