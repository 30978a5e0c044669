"""Grafana Alloy's syntax, read: for tests of configurations, as there is no Alloy to ask."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

TOKEN = re.compile(r'\s+|//[^\n]*|("(?:[^"\\\n]|\\.)*"|[A-Za-z_][\w.]*|-?\d+(?:\.\d+)?|[{}\[\]=,])')


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
        self.tokens: list[str] = []
        at = 0
        while at < len(text):
            found = TOKEN.match(text, at)
            if found is None:
                raise AlloyError(f"offset {at}: {text[at]!r}")
            self.tokens += [found[1]] if found[1] else []
            at = found.end()
        self.tokens.append("")

    def take(self, *allowed: str) -> str:
        token = self.tokens[0]
        if not token or (allowed and token not in allowed):
            raise AlloyError(f"expected {' or '.join(allowed) or 'more'}, found {token or 'the end'}")
        return self.tokens.pop(0)

    def body(self, owner: Block, end: str) -> Block:
        while self.tokens[0] != end:
            name = self.take()
            if not re.fullmatch(r"[A-Za-z_][\w.]*", name):
                raise AlloyError(f"{name} is no name")
            if self.tokens[0] == "=":
                self.take("=")
                if name in owner.attributes or "." in name:
                    raise AlloyError(f"{name} cannot be set here")
                owner.attributes[name] = self.value()
                continue
            label = json.loads(self.take()) if self.tokens[0].startswith('"') else ""
            self.take("{")
            owner.blocks.append(self.body(Block(name, label), "}"))
            self.take("}")
        return owner

    def value(self) -> Any:
        token = self.take()
        if token == "[":
            return self.items("]", self.value)
        if token == "{":
            return dict(self.items("}", self.pair))
        if token in {"true", "false"} or token[0] in '"-0123456789':
            return json.loads(token)
        if token in "{}[]=,":
            raise AlloyError(f"{token} is no value")
        return Reference(token)

    def pair(self) -> tuple[str, Any]:
        name = self.take()
        self.take("=")
        return (json.loads(name) if name.startswith('"') else name), self.value()

    def items(self, end: str, item: Any) -> list[Any]:
        found = []
        while self.tokens[0] != end:
            found.append(item())
            if self.tokens[0] != end:
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
