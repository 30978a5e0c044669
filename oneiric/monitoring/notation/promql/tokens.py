"""The tokens of PromQL with their places, and Grafana's variables in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oneiric.monitoring.notation.text import Piece

STRING = r'"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\'|`[^`]*`'
VARIABLE = r"\$\{\w+(?::[^}]*)?\}|\$\w+|\[\[\w+(?::[^\]]*)?\]\]"
_TOKEN = re.compile(
    rf"""(?P<blank>\s+|\#[^\n]*)|(?P<string>{STRING})|(?P<range>\[[^\]]*\])"""
    r"""|(?P<number>0[xX][0-9a-fA-F]+|(?:\d+(?:ms|[smhdwy]))+|\d[\d_]*\.?[\d_]*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)"""
    r"""|(?P<word>[a-zA-Z_:][a-zA-Z0-9_:]*)|(?P<sign>==|!=|<=|>=|=~|!~|[-+*/%^<>=(){},@:])|(?P<other>.)""",
    re.DOTALL,
)
_FINDING_VARIABLES = re.compile(rf"(?P<string>{STRING})|(?P<variable>{VARIABLE})")
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^()]*$", re.IGNORECASE)
_TIME = re.compile(r"(?:\[[^\]]*?|\boffset\s*-?\s*)(?P<digits>\d*)\Z", re.IGNORECASE)
_UNIT = re.compile(r"(?:ms|[smhdwy])\b")
_DURATION = re.compile(r"(\d+)(ms|[smhdwy])")
_SIZES = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0, "y": 31_536_000.0}

VARIABLE_NAME = "variable__"
"""Stands for a variable where a name must be."""

VARIABLE_WINDOW = "7919s"
"""Stands for a variable where a time must be; nobody writes it himself."""

VARIABLE_NUMBER = "7919"
"""Likewise for one where a number must be."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token: its kind, its characters, and where they begin and end."""

    kind: str
    text: str
    start: int
    end: int


def tokens(text: str) -> list[Token]:
    """Return the tokens of *text*, blanks and comments left out; a range in brackets is one."""
    found = (match for match in _TOKEN.finditer(text) if match.lastgroup != "blank")
    return [Token(match.lastgroup or "other", match[0], match.start(), match.end()) for match in found]


def without_variables(piece: Piece) -> tuple[Piece, frozenset[str]]:
    """Return *piece* with what Grafana puts in replaced by what parses, and the names of the variables in it."""
    changes, names = [], set()
    for start, end, name, in_string in _variables(piece.text):
        names.add(name)
        if not in_string:
            changes.append(_change(piece.text, start, end))
    return (piece.replaced(changes) if changes else piece), frozenset(names)


def _variables(text: str) -> Iterator[tuple[int, int, str, bool]]:
    for found in _FINDING_VARIABLES.finditer(text):
        if found.lastgroup == "variable":
            yield found.start(), found.end(), variable_name(found[0]), False
        else:
            for inner in re.finditer(VARIABLE, found[0]):
                start = found.start() + inner.start()
                yield start, start + len(inner[0]), variable_name(inner[0]), True


def variable_name(text: str) -> str:
    """Return the name in ``$name``, ``${name:format}`` or ``[[name]]``."""
    found = re.search(r"\w+", text)
    return found[0] if found else ""


def has_variable(text: str) -> bool:
    """Whether Grafana puts something in *text*; ``$`` at the end of a regular expression is no variable."""
    return re.search(VARIABLE, text) is not None


def _change(text: str, start: int, end: int) -> tuple[int, int, str]:
    """Return the change for the variable between *start* and *end*, with the rest of the time that it is part of."""
    if (time := _TIME.search(text, 0, start)) is not None:
        begin = start - len(time["digits"])
        unit = _UNIT.match(text, end)
        return begin, end if unit is None else unit.end(), VARIABLE_WINDOW
    return start, end, _stand_in(text, start, end)


def _stand_in(text: str, start: int, end: int) -> str:
    before, after = text[:start], text[end:].lstrip()
    bare = re.sub(STRING, "", before)
    if bare.count("{") > bare.count("}"):
        return _stand_in_selector(before.rstrip(), after)
    if (
        _GROUPING.search(before)
        or after[:1] in {"{", "["}
        or re.search(r"[\w:]$", before)
        or re.match(r"\w", text[end:])
    ):
        return VARIABLE_NAME
    return VARIABLE_NUMBER


def _stand_in_selector(before: str, after: str) -> str:
    if before[-1:] in {"=", "~"}:
        return f'"${VARIABLE_NAME}"'
    if re.match(r"\w|[=!]", after) or re.search(r"[\w]$", before):
        return VARIABLE_NAME
    return ("" if before[-1:] in {"{", ","} else ",") + f'{VARIABLE_NAME}!=""'


def seconds(text: str) -> float | None:
    """Return the seconds of a duration or number, or None for what is neither, or a variable."""
    text = text.strip()
    if text == VARIABLE_WINDOW:
        return None
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    parts = _DURATION.findall(text)
    if not parts or "".join(map("".join, parts)) != text:
        return None
    return sum(float(number) * _SIZES[unit] for number, unit in parts)


def unquoted(text: str) -> str:
    """Return the characters that a string token stands for."""
    inner = text[1:-1]
    if text[:1] == "`" or "\\" not in inner:
        return inner
    return re.sub(r"\\(.)", lambda found: {"n": "\n", "t": "\t"}.get(found[1], found[1]), inner, flags=re.DOTALL)
