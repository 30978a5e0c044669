"""Parse the text of a settings file, and find the line of a key in it."""

from __future__ import annotations

import json
import re
import tomllib
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import yaml

from oneiric.core.redaction import describe

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Format: TypeAlias = Literal["JSON", "TOML", "YAML"]
Place: TypeAlias = tuple[str, ...]
"""A key, with those that it is below; items of lists by their index."""

MAX_VALUES = 250_000
"""Most values of a file, with those counted again that its aliases repeat."""
MAX_DEPTH = 64
"""How deep the values of a file are nested at the most."""

_SUFFIXES: Mapping[str, Format] = {".yaml": "YAML", ".yml": "YAML", ".json": "JSON", ".toml": "TOML", ".tml": "TOML"}
_Loader: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast where libyaml is there
_TOML_KEY = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_TOML_LINE = re.compile(rf"\s*(?P<table>\[\[?)?\s*(?P<keys>{_TOML_KEY}(?:\s*\.\s*{_TOML_KEY})*)\s*(?:=|\])")
_JSON_KEY = re.compile(r'"((?:[^"\\]|\\.)*)"\s*:')


def format_of(text: str, suffix: str) -> Format:
    """Return the format of *text*, which a known *suffix* of its file decides, else its first character."""
    return _SUFFIXES.get(suffix.lower()) or ("JSON" if text.lstrip().startswith("{") else "TOML")


def parse(text: str, kind: Format) -> Any:
    """Return what *text* says, None where it is empty; ValueError says in one line, and in which, what is wrong.

    A key that is there twice is wrong in each format.
    """
    try:
        match kind:
            case "YAML":
                return _parse_yaml(text)
            case "JSON":
                return json.loads(text, object_pairs_hook=_without_duplicates) if text.strip() else None
            case "TOML":
                return tomllib.loads(text)
    except _DuplicateKeyError as error:
        raise ValueError(f"{_line_of_second(text, error.key)}{error}") from None
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise ValueError(_reason(error)) from error


def lines_of(text: str, kind: Format) -> Mapping[Place, int]:
    """Return the line of each key and each item in *text*, counted from 1, as far as they are found."""
    try:
        return dict(_toml_lines(text) if kind == "TOML" else _yaml_lines(text))
    except (ValueError, yaml.YAMLError, RecursionError):  # JSON that is no YAML
        return {}


class _DuplicateKeyError(ValueError):
    def __init__(self, key: str) -> None:
        super().__init__(f"the key {key!r:.80} is there twice; keep one")
        self.key = key


def _reason(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark  # the error's own text quotes the line, which may hold a secret
        return f"line {mark.line + 1}, column {mark.column + 1}: {error.problem}"
    return "nested too deeply" if isinstance(error, RecursionError) else describe(error)[1].partition("\n")[0]


def _parse_yaml(text: str) -> Any:
    loader = _Loader(text)
    try:
        if (root := loader.get_single_node()) is None:
            return None
        _Check().node(root, 0)
        return loader.construct_document(root)
    finally:
        loader.dispose()


class _Check:
    """Finds what must not be built: a key that is there twice, and more values than anyone writes down."""

    def __init__(self) -> None:
        self._values = 0

    def node(self, node: yaml.Node, depth: int) -> None:
        """Check *node* and what is below it, again wherever an alias repeats it; ValueError where it is wrong."""
        self._values += 1
        if self._values > MAX_VALUES or depth > MAX_DEPTH:
            raise ValueError(
                f"line {node.start_mark.line + 1}: more than {MAX_VALUES} values, or {MAX_DEPTH} levels of them, its "
                "aliases followed"
            )
        if isinstance(node, yaml.MappingNode):
            self._mapping(node, depth)
        elif isinstance(node, yaml.SequenceNode):
            for item in node.value:
                self.node(item, depth + 1)

    def _mapping(self, node: yaml.MappingNode, depth: int) -> None:
        lines: dict[tuple[str, str], int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if isinstance(key, yaml.ScalarNode):
                name = (key.tag, key.value)
                if name in lines:
                    raise ValueError(f"line {line}: the key {key.value!r:.80} is in line {lines[name]}, too; keep one")
                lines[name] = line
            self.node(value, depth + 1)


def _yaml_lines(text: str) -> Iterator[tuple[Place, int]]:
    yield from _node_lines(yaml.compose(text, Loader=_Loader), ())


def _node_lines(node: yaml.Node | None, at: Place) -> Iterator[tuple[Place, int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.tag.endswith(":merge"):
                yield from _node_lines(value, at)
                continue
            place = (*at, str(key.value))
            yield place, key.start_mark.line + 1
            yield from _node_lines(value, place)
    elif isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            place = (*at, str(number))
            yield place, item.start_mark.line + 1
            yield from _node_lines(item, place)


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in pairs:
        if key in values:
            raise _DuplicateKeyError(key)
        values[key] = value
    return values


def _line_of_second(text: str, key: str) -> str:
    """Return where *key* stands for the second time, as far as that can be said of JSON."""
    found = [match.start() for match in _JSON_KEY.finditer(text) if match[1] == key]
    return f"line {text.count(chr(10), 0, found[1]) + 1}: " if len(found) == 2 else ""  # noqa: PLR2004 - first and second


def _toml_lines(text: str) -> Iterator[tuple[Place, int]]:
    """Yield the line of each table and each key that begins a line."""
    table: Place = ()
    counts: dict[Place, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if (match := _TOML_LINE.match(line)) is None:
            continue
        keys = tuple(key.strip("\"'") for key in re.findall(_TOML_KEY, match["keys"]))
        if match["table"] is None:
            yield (*table, *keys), number
            continue
        table = keys
        if match["table"] == "[[":
            counts[keys] = counts.get(keys, -1) + 1
            table = (*keys, str(counts[keys]))
        yield table, number
