"""Reading tokens one after another, with what was expected where one does not fit."""

from __future__ import annotations

import difflib
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn

from oneiric.monitoring.notation.logql.errors import LogQLError
from oneiric.monitoring.notation.logql.syntax import Duration, Name, Number, Size, Text, Variable
from oneiric.monitoring.notation.logql.tokens import seconds, size, tokens, unquoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import TypeVar

    from oneiric.monitoring.notation.logql.tokens import Token, TokenKind

    T = TypeVar("T")

RESERVED = frozenset(
    {
        *("and", "bool", "by", "decolorize", "drop", "group_left", "group_right", "ignoring", "ip", "json", "keep"),
        *("label_format", "label_replace", "line_format", "logfmt", "of", "offset", "on", "or", "pattern", "regexp"),
        *("unless", "unpack", "unwrap", "variants", "without"),
    }
)
"""Words that are no label's name in a query."""
MAX_DEPTH = 50
"""Parentheses and functions within each other; nobody writes as many, and each takes a part of the stack."""


class Cursor:
    """The tokens of a text, and which of them is the next."""

    def __init__(self, text: str) -> None:
        found = tokens(text)
        self._tokens = tuple(
            _keyword(token, following) for token, following in zip(found, (*found[1:], found[-1]), strict=True)
        )
        self._index = 0
        self._depth = 0

    @property
    def token(self) -> Token:
        """The next token."""
        return self._tokens[self._index]

    @property
    def following(self) -> Token:
        """The token after the next, or the end."""
        return self._tokens[min(self._index + 1, len(self._tokens) - 1)]

    @property
    def last_end(self) -> int:
        """The offset after the token that was taken last."""
        return self._tokens[self._index - 1].end if self._index else 0

    def take(self) -> Token:
        """Return the next token and go past it; the end stays the next."""
        token = self.token
        self._index += token.kind != "end"
        return token

    def at(self, *texts: str) -> bool:
        """Say whether the next token is one of the signs or words *texts*."""
        return self.token.kind in {"sign", "word"} and self.token.text in texts

    def skip(self, *texts: str) -> Token | None:
        """Go past the next token if it is one of *texts*, and return it."""
        return self.take() if self.at(*texts) else None

    def need(self, *texts: str) -> Token:
        """Go past the next token, which must be one of *texts*."""
        return self.take() if self.at(*texts) else self.fail(" or ".join(repr(text) for text in texts))

    def fail(self, expected: str, known: Iterable[str] = ()) -> NoReturn:
        """Say that *expected* should be here; a word that is much like one of *known* is taken for a slip."""
        close = difflib.get_close_matches(self.token.text, list(known), n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise LogQLError(self.token.start, f"expected {expected}, found {self.token}{hint}")

    def at_name(self) -> bool:
        """Say whether the next token can be a label's name, or is a variable in its place."""
        return self.token.kind == "variable" or (self.token.kind == "word" and self.token.text not in RESERVED)

    def name(self, what: str = "the name of a label") -> Name:
        """Take a label's name, or a variable in its place."""
        if not self.at_name():
            self.fail(what)
        token = self.take()
        return Name(token.start, token.end, token.text)

    def text(self, what: str = "a string in double quotes or backquotes") -> Text:
        """Take a string."""
        token = self._one("string", what)
        return Text(token.start, token.end, unquoted(token))

    def number(self) -> Number:
        """Take a number; a minus before it belongs to it."""
        sign = self.skip("-", "+")
        token = self._one("number", "a number")
        value = self._value(token)
        return Number((sign or token).start, token.end, -value if sign and sign.text == "-" else value)

    def duration(self) -> Duration | Variable:
        """Take a time, or a variable in its place; a minus before a time belongs to it."""
        if self.token.kind == "variable":
            return self.variable()
        sign = self.skip("-")
        token = self._one("duration", "a time such as 5m, or a variable such as $__auto")
        factor = -1 if sign else 1
        return Duration((sign or token).start, token.end, factor * seconds(token.text))

    def variable(self) -> Variable:
        """Take a variable of Grafana's."""
        token = self._one("variable", "a variable")
        return Variable(token.start, token.end, token.text)

    def size(self) -> Size:
        """Take a size in bytes."""
        token = self._one("size", "a size such as 10MB")
        return Size(token.start, token.end, size(token.text))

    def several(self, item: Callable[[], T]) -> tuple[T, ...]:
        """Take one *item* or more, with commas between them."""
        found = [item()]
        while self.skip(","):
            found.append(item())
        return tuple(found)

    def names(self) -> tuple[Name, ...]:
        """Take names in parentheses, perhaps none."""
        self.need("(")
        found = () if self.at(")") else self.several(self.name)
        self.need(")")
        return found

    @contextmanager
    def deeper(self) -> Iterator[None]:
        """Read what is a level of nesting deeper.

        Raises:
            LogQLError: There are too many.
        """
        if self._depth == MAX_DEPTH:
            raise LogQLError(self.token.start, f"more than {MAX_DEPTH} levels of nesting")
        self._depth += 1
        yield
        self._depth -= 1

    def _value(self, token: Token) -> float:
        try:
            return float(int(token.text, 16)) if token.text[:2] in {"0x", "0X"} else float(token.text)
        except OverflowError:
            raise LogQLError(token.start, "the number is too large") from None

    def _one(self, kind: TokenKind, what: str) -> Token:
        return self.take() if self.token.kind == kind else self.fail(what)


def _keyword(token: Token, following: Token) -> Token:
    """Return *token*, in lower case where it is a keyword or a function's name: their case does not matter."""
    is_function = following.text.lower() in {"(", "by", "without"}
    if token.kind == "word" and (is_function or token.text.lower() in RESERVED):
        return replace(token, text=token.text.lower())
    return token
