"""Read settings from environment variables, each text understood by the type of the field it is for."""

from __future__ import annotations

import difflib
import json
import re
import types
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from oneiric.core.config.files import SettingsError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

NESTING = "__"
_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")  # longer ones are identifiers
ALIASES = {
    "ACTIVITY_STORE": ("runtime_paths", "domain_activity_path"),
    "CACHE_DIR": ("cache_dir",),
    "LOG_LEVEL": ("logging", "level"),
    "METRICS_ADDRESS": ("observability", "metrics_address"),
    "METRICS_DIR": ("observability", "shared", "directory"),
    "OTLP_ENDPOINT": ("observability", "otlp", "endpoint"),
    "PROFILE": ("profile", "name"),
    "PUSHGATEWAY": ("observability", "push", "pushgateway"),
    "STATE_DIR": ("state_dir",),
    "TEXTFILE": ("observability", "push", "textfile"),
}
"""Short names, without the project's prefix, of often-set fields; the full name beats its short one."""


OTHERS = {
    "CONFIG": "The settings file to read, in YAML, TOML or JSON.",
    "FACTORY_ALLOWLIST": "Module prefixes that factories may come from, separated by commas.",
    "STACK_ORDER": "Packages, or `package:priority`, separated by commas, in the order in which they rank.",
    "TRUSTED_PUBLIC_KEYS": "Ed25519 keys, in Base64, that may sign remote manifests, separated by commas.",
}
"""Variables, without the prefix, that are no fields, and what they mean."""

_KUBERNETES = re.compile(
    r"([A-Z0-9_]+_)?(SERVICE_HOST=.*|SERVICE_PORT(_\w+)?=[0-9]+|PORT(_[0-9]+_(TCP|UDP|SCTP))?=\w+://.*"
    r"|PORT_[0-9]+_(TCP|UDP|SCTP)_(PROTO|PORT|ADDR)=.*)"
)
"""What Kubernetes sets in each container for a service whose name begins like the prefix."""


def prefix_of(project: str) -> str:
    """Return what the environment variables of *project* begin with."""
    return project.upper().replace("-", "_").replace(".", "_") + "_"


def variable_name(project: str, loc: tuple[str, ...], environ: Mapping[str, str]) -> str:
    """Return the variable of *environ* that sets the field at *loc*."""
    prefix = prefix_of(project)
    aliases = {path: alias for alias, path in ALIASES.items()}
    for length in range(len(loc), 0, -1):
        full = NESTING.join(loc[:length]).upper()
        for name in (full, aliases.get(loc[:length], full)):
            if prefix + name in environ:
                return prefix + name
    return prefix + NESTING.join(loc).upper()


def read_environment(project: str, environ: Mapping[str, str], model: type[BaseModel]) -> dict[str, Any]:
    """Return what *environ* sets of *model*; SettingsError names the variable that cannot be understood."""
    values: dict[str, Any] = {}
    for name, path, text in _variables(prefix_of(project), environ):
        try:
            _put(values, path, coerce(text, _type_at(model, path)))
        except ValueError as error:
            raise SettingsError(f"environment variable {name}: {error}") from error
    return values


def field_variables(model: type[BaseModel], before: str = "") -> Iterator[str]:
    """Yield the names, without the prefix, of the variables of *model*; one that ends with ``__`` begins further ones.

    Fields of the top level have short names only.
    """
    for name, field in model.model_fields.items():
        full = before + name.upper()
        if before:
            yield full
        for option in _parts(field.annotation):
            if isinstance(option, type) and issubclass(option, BaseModel):
                yield from field_variables(option, full + NESTING)
            elif get_origin(option) is dict or option is dict:
                yield full + NESTING


def unknown_variables(
    project: str, environ: Mapping[str, str], model: type[BaseModel], *, own_keys: Collection[str]
) -> Iterator[str]:
    """Yield each variable of *environ* that sets nothing of *model*, nor of *own_keys*, with the nearest that does."""
    prefix = prefix_of(project)
    for name in sorted(environ):
        rest = name.removeprefix(prefix)
        if (
            not name.startswith(prefix)
            or rest in ALIASES
            or rest in OTHERS
            or _KUBERNETES.fullmatch(f"{rest}={environ[name]}")
        ):
            continue
        path = tuple(rest.lower().split(NESTING))
        if len(path) > 1 and (path[0] in own_keys or _has(model, path)):
            continue
        known = [prefix + known for known in (*ALIASES, *OTHERS, *field_variables(model))]
        yield f"{name} (the nearest is {difflib.get_close_matches(name, known, n=1, cutoff=0)[0]})"


def coerce(text: str, annotation: Any) -> Any:
    """Return *text* as what a field of type *annotation* is validated from.

    Lists are comma-separated or JSON, mappings and models JSON; an empty text is None where None is allowed. Only for
    a field of any type it is guessed what is meant (bool, number, list), and never a number that would be written back
    differently. Everything else stays text, for the field to validate.
    """
    options = _options(annotation)
    if not text.strip() and type(None) in options:
        return None
    kinds = [option for option in options if option is not type(None)]
    if Any in kinds or not kinds:
        return _guess(text)
    return _structure(text, get_origin(kinds[0]) or kinds[0])


def _variables(prefix: str, environ: Mapping[str, str]) -> Iterator[tuple[str, tuple[str, ...], str]]:
    for alias, path in ALIASES.items():
        if (name := prefix + alias) in environ:
            yield name, path, environ[name]
    for name in sorted(environ):  # a section before its fields
        if name.startswith(prefix) and NESTING in (rest := name.removeprefix(prefix)):
            yield name, tuple(rest.lower().split(NESTING)), environ[name]


def _put(values: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    if "" in path:
        raise ValueError("a section or field name is empty; <PROJECT>_<SECTION>__<FIELD> expected")
    for part in path[:-1]:
        values = values.setdefault(part, {})
        if not isinstance(values, dict):
            raise ValueError(f"{part} is set to a single value by another variable; set only one of them")  # noqa: TRY004 - the text is at fault
    values[path[-1]] = value


def _type_at(annotation: Any, path: tuple[str, ...]) -> Any:
    for part in path:
        annotation = _step(annotation, part)
    return annotation


def _step(annotation: Any, part: str) -> Any:
    for option in _options(annotation):
        if isinstance(option, type) and issubclass(option, BaseModel) and part in option.model_fields:
            return option.model_fields[part].annotation
        if get_origin(option) is dict:
            return get_args(option)[1]
    return Any


def _has(annotation: Any, path: tuple[str, ...]) -> bool:
    if not path:
        return True
    for option in _options(annotation):
        if option is Any:
            return True
        if get_origin(option) is dict and _has(get_args(option)[1], path[1:]):
            return True
        if isinstance(option, type) and issubclass(option, BaseModel):
            field = option.model_fields.get(path[0])
            if field is not None and _has(field.annotation, path[1:]):
                return True
    return False


def _parts(annotation: Any) -> Iterator[Any]:
    yield annotation
    for part in get_args(annotation):
        yield from _parts(part)


def _options(annotation: Any) -> tuple[Any, ...]:
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) in {Union, types.UnionType}:
        return tuple(part for option in get_args(annotation) for part in _options(option))
    return (annotation,)


def _structure(text: str, kind: Any) -> Any:
    if kind is list:
        return _json(text, list) if text.lstrip().startswith("[") else _split(text)
    if kind is dict or (isinstance(kind, type) and issubclass(kind, BaseModel)):
        return _json(text, dict)
    return text


def _json(text: str, kind: type) -> Any:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, kind):
        raise ValueError(f"JSON {'list' if kind is list else 'object'} expected")  # noqa: TRY004 - the text is at fault
    return value


def _split(text: str) -> list[str]:
    return [item for part in text.split(",") if (item := part.strip())]


def _guess(text: str) -> Any:
    if text.lower() in {"true", "false"}:
        return text.lower() == "true"
    if _NUMBER.fullmatch(text):
        number = float(text) if "." in text else int(text)
        return number if str(number) == text else text  # "1.50" may be a version
    return _split(text) if "," in text else text
