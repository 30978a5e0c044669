"""Reading which streams a query is about, and what it compares with strings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.monitoring.notation.logql.errors import LogQLError
from oneiric.monitoring.notation.logql.regular import compiled
from oneiric.monitoring.notation.logql.syntax import Address, Matcher, Selector

if TYPE_CHECKING:
    from oneiric.monitoring.notation.logql.cursor import Cursor
    from oneiric.monitoring.notation.logql.syntax import Name, Text

MATCH_OPERATORS = ("=", "!=", "=~", "!~")


def selector(cursor: Cursor) -> Selector:
    """Take a selector, of which one matcher at least must not fit the empty value, as Loki asks."""
    start = cursor.need("{").start
    matchers = () if cursor.at("}") else _matchers(cursor)
    cursor.need("}")
    if all(_fits_nothing(matcher) for matcher in matchers):
        raise LogQLError(start, 'a selector needs a matcher that an absent label does not fit, such as app="..."')
    return Selector(start, cursor.last_end, matchers)


def matcher(cursor: Cursor) -> Matcher:
    """Take a label compared with a string."""
    name = cursor.name()
    return matcher_of(cursor, name)


def matcher_of(cursor: Cursor, name: Name) -> Matcher:
    """Take what the label *name*, already taken, is compared with."""
    operator = cursor.need(*MATCH_OPERATORS).text
    value = cursor.text()
    if operator in {"=~", "!~"}:
        check_pattern(value)
    return Matcher(name.start, value.end, name, operator, value)  # type: ignore[arg-type]


def address(cursor: Cursor) -> Address:
    """Take ``ip("...")``."""
    start = cursor.need("ip").start
    cursor.need("(")
    value = cursor.text().value
    cursor.need(")")
    return Address(start, cursor.last_end, value)


def check_pattern(text: Text) -> None:
    """Raise LogQLError where *text* is no regular expression of Go's."""
    try:
        compiled(text.value)
    except ValueError as error:
        raise LogQLError(text.start, str(error)) from None


def _matchers(cursor: Cursor) -> tuple[Matcher, ...]:
    found = [matcher(cursor)]
    while cursor.skip(",") and not cursor.at("}"):
        found.append(matcher(cursor))
    return tuple(found)


def _fits_nothing(matcher: Matcher) -> bool:
    value = matcher.value.value
    if matcher.operator in {"=", "!="}:
        return (value == "") == (matcher.operator == "=")
    pattern = compiled(value)
    return pattern is None or bool(pattern.fullmatch("")) == (matcher.operator == "=~")
