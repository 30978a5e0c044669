"""What ships log lines, Promtail or Alloy: fields that lines have, and labels that stay few."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from oneiric.monitoring.drift.finding import did_you_mean
from oneiric.monitoring.drift.log_lines import STREAMS, Lines
from oneiric.monitoring.drift.logs import judge_logql

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from oneiric.monitoring.drift.nodes import Node
    from oneiric.monitoring.drift.query import Context
    from oneiric.monitoring.drift.text import Piece

_ALLOY_TOKEN = re.compile(
    r"(?P<blank>\s+|//[^\n]*|/\*.*?\*/)|(?P<string>\"(?:[^\"\\\n]|\\.)*\"|`[^`]*`)|(?P<word>[\w.]+)|(?P<sign>[{}()\[\]=,])"
    r"|(?P<other>.)",
    re.DOTALL,
)
_GIVEN = {"filename", "stream", "__error__"}
"""What shippers have extracted without being asked."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A name and what it is made of; of a name alone, both are the same."""

    name: Piece
    source: Piece


@dataclass
class Pipeline:
    """What the stages of one pipeline have extracted so far."""

    context: Context
    extracted: set[str] = field(default_factory=lambda: {*_GIVEN})
    is_open: bool = False

    def fields(self) -> frozenset[str]:
        """Return every field that a line can have, with its dots."""
        known = Lines.every(self.context.vocabulary.catalogue)
        own = {name for _, log in known.of for name in (*log.fields, *log.const)}
        return frozenset(own) | {name.removesuffix("_extracted") for name in known.fields} | _DOTTED

    def json(self, pairs: Iterable[Pair]) -> None:
        """Take what a stage ``json`` extracts."""
        for pair in pairs:
            path = pair.source.text.strip('"')
            self.extracted.add(pair.name.text)
            if re.fullmatch(r"[\w.]+", path) and path not in self.fields():
                hint = did_you_mean(path, self.fields())
                self.context.report.at(pair.source, 0, "ON801", f"no log line has a field {path}", hint)

    def labels(self, pairs: Iterable[Pair]) -> None:
        """Take what a stage ``labels`` makes labels of streams."""
        for pair in pairs:
            name = pair.name.text
            if self._sourced(pair) and name not in STREAMS and name in self.fields():
                message = f"a label {name} hides the field of that name, and makes a stream of each value"
                hint = "keep it beside the line: structured_metadata"
                self.context.report.at(pair.name, 0, "ON802", message, hint)

    def metadata(self, pairs: Iterable[Pair]) -> None:
        """Take what a stage ``structured_metadata`` keeps beside the line."""
        for pair in pairs:
            self._sourced(pair)

    def _sourced(self, pair: Pair) -> bool:
        source = pair.source.text
        if self.is_open or source in self.extracted:
            return True
        hint = did_you_mean(source, self.extracted - _GIVEN)
        self.context.report.at(pair.source, 0, "ON803", f"no stage before extracts {source}", hint)
        return False


_DOTTED = frozenset({"service.name", "service.version", "deployment.environment"})


def judge_promtail(node: Node, context: Context) -> None:
    """Report what is wrong with the pipelines of Promtail's configuration *node*."""
    for job in node.get("scrape_configs").items:
        if _mentions_us(job, context):
            _stages(job.get("pipeline_stages"), Pipeline(context))


def _mentions_us(node: Node, context: Context) -> bool:
    return any(context.vocabulary.prefix in one.text.text.lower() for one in node.walk() if one.kind == "string")


def _stages(stages: Node, pipeline: Pipeline) -> None:
    for stage in stages.items:
        for kind, body in stage.pairs:
            _stage(kind.text.text, body, pipeline)


def _stage(kind: str, body: Node, pipeline: Pipeline) -> None:
    if kind == "json":
        pipeline.json(_yaml_pairs(body.get("expressions")))
    elif kind == "labels":
        pipeline.labels(_yaml_pairs(body))
    elif kind == "structured_metadata":
        pipeline.metadata(_yaml_pairs(body))
    elif kind == "match":
        if (selector := body.string("selector")) is not None:
            judge_logql(selector, pipeline.context)
        _stages(body.get("stages"), pipeline)
    elif kind in {"timestamp", "output", "tenant"} and (source := body.string("source")) is not None:
        pipeline.metadata([Pair(source, source)])
    elif kind in {"regex", "logfmt", "replace", "template", "cri", "docker", "pack", "unpack"}:
        pipeline.is_open = True


def _yaml_pairs(node: Node) -> Iterator[Pair]:
    for name, value in node.pairs:
        yield Pair(name.text, value.text if value.kind == "string" and value.text.text else name.text)


def stream_labels(node: Node) -> frozenset[str]:
    """Return the labels that Promtail's configuration *node* gives to streams."""
    labels: set[str] = set()
    for job in node.get("scrape_configs").items:
        for one in job.walk():
            labels |= {name.text.text for name, _ in one.get("labels").pairs}
            labels.add(one.word("target_label"))
    return frozenset(label for label in labels if label and not label.startswith("__"))


def judge_alloy(piece: Piece, context: Context) -> None:
    """Report what is wrong with the pipelines of Alloy's configuration *piece*."""
    found = [one for one in _ALLOY_TOKEN.finditer(piece.text) if one.lastgroup != "blank"]
    if (at := _unbalanced(found)) is not None:
        context.report.at(piece, at, "ON011", "a bracket is not closed, or not opened")
        return
    is_ours = context.vocabulary.prefix in piece.text.lower()
    pipeline = Pipeline(context)
    for index, token in enumerate(found):
        if token[0] == "loki.process":
            pipeline = Pipeline(context)
        elif is_ours and token.lastgroup == "word" and token[0].startswith("stage."):
            _alloy_stage(piece, token[0].removeprefix("stage."), _body(found, index + 1), pipeline)


def _unbalanced(found: list[re.Match[str]]) -> int | None:
    closing, opened = {"}": "{", ")": "(", "]": "["}, []
    for token in found:
        if token[0] in {"{", "(", "["}:
            opened.append(token)
        elif token[0] in closing and (not opened or opened.pop()[0] != closing[token[0]]):
            return token.start()
    return opened[-1].start() if opened else None


def _alloy_stage(piece: Piece, kind: str, body: list[re.Match[str]], pipeline: Pipeline) -> None:
    if kind == "json":
        pipeline.json(_alloy_pairs(piece, body, "expressions"))
    elif kind == "labels":
        pipeline.labels(_alloy_pairs(piece, body, "values"))
    elif kind == "structured_metadata":
        pipeline.metadata(_alloy_pairs(piece, body, "values"))
    elif kind == "match":
        for selector in _attribute(piece, body, "selector"):
            judge_logql(selector, pipeline.context)
    elif kind in {"timestamp", "output", "tenant"}:
        pipeline.metadata(Pair(source, source) for source in _attribute(piece, body, "source"))
    elif kind in {"regex", "logfmt", "replace", "template", "cri", "docker", "pack", "unpack"}:
        pipeline.is_open = True


def _body(tokens: list[re.Match[str]], start: int) -> list[re.Match[str]]:
    """Return *tokens* from *start* up to the brace that closes what is opened there."""
    depth, body = 0, []
    for index in range(start, len(tokens)):
        token = tokens[index]
        depth += (token[0] == "{") - (token[0] == "}")
        if depth == 0:
            break
        body.append(token)
    return body


def _attribute(piece: Piece, body: list[re.Match[str]], name: str) -> Iterator[Piece]:
    for index in range(len(body) - 2):
        if body[index][0] == name and body[index + 1][0] == "=" and body[index + 2].lastgroup == "string":
            yield _inner(piece, body[index + 2])


def _inner(piece: Piece, token: re.Match[str]) -> Piece:
    is_quoted = token.lastgroup == "string"
    return piece[token.start() + is_quoted : token.end() - is_quoted]


def _alloy_pairs(piece: Piece, body: list[re.Match[str]], name: str) -> Iterator[Pair]:
    """Give the pairs of the map that is the attribute *name*; an empty text stands for the name itself."""
    starts = [index for index, token in enumerate(body) if token[0] == name and body[index + 1 : index + 2]]
    inner = _body(body, starts[0] + 2)[1:] if starts else []
    for index in range(len(inner) - 2):
        key, equals, value = inner[index : index + 3]
        if equals[0] == "=" and value.lastgroup == "string":
            named, source = _inner(piece, key), _inner(piece, value)
            yield Pair(named, source if source.text else named)
