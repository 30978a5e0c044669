"""What a regular expression of a matcher can mean, as far as that is certain."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_PATTERN = 500
"""A longer pattern is not looked into."""

_REPEATS = re.compile(r"[*+}]")


def alternatives(pattern: str) -> list[tuple[int, str]]:
    """Return the outermost alternatives of *pattern* with their offsets; one bracket around all is opened."""
    opened = _opened(pattern)
    inner = pattern[opened:-1] if opened else pattern
    parts, start = [], 0
    for end in (*_bars(inner), len(inner)):
        parts.append((opened + start, inner[start:end]))
        start = end + 1
    return parts


def matches_any(pattern: str, values: Iterable[str]) -> bool:
    """Whether *pattern* matches one of *values* whole; True too where that takes long to find out."""
    if len(pattern) > MAX_PATTERN or len(_REPEATS.findall(pattern)) > 3:  # noqa: PLR2004 - repeats in repeats take ages
        return True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compiled = re.compile(pattern)
    except (re.error, OverflowError, RecursionError):
        return True
    return any(compiled.fullmatch(value) for value in values)


def _opened(pattern: str) -> int:
    """Return how long the bracket is that opens *pattern* and closes at its very end, or 0."""
    start = 3 if pattern.startswith("(?:") else 1 if pattern.startswith("(") and pattern[1:2] != "?" else 0
    if not start or not pattern.endswith(")"):
        return 0
    depth = 0
    for at, character in _plain(pattern):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return start if at == len(pattern) - 1 else 0
    return 0


def _bars(pattern: str) -> Iterator[int]:
    depth = 0
    for at, character in _plain(pattern):
        depth += (character == "(") - (character == ")")
        if character == "|" and depth == 0:
            yield at


def _plain(pattern: str) -> Iterator[tuple[int, str]]:
    """Give the characters of *pattern* that stand for themselves or for structure: none escaped, none of a class."""
    escaped = in_class = False
    for at, character in enumerate(pattern):
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif in_class:
            in_class = character != "]"
        elif character == "[":
            in_class = True
        else:
            yield at, character
