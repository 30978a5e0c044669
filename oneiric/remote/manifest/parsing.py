"""Turn the bytes of a manifest, which anybody may have written, into plain data of bounded size and depth."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

import yaml

from oneiric.remote.errors import RemoteSyncError

try:
    from yaml import CSafeLoader as _SafeLoader
except ImportError:  # PyYAML built without libyaml
    from yaml import SafeLoader as _SafeLoader  # type: ignore[assignment]

MAX_DEPTH = 32
"""Deepest nesting of mappings and lists in a manifest."""

_MAX_SHOWN_CHARS = 64
_INT, _FLOAT, _TIMESTAMP = (f"tag:yaml.org,2002:{name}" for name in ("int", "float", "timestamp"))
_JSON_INT = r"-?(?:0|[1-9][0-9]*)"
_JSON_FLOAT = rf"{_JSON_INT}(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?"
_NOT_FINITE = r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"  # to be refused, rather than taken for text


class _Loader(_SafeLoader):
    """Safe YAML that knows no timestamps, and no numbers but those of JSON, and refuses a key given twice.

    YAML's other numbers (base 60, base 16) take time in the square of their length to read, or cannot be written again.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - PyYAML's signature
        keys = [key.value for key, _value in node.value if isinstance(key, yaml.ScalarNode)]
        _refuse_repeated(keys)
        return super().construct_mapping(node, deep=deep)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in {_INT, _FLOAT, _TIMESTAMP}]
    for first, resolvers in _SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(_INT, re.compile(rf"(?:{_JSON_INT})\Z"), list("-0123456789"))
_Loader.add_implicit_resolver(_FLOAT, re.compile(rf"(?:{_JSON_FLOAT}|{_NOT_FINITE})\Z"), list("-+.0123456789"))


def parse_manifest(raw: bytes) -> dict[str, Any]:
    """Return the mapping that *raw*, JSON or else YAML in UTF-8, stands for; RemoteSyncError says what is wrong.

    The result holds str, int, finite float, bool, None, list and dict with str keys only, at most :data:`MAX_DEPTH`
    deep. Takes time in proportion to the size of *raw*, which the caller bounds.
    """
    text = _decode(raw)
    if not text.strip():
        raise _refused("Remote manifest is empty.")
    content = _load(text)
    if not isinstance(content, dict):
        raise _refused("Remote manifest must be a mapping at the top level.")
    _check(content, depth=1)
    return content


def _decode(raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _refused(f"Remote manifest is not valid UTF-8 (byte {error.start}).") from None


def _load(text: str) -> object:
    try:
        return json.loads(text, object_pairs_hook=_mapping, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        problem = f"line {error.lineno}: {error.msg}"
    except RecursionError:
        raise _too_deep() from None
    except RemoteSyncError:
        raise
    except ValueError as error:  # a number with too many digits
        raise _refused(f"Remote manifest holds an unusable value: {error}") from None
    return _load_yaml(text, json_problem=problem)


def _load_yaml(text: str, *, json_problem: str) -> object:
    try:
        _check_events(text)
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader
    except yaml.YAMLError as error:
        raise _refused(f"Remote manifest is neither JSON ({json_problem}) nor YAML ({_explain(error)}).") from None
    except RecursionError:
        raise _too_deep() from None
    except RemoteSyncError:
        raise
    except ValueError as error:
        raise _refused(f"Remote manifest holds an unusable value: {error}") from None


def _check_events(text: str) -> None:
    """Refuse, before anything is built, what makes little text into much data, and depth."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise _refused(f"Remote manifest uses a YAML anchor or alias{_at(event.start_mark)}; write it out.")
        if getattr(event, "tag", None):
            raise _refused(f"Remote manifest uses an explicit YAML tag{_at(event.start_mark)}; leave it out.")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise _too_deep()


def _check(value: object, *, depth: int) -> None:
    if depth > MAX_DEPTH and isinstance(value, dict | list):
        raise _too_deep()
    match value:
        case dict():
            for key, item in value.items():
                if not isinstance(key, str):
                    raise _refused(f"Remote manifest has a key that is no string: {type(key).__name__}.")
                _check(key, depth=depth + 1)
                _check(item, depth=depth + 1)
        case list():
            for item in value:
                _check(item, depth=depth + 1)
        case str():
            _check_text(value)
        case float() if not math.isfinite(value):
            raise _refused("Remote manifest holds a number that is not finite.")
        case None | bool() | int() | float():
            pass
        case _:
            raise _refused(f"Remote manifest holds a {type(value).__name__}, which JSON has no form for.")


def _check_text(value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _refused("Remote manifest holds half of a surrogate pair.") from None


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    _refuse_repeated([key for key, _value in pairs])
    return dict(pairs)


def _refuse_repeated(keys: list[str]) -> None:
    seen = set()
    for key in keys:
        if key in seen:
            raise _refused(f"Remote manifest gives the key {key[:_MAX_SHOWN_CHARS]!r} twice in one mapping.")
        seen.add(key)


def _refuse_constant(name: str) -> NoReturn:
    raise _refused(f"Remote manifest holds {name}, which is no JSON.")


def _explain(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or type(error).__name__
    return f"line {mark.line + 1}: {problem}" if mark else str(problem)


def _at(mark: Any) -> str:
    return f" in line {mark.line + 1}" if mark else ""


def _too_deep() -> RemoteSyncError:
    return _refused(f"Remote manifest is nested more than {MAX_DEPTH} deep.")


def _refused(message: str) -> RemoteSyncError:
    return RemoteSyncError(message, reason="parse")
