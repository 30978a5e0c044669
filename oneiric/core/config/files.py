"""Read settings files: find the layers, parse them by suffix, merge them."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml
from pydantic import BaseModel

from oneiric.core.redaction import describe

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

MAX_FILE_BYTES = 4 * 1024 * 1024
"""Largest settings file that is read, in bytes."""


class SettingsError(ValueError):
    """The settings are not right; the text says where, what, and what would be right."""


class Layer(NamedTuple):
    """Values of one origin: a file's path, "" for the environment, or "argument"."""

    origin: str
    values: Mapping[str, Any]


def layer_paths(project: str, environ: Mapping[str, str]) -> Iterator[Path]:
    """Yield the layer files that exist, weakest first."""
    project_files = (Path("settings", f"{project}{suffix}") for suffix in (".yaml", ".yml"))
    user = _config_home(environ) / project
    candidates = (
        next(filter(_exists, project_files), None),
        Path("settings", "local.yaml"),
        user / "config.yaml",
        user / "local.yaml",
    )
    yield from (path for path in candidates if path is not None and _exists(path))


def watched_paths(project: str, path: str | os.PathLike[str] | None, environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Return every file that the settings may come from, whether or not it exists; *path* is the explicit one."""
    user = _config_home(environ) / project
    names = (f"{project}.yaml", f"{project}.yml", "local.yaml")
    found = [*(Path("settings", name) for name in names), user / "config.yaml", user / "local.yaml"]
    return (*found, Path(path).expanduser()) if path else tuple(found)


def file_versions(paths: Iterable[Path]) -> tuple[tuple[int, int, int] | None, ...]:
    """Return something that differs once one of *paths* was saved, replaced, made or removed."""
    return tuple(map(_version, paths))


def read_settings(path: Path) -> dict[str, Any]:
    """Return what the file at *path* sets.

    The suffix decides the format: ``.yaml``/``.yml``, ``.toml``/``.tml`` or ``.json``; any other is JSON if it begins
    with ``{``, else TOML. Raises SettingsError, naming the file, for anything that is not a readable mapping, and
    FileNotFoundError where nothing is.
    """
    text = _read_text(path)
    try:
        values = _parse(text, path.suffix.lower())
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise SettingsError(f"{path}: {_format_name(text, path.suffix.lower())} expected; {_reason(error)}") from error
    if values is None:
        return {}
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise SettingsError(f"{path}: a mapping of section names expected, not {type(values).__name__}")
    return values


def deep_merge(weak: Mapping[str, Any], strong: Mapping[str, Any]) -> dict[str, Any]:
    """Return *weak* with what *strong* sets; mappings are merged, everything else replaced.

    Of a model that meets a mapping, only the fields count that were set.
    """
    merged = dict(weak)
    for key, value in strong.items():
        known = merged.get(key)
        if isinstance(known, dict) and isinstance(value, BaseModel):
            value = fields_set(value)  # noqa: PLW2901 - from here on it is a mapping
        merged[key] = deep_merge(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
    return merged


def fields_set(model: BaseModel) -> dict[str, Any]:
    """Return the fields of *model* that were set, not left at their defaults."""
    return {name: getattr(model, name) for name in model.model_fields_set}


def _version(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _config_home(environ: Mapping[str, str]) -> Path:
    home = Path(environ.get("XDG_CONFIG_HOME", ""))
    return home if home.is_absolute() else Path("~/.config").expanduser()  # relative ones are to be ignored


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a directory above may not be searched: for us there is nothing
        return False


def _read_text(path: Path) -> str:
    if path.is_dir():
        raise SettingsError(f"{path}: is a directory; name the settings file in it, such as {path / 'oneiric.yaml'}")
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            raise SettingsError(f"{path}: larger than {MAX_FILE_BYTES} bytes; is it a settings file?")
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: UTF-8 text expected; byte {error.start} is not") from error
    except FileNotFoundError:
        raise
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from error


def _parse(text: str, suffix: str) -> Any:
    match _format_name(text, suffix):
        case "YAML":
            return yaml.safe_load(text)
        case "JSON":
            return json.loads(text) if text.strip() else None
        case _:
            return tomllib.loads(text)


def _format_name(text: str, suffix: str) -> str:
    known = {".yaml": "YAML", ".yml": "YAML", ".json": "JSON", ".toml": "TOML", ".tml": "TOML"}
    return known.get(suffix) or ("JSON" if text.lstrip().startswith("{") else "TOML")


def _reason(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark  # the error's own text quotes the line, which may hold a secret
        return f"line {mark.line + 1}, column {mark.column + 1}: {error.problem}"
    return describe(error)[1].partition(os.linesep)[0]
