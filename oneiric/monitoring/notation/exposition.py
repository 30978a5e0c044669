"""The exposition of metrics: families, their types, labels, values of labels and buckets.

prometheus_client has a parser, too; but only what exposes metrics imports it, and what an endpoint is asked for here
is not its samples but which names and labels it has, whatever type it says they are of.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_COMMENT = re.compile(r"# (TYPE|HELP) (\S+) ?(.*)")
_SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? +\S+")
_LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"')
_ENDINGS = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("_sum", "_count"), "counter": ("_total", "")}


class ExpositionError(ValueError):
    """A text is no exposition."""


@dataclass(slots=True)
class Family:
    """A family as it is exposed: its type, and every label seen with its values."""

    name: str
    type: str = "untyped"
    labels: dict[str, set[str]] = field(default_factory=dict)
    has_samples: bool = False


def families(text: str) -> dict[str, Family]:
    """Return the families of *text* by name, a counter's with ``_total``; ExpositionError for what is none."""
    found: dict[str, Family] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if (comment := _COMMENT.fullmatch(line)) is not None:
            if comment[1] == "TYPE":
                found.setdefault(comment[2], Family(comment[2])).type = comment[3]
        elif line.strip() and not line.startswith("#"):
            _sample(line, number, found)
    if not found:
        raise ExpositionError("it has no metrics")
    return {family.name: family for family in found.values()}


def _sample(line: str, number: int, found: dict[str, Family]) -> None:
    sample = _SAMPLE.match(line)
    if sample is None:
        raise ExpositionError(f"line {number} is no sample")
    family = _family(sample[1], found)
    family.has_samples = True
    for label in _LABEL.finditer(sample[2] or ""):
        family.labels.setdefault(label[1], set()).add(label[2])


def _family(name: str, found: dict[str, Family]) -> Family:
    for kind, endings in _ENDINGS.items():
        for ending in endings:
            base = name.removesuffix(ending) if ending else name
            family = found.get(base)
            if family is not None and family.type == kind:
                family.name = name if kind == "counter" else family.name
                return family
    return found.setdefault(name, Family(name))
