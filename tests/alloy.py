"""Grafana Alloy's grammar, strictly: for tests of configurations, as there is no Alloy to ask."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from oneiric.monitoring.notation.alloy import string, tokens
from oneiric.monitoring.notation.text import Piece, Source

if TYPE_CHECKING:
    from oneiric.monitoring.notation.alloy import Lexeme


class AlloyError(ValueError):
    """A text is no configuration of Alloy's."""


@dataclass
class Reference:
    """What another component exports, or a constant."""

    text: str


@dataclass
class Block:
    """A block, with its attributes and the blocks within."""

    name: str
    label: str = ""
    attributes: dict[str, Any] = field(default_factory=dict)
    blocks: list[Block] = field(default_factory=list)


class _Reader:
    def __init__(self, text: str) -> None:
        self.piece = Piece.whole(Source("", text))
        self.tokens: list[Lexeme | None] = [*tokens(text), None]

    @property
    def next(self) -> str:
        token = self.tokens[0]
        return "" if token is None else token[0]

    def take(self, *allowed: str) -> Lexeme:
        token = self.tokens[0]
        if token is None or token.lastgroup == "other" or (allowed and token[0] not in allowed):
            raise AlloyError(f"expected {' or '.join(allowed) or 'more'}, found {self.next or 'the end'}")
        self.tokens.pop(0)
        return token

    def body(self, owner: Block, end: str) -> Block:
        while self.next != end:
            name = self.take()[0]
            if not re.fullmatch(r"[A-Za-z_][\w.]*", name):
                raise AlloyError(f"{name} is no name")
            if self.next == "=":
                self.take("=")
                if name in owner.attributes or "." in name:
                    raise AlloyError(f"{name} cannot be set here")
                owner.attributes[name] = self.value()
                continue
            label = self.text(self.take()) if self.next.startswith('"') else ""
            self.take("{")
            owner.blocks.append(self.body(Block(name, label), "}"))
            self.take("}")
        return owner

    def value(self) -> Any:
        token = self.take()
        if token[0] == "[":
            return self.items("]", self.value)
        if token[0] == "{":
            return dict(self.items("}", self.pair))
        if token.lastgroup == "string":
            return self.text(token)
        if token.lastgroup != "word":
            raise AlloyError(f"{token[0]} is no value")
        is_literal = token[0] in {"true", "false"} or token[0][0].isdigit()
        return json.loads(token[0]) if is_literal else Reference(token[0])

    def text(self, token: Lexeme) -> str:
        return string(self.piece, token).text

    def pair(self) -> tuple[str, Any]:
        name = self.text(self.take())
        self.take("=")
        return name, self.value()

    def items(self, end: str, item: Any) -> list[Any]:
        found = []
        while self.next != end:
            found.append(item())
            if self.next != end:
                self.take(",")
        self.take(end)
        return found


def read(text: str) -> list[Block]:
    """Return the blocks of the configuration *text*; AlloyError where it is none."""
    reader = _Reader(text)
    top = reader.body(Block(""), "")
    if top.attributes:
        raise AlloyError(f"no attribute stands outside of a block: {', '.join(top.attributes)}")
    return top.blocks


def references(value: Any) -> list[str]:
    """Return the references within *value*, an attribute or a block."""
    if isinstance(value, Reference):
        return [value.text]
    if isinstance(value, Block):
        return references([*value.attributes.values(), *value.blocks])
    if isinstance(value, dict):
        value = list(value.values())
    return [text for item in value for text in references(item)] if isinstance(value, list) else []
