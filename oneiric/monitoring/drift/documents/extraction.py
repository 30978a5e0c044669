"""What the stages of a shipper's pipeline extract from a line, and make of it: fields that exist, in their order."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from oneiric.monitoring.drift.findings import did_you_mean
from oneiric.monitoring.drift.queries import LEVEL, STREAMS, Lines

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oneiric.monitoring.drift.findings import Level
    from oneiric.monitoring.drift.queries import Context
    from oneiric.monitoring.notation.text import Piece

_GIVEN = frozenset({"filename", "job", "instance", "stream", "__error__"})
"""What shippers have extracted without being asked."""
_DOTTED = frozenset({"service.name", "service.version", "deployment.environment"})
_WRAPPED = re.compile(r"log|_*[A-Z][A-Z0-9_]*")
"""Fields of what Docker and the journal write around a line."""
_WHOLE = frozenset({"log", "MESSAGE"})
"""Those of them that the line is in."""
_WHOSE = re.compile(r"\b(?:app|name|job|service|service_name|container|container_name|unit)\s*=~?\s*[\"`]([^\"`]*)")
"""The labels of a selector that say which program is meant, and what they are to be."""
OPENING = frozenset(
    {"regex", "logfmt", "replace", "template", "cri", "docker", "pack", "unpack", "eventlogmessage", "geoip", "pattern"}
)
"""Stages after which it is not known what has been extracted."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A name and what it is made of; of a name alone, both are the same."""

    name: Piece
    source: Piece


@dataclass
class Pipeline:
    """What the stages of one pipeline have extracted so far.

    Attributes:
        given: The labels that lines come with, which count as extracted.
        is_open: Whether there may be more than is known.
    """

    context: Context
    given: frozenset[str] = frozenset()
    is_open: bool = False
    extracted: set[str] = field(init=False)
    whole: set[str] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        self.extracted = {*_GIVEN, *self.given}

    def fields(self) -> frozenset[str]:
        """Return every field that a line can have, with its dots."""
        known = Lines.every(self.context.vocabulary.catalogue)
        own = {name for _, log in known.of for name in (*log.fields, *log.const)}
        return frozenset(own) | {name.removesuffix("_extracted") for name in known.fields} | _DOTTED

    def json(self, pairs: Iterable[Pair], source: Piece | None = None) -> None:
        """Take what a stage ``json`` extracts, of the line or of *source*."""
        found = list(pairs)
        self.extracted |= {pair.name.text for pair in found}
        if source is not None and source.text and source.text not in self.whole:
            return
        if any(_WRAPPED.fullmatch(pair.source.text) for pair in found):
            self.whole |= {pair.name.text for pair in found if pair.source.text in _WHOLE}
            return
        for pair in found:
            self._judge_path(pair.source)

    def _judge_path(self, path: Piece) -> None:
        name = path.text.strip('"')
        if path.text in _DOTTED:
            self.context.report.at(path, 0, "ON801", f"{name} asks for a field within a field", f"write '\"{name}\"'")
        elif re.fullmatch(r"[\w.]+", name) and name not in self.fields():
            hint = did_you_mean(name, self.fields())
            level: Level | None = None if hint else "note"  # an application has fields of its own
            self.context.report.at(path, 0, "ON801", f"no log line of ours has a field {name}", hint, level=level)

    def labels(self, pairs: Iterable[Pair]) -> None:
        """Take what a stage ``labels`` makes labels of streams."""
        for pair in pairs:
            name = pair.name.text
            # Levels are few, and the label says what the field says.
            if self._sourced(pair) and name not in STREAMS | {LEVEL} and name in self.fields():
                message = f"a label {name} hides the field of that name, and makes a stream of each value"
                hint = "keep it beside the line: structured_metadata"
                self.context.report.at(pair.name, 0, "ON802", message, hint)

    def metadata(self, pairs: Iterable[Pair]) -> None:
        """Take what a stage ``structured_metadata`` keeps beside the line."""
        for pair in pairs:
            self._sourced(pair)

    def is_of_others(self, selector: Piece) -> bool:
        """Whether *selector*, of a stage ``match``, asks for lines of other programs."""
        prefix = self.context.vocabulary.prefix
        return any(prefix not in found[1].lower() for found in _WHOSE.finditer(selector.text))

    def _sourced(self, pair: Pair) -> bool:
        source = pair.source.text
        if self.is_open or source in self.extracted:
            return True
        hint = did_you_mean(source, self.extracted - _GIVEN)
        self.context.report.at(pair.source, 0, "ON803", f"no stage before extracts {source}", hint)
        return False
