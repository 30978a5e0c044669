"""Which lines and labels a filter lets through."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

from oneiric.monitoring.notation.logql import (
    TIME,
    Address,
    Both,
    Duration,
    LogQLError,
    Matcher,
    Number,
    Size,
    Text,
    Variable,
    needed,
    seconds,
    size,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from logql.lines import Entry

    from oneiric.monitoring.notation.logql import Condition, LineFilter

FILTER_ERROR = "LabelFilterErr"
_ADDRESSES = re.compile(r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-fA-F]*:[0-9a-fA-F:]+)(?![\w:])")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(?i:([kmgtpe]?i?b))?")


def keeps_line(stage: LineFilter, text: str) -> bool:
    """Say whether *stage* lets a line with *text* through."""
    found = any(_in_line(stage.operator[-1], value, text) for value in stage.values)
    return found != stage.operator.startswith("!")


def _in_line(operator: str, value: Text | Address, text: str) -> bool:
    if isinstance(value, Address):
        return any(_is_within(address, value) for address in _ADDRESSES.findall(text))
    if operator == "~":
        return needed(value.value, value.start).search(text) is not None
    if operator == ">":
        return re.search(".*".join(map(re.escape, value.value.split("<_>"))), text, re.DOTALL) is not None
    return value.value in text


def matches(matcher: Matcher, value: str) -> bool:
    """Say whether *matcher* fits a label's *value*; an absent label is empty."""
    if matcher.operator in {"=", "!="}:
        return (value == matcher.value.value) == (matcher.operator == "=")
    pattern = needed(matcher.value.value, matcher.value.start)
    return bool(pattern.fullmatch(value)) == (matcher.operator == "=~")


def holds(condition: Condition, entry: Entry) -> bool:
    """Say whether the labels of *entry* fit; a value that cannot be compared lets it through, with an error."""
    if isinstance(condition, Both):
        left = holds(condition.left, entry)
        if condition.operator == "or":
            return left or holds(condition.right, entry)
        return holds(condition.right, entry) and left
    if isinstance(condition, Matcher):
        return matches(condition, entry.find(condition.name.text) or "")
    found = entry.find(condition.name.text)
    if isinstance(condition.value, Variable):
        raise LogQLError(condition.value.start, f"{condition.value.text} must be replaced before the query is answered")
    if found is None:
        return False
    try:
        return _compare(condition.operator, condition.value, found)
    except ValueError:
        entry.fail(FILTER_ERROR)
        return True


_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "=": lambda value, bound: value == bound,
    "==": lambda value, bound: value == bound,
    "!=": lambda value, bound: value != bound,
    ">": lambda value, bound: value > bound,
    ">=": lambda value, bound: value >= bound,
    "<": lambda value, bound: value < bound,
    "<=": lambda value, bound: value <= bound,
}


def _compare(operator: str, value: Number | Duration | Size | Address, found: str) -> bool:
    """Compare; ValueError where *found* is not of the kind that it is compared with."""
    if isinstance(value, Address):
        return _is_within(found, value) == (operator == "=")
    compare = _COMPARE[operator]
    if isinstance(value, Number):
        return compare(number(found), value.value)
    if isinstance(value, Duration):
        return compare(time(found), value.seconds)
    return compare(amount(found), value.bytes)


def number(text: str) -> float:
    """Return the number that *text* is; ValueError for anything else."""
    if "_" in text or text != text.strip():
        raise ValueError(text)
    return float(text)


def time(text: str) -> float:
    """Return the seconds that *text*, such as ``1m30s``, is; ValueError for anything else."""
    if text == "0":
        return 0.0
    if not TIME.fullmatch(text.lstrip("+-")):
        raise ValueError(text)
    return seconds(text.lstrip("+-")) * (-1 if text.startswith("-") else 1)


def amount(text: str) -> float:
    """Return the bytes that *text*, such as ``10MB``, is; ValueError for anything else."""
    found = _SIZE.fullmatch(text)
    if found is None:
        raise ValueError(text)
    return size(f"{found[1]}{found[2] or 'b'}")


def _is_within(text: str, allowed: Address) -> bool:
    try:
        address = ipaddress.ip_address(text)
        first, dash, last = allowed.value.partition("-")
        if not dash:
            return address in ipaddress.ip_network(first, strict=False)
        return int(ipaddress.ip_address(first)) <= int(address) <= int(ipaddress.ip_address(last))
    except ValueError:
        return False
