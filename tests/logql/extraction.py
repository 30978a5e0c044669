"""What parsers make of a line: labels, from JSON, logfmt, patterns and regular expressions."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from oneiric.monitoring.notation.logql import Text, needed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from logql.lines import Entry

    from oneiric.monitoring.notation.logql import Parser

_PAIR = re.compile(r'([^\s="]+)(?:=("(?:[^"\\]|\\.)*"|[^\s"]*))?')
_STEP = re.compile(r'([A-Za-z_]\w*)|\[(?:(\d+)|"([^"]*)")\]')
_CAPTURE = re.compile(r"<(\w+)>")


class _Number(str):
    """A number of JSON as it is written."""

    __slots__ = ()


def extract(parser: Parser, entry: Entry) -> None:
    """Make labels of *entry*'s text as *parser* says; a text that it cannot read stays, with an error."""
    pattern = parser.pattern or Text(parser.start, parser.end, "")
    if parser.kind == "json":
        _json(parser, entry)
    elif parser.kind == "unpack":
        _unpack(entry)
    elif parser.kind == "logfmt":
        _logfmt(parser, entry)
    elif parser.kind == "regexp":
        found = needed(pattern.value, pattern.start).search(entry.text)
        _set(entry, ((name, value or "") for name, value in found.groupdict().items()) if found else iter(()))
    else:
        _set(entry, captures(pattern.value, entry.text))


def captures(pattern: str, text: str) -> Iterator[tuple[str, str]]:
    """Yield what the captures of *pattern* match in *text*; a literal that is not found ends the matching."""
    parts = _CAPTURE.split(pattern)
    names, literals = parts[1::2], parts[2::2]
    _, found, rest = text.partition(parts[0]) if parts[0] else ("", "start", text)
    if not found:
        return
    for name, literal in zip(names, literals, strict=True):
        value, found, after = rest.partition(literal) if literal else (rest, "", "")
        if name != "_":
            yield name, value
        if not found:
            return
        rest = after


def _set(entry: Entry, found: Iterator[tuple[str, str]]) -> None:
    for name, value in found:
        entry.extract(name, value)


def _read(entry: Entry) -> dict[str, Any] | None:
    try:
        document = json.loads(entry.text, parse_float=_Number, parse_int=_Number)
    except (ValueError, RecursionError):
        document = None
    if isinstance(document, dict):
        return document
    entry.fail("JSONParserErr")
    return None


def _json(parser: Parser, entry: Entry) -> None:
    document = _read(entry)
    if document is None:
        return
    if not parser.extractions:
        _set(entry, _flat(document, ""))
    for extraction in parser.extractions:
        path = extraction.path.value if extraction.path else extraction.name.text
        entry.extract(extraction.name.text, _plain(_at(document, path)))


def _flat(document: dict[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    """Yield fields by their path with ``_`` between; lists and null are left out."""
    for name, value in document.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}_")
        elif value is not None and not isinstance(value, list):
            yield prefix + name, _plain(value)


def _plain(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, separators=(",", ":"))


def _at(document: Any, path: str) -> Any:
    for name, index, quoted in _STEP.findall(path):
        if index:
            document = document[int(index)] if isinstance(document, list) and int(index) < len(document) else None
        else:
            document = document.get(name or quoted) if isinstance(document, dict) else None
    return document


def _unpack(entry: Entry) -> None:
    document = _read(entry)
    for name, value in (document or {}).items():
        if name == "_entry":
            entry.text = _plain(value)
        elif type(value) is str:
            entry.extract(name, value)


def _logfmt(parser: Parser, entry: Entry) -> None:
    found = {
        name: _value(value, entry)
        for name, value in _PAIR.findall(entry.text)
        if value or "--keep-empty" in parser.flags
    }
    if not parser.extractions:
        _set(entry, iter(found.items()))
    for extraction in parser.extractions:
        path = extraction.path.value if extraction.path else extraction.name.text
        entry.extract(extraction.name.text, found.get(path, ""))


def _value(text: str, entry: Entry) -> str:
    try:
        value: str = json.loads(text, strict=False) if text.startswith('"') else text
    except ValueError:
        entry.fail("LogfmtParserErr")
        return text
    return value
