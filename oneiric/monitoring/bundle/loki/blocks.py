"""Grafana Alloy's syntax, written: blocks with attributes, which are texts, numbers, lists, maps or references."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

INDENT = "\t"


@dataclass(frozen=True, slots=True)
class Reference:
    """What another component exports, or a constant or function of Alloy's, as it is written."""

    text: str


Value: TypeAlias = "str | int | bool | Reference | list[Value] | dict[str, Value]"


@dataclass(frozen=True, slots=True)
class Block:
    """A block; components have a *label*, blocks within them have none."""

    name: str
    label: str = ""
    attributes: Mapping[str, Value] = field(default_factory=dict)
    blocks: tuple[Block, ...] = ()

    def export(self, name: str) -> Reference:
        """Return the reference to what this component exports as *name*."""
        return Reference(f"{self.name}.{self.label}.{name}")


def written(block: Block, depth: int = 0) -> str:
    """Return *block* as text, indented and aligned as `alloy fmt` does, whose `--test` refuses anything else."""
    margin = INDENT * depth
    head = f'{block.name} "{block.label}"' if block.label else block.name
    width = max(map(len, block.attributes), default=0)
    rows = [f"{margin}{INDENT}{name:<{width}} = {_value(value)}\n" for name, value in block.attributes.items()]
    inner = [written(inner, depth + 1) for inner in block.blocks]
    if not rows and not inner:
        return f"{margin}{head} {{}}\n"
    gap = "\n" if rows and inner else ""
    return f"{margin}{head} {{\n{''.join(rows)}{gap}{chr(10).join(inner)}{margin}}}\n"


def _value(value: Value) -> str:
    if isinstance(value, Reference):
        return value.text
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {_value(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
