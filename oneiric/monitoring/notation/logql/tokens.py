"""LogQL as a row of tokens: words, strings, numbers with and without units, variables and signs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from oneiric.monitoring.notation.logql.errors import LogQLError

if TYPE_CHECKING:
    from collections.abc import Iterator

TokenKind = Literal["word", "string", "number", "duration", "size", "variable", "flag", "sign", "end"]

_UNIT = r"(?:ns|us|\u00b5s|ms|[smhdwy])"
TIME = re.compile(rf"(?:\d+(?:\.\d+)?{_UNIT})+")
"""A time without a sign, as a query or a line has it."""
_TOKEN = re.compile(
    rf"""
    (?P<blank>\s+|\#[^\n]*)
  | (?P<string>"(?:[^"\\\n]|\\.)*"|`[^`]*`)
  | (?P<variable>\$\w+|\$\{{[^}}\n]*\}}|\[\[\w+\]\])
  | (?P<duration>(?:\d+(?:\.\d+)?{_UNIT})+(?!\w))
  | (?P<size>\d+(?:\.\d+)?(?i:[kmgtpe]?i?b)(?!\w))
  | (?P<number>0[xX][0-9a-fA-F]+|(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
  | (?P<word>[A-Za-z_][\w:]*)
  | (?P<flag>--[a-z-]+)
  | (?P<sign>\|=|\|~|\|>|!=|!~|!>|=~|==|>=|<=|[{{}}()\[\],|=<>+\-*/%^])
    """,
    re.VERBOSE | re.ASCII,
)
_SECONDS = {
    "ns": 1e-9,
    "us": 1e-6,
    "\u00b5s": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
    "d": 86_400.0,
    "w": 604_800.0,
    "y": 31_536_000.0,
}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "\\": "\\", '"': '"'}
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.)", re.DOTALL)
_WORD = re.compile(r"[\w.]+")
_MAX_CODE_POINT = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)


@dataclass(frozen=True, slots=True)
class Token:
    """One token; of the last, which is no character, *text* is empty."""

    kind: TokenKind
    text: str
    start: int

    @property
    def end(self) -> int:
        """The offset after its last character."""
        return self.start + len(self.text)

    def __str__(self) -> str:
        return "the end" if self.kind == "end" else repr(self.text)


def tokens(text: str) -> tuple[Token, ...]:
    """Return the tokens of *text* without blanks and comments, and one for its end.

    Raises:
        LogQLError: A character that begins no token, or a string that does not end.
    """
    return tuple(_tokens(text))


def _tokens(text: str) -> Iterator[Token]:
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise LogQLError(at, _why_not(text, at))
        if found.lastgroup != "blank":
            yield Token(cast("TokenKind", found.lastgroup), found[0], at)
        at = found.end()
    yield Token("end", "", len(text))


def seconds(text: str) -> float:
    """Return how many seconds the time *text* is, such as ``1h30m``."""
    return sum(float(amount) * _SECONDS[unit] for amount, unit in re.findall(rf"([\d.]+)({_UNIT})", text))


def size(text: str) -> int:
    """Return how many bytes the size *text* is: ``1KiB`` are 1024, ``1KB`` are 1000."""
    amount, unit = re.fullmatch(r"([\d.]+)(\w+)", text).groups()  # type: ignore[union-attr]
    base = 1024 if "i" in unit.lower() else 1000
    power: int = "bkmgtpe".index(unit[0].lower())
    return round(float(amount) * float(base) ** power)


def unquoted(token: Token) -> str:
    """Return the value of the string *token*: in backquotes as it stands, in double quotes with Go's escapes read.

    Raises:
        LogQLError: An escape that Go does not have.
    """
    inner = token.text[1:-1]
    if token.text[0] == "`":
        return inner
    return _ESCAPE.sub(lambda found: _character(found, token), inner)


def _character(found: re.Match[str], token: Token) -> str:
    escape = found[1]
    if escape in _ESCAPES:
        return _ESCAPES[escape]
    base = 8 if escape[0].isdigit() else 16
    digits = escape if base == 8 else escape[1:]  # noqa: PLR2004 - octal
    code = int(digits, base) if len(escape) > 1 else -1
    if not 0 <= code <= _MAX_CODE_POINT or code in _SURROGATES:
        at = token.start + 1 + found.start()
        raise LogQLError(at, f"\\{escape} is no escape; a backslash itself is \\\\, or use backquotes")
    return chr(code)


def _why_not(text: str, at: int) -> str:
    character = text[at]
    if character in '"`':
        return f"the string that begins here does not end: {character} is missing"
    if character == "'":
        return "strings stand in double quotes or backquotes"
    if character == ".":
        return "a label's name has no dot: `| json` makes service_name of service.name"
    if character.isdigit():
        return f"{_WORD.match(text, at)[0]!r} is no number, time or size"  # type: ignore[index]
    return f"{character!r} does not belong here"
