"""Read settings files: find the layers, read them whatever lies there, merge them."""

from __future__ import annotations

import os
import stat
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from pydantic import BaseModel

from oneiric.core.config.parsing import format_of, lines_of, parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from oneiric.core.config.parsing import Place

MAX_FILE_BYTES = 4 * 1024 * 1024
"""Largest settings file that is read, in bytes."""


SETTLE_SECONDS = 0.2
"""How long a saved file must stay as it is before it is read."""
_MOST_LOOKS = 25

Versions: TypeAlias = tuple[tuple[int, int, int] | None, ...]
"""Of each file inode, size and time of its last change, or None where there is none."""


class SettingsError(ValueError):
    """The settings are not right; the text says where, what, and what would be right."""


@dataclass(frozen=True)
class Layer:
    """Values of one origin: a file's path, "" for the environment, or "argument".

    Attributes:
        text: Of the file, from which :meth:`line_of` takes its lines.
    """

    origin: str
    values: Mapping[str, Any]
    text: str = ""

    def line_of(self, place: Place) -> int | None:
        """Return the line of the file that sets *place*, or what it is in; None where that is not known."""
        return next((line for length in range(len(place), 0, -1) if (line := self._lines.get(place[:length]))), None)

    @cached_property
    def _lines(self) -> Mapping[Place, int]:
        return lines_of(self.text, format_of(self.text, Path(self.origin).suffix)) if self.text else {}


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


def file_versions(paths: Iterable[Path]) -> Versions:
    """Return something that differs once one of *paths* was saved, replaced, made or removed."""
    return tuple(map(_version, paths))


def settled_versions(paths: Iterable[Path]) -> Versions | None:
    """Return the versions of *paths* once they stay as they are for a while: who saves a file may empty it first.

    Waits; None where they go on changing.
    """
    seen = file_versions(paths)
    for _ in range(_MOST_LOOKS):
        time.sleep(SETTLE_SECONDS)
        if (now := file_versions(paths)) == seen:
            return now
        seen = now
    return None


def require_content(paths: Iterable[Path], before: Versions) -> None:
    """Raise SettingsError where one of *paths* that had content, by its version *before*, is empty now."""
    for path, old in zip(paths, before, strict=True):
        now = _version(path)
        if old is not None and now is not None and old[1] and not now[1]:
            raise SettingsError(
                f"{path}: is empty, as a save to a full disk leaves it; settings expected, or no file at all"
            )


def read_settings(path: Path) -> Layer:
    """Return what the file at *path* sets.

    The suffix decides the format: ``.yaml``/``.yml``, ``.toml``/``.tml`` or ``.json``; any other is JSON if it begins
    with ``{``, else TOML. Raises SettingsError, naming the file, for anything that is not a readable mapping, and
    FileNotFoundError where nothing is. Does not wait, whatever lies there.
    """
    text = _read_text(path)
    kind = format_of(text, path.suffix)
    try:
        values = parse(text, kind)
    except ValueError as error:
        raise SettingsError(f"{path}: {kind} expected; {error}") from error
    if values is None:
        return Layer(str(path), {})
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise SettingsError(f"{path}: a mapping of section names expected, not {type(values).__name__}")
    return Layer(str(path), values, text)


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
    if home.is_absolute():  # relative ones are to be ignored
        return home
    return Path(os.path.expanduser("~/.config"))  # noqa: PTH111 - raises nothing for a user without a home


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a directory above may not be searched: for us there is nothing
        return False


def _read_text(path: Path) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)  # a FIFO has nobody wait
        with os.fdopen(descriptor, "rb") as file:
            _require_settings_file(path, os.fstat(descriptor))
            content: bytes | None = file.read(MAX_FILE_BYTES + 1)  # None where it would wait
        if content is None:
            raise SettingsError(f"{path}: gives nothing to read, and has no end; a regular file with settings expected")
        if len(content) > MAX_FILE_BYTES:
            raise _too_large(path)
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: UTF-8 text expected; byte {error.start} is not") from error
    except FileNotFoundError:
        raise
    except IsADirectoryError:  # of fdopen
        raise SettingsError(
            f"{path}: is a directory; name the settings file in it, such as {path / 'oneiric.yaml'}"
        ) from None
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from error


def _require_settings_file(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise SettingsError(f"{path}: is {_kind(found.st_mode)}; a regular file with settings expected")
    if found.st_size > MAX_FILE_BYTES:
        raise _too_large(path)


def _kind(mode: int) -> str:
    return "a FIFO" if stat.S_ISFIFO(mode) else "a device"


def _too_large(path: Path) -> SettingsError:
    return SettingsError(f"{path}: larger than {MAX_FILE_BYTES} bytes; is it a settings file?")
