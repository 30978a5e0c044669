"""Where a running service listens, found without the settings' models, which take long to import.

The plain cases are read here; whatever is not plain, a file that cannot be read say, is left to the settings.
A test holds both equal.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from oneiric.cli.invocation import Invocation

MAX_FILE_BYTES = 4 * 1024 * 1024
"""Largest file that is read here, in bytes."""
MAX_SOCKET_PATH_BYTES = 107
"""Longest path that is plain, in bytes (sun_path of unix(7))."""

_NEVER_NULL = ("remote", "cache_dir")
_WANTED = (("control", "socket"), ("state_dir",), ("cache_dir",), _NEVER_NULL)
_DEFAULT_DIRECTORY = ".oneiric_cache"
_ALIASES = {"ONEIRIC_CACHE_DIR": ("cache_dir",), "ONEIRIC_STATE_DIR": ("state_dir",)}


class NotPlainError(Exception):
    """The settings have to be asked."""


def control_socket(invocation: Invocation) -> str:
    """Return the path of the control socket by the settings of *invocation*; SettingsError where they are wrong."""
    try:
        return plain_control_socket(invocation.config, os.environ)
    except NotPlainError:
        from oneiric.core.config import control_socket_path  # noqa: PLC0415 - takes long to import

        return str(control_socket_path(invocation.program().settings(), os.environ))


def plain_control_socket(config: Path | None, environ: Mapping[str, str]) -> str:
    """Return the path that *config*, other files and *environ* name; NotPlainError where it is not plain."""
    values = _values(config, environ)
    if path_text := values.get(("control", "socket")):
        found = _expanded(Path(path_text)).absolute()
    elif directory := environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]:
        found = Path(directory, "control.sock")
    else:
        found = _expanded(_state_directory(values)).absolute() / "run" / "control.sock"
    if len(os.fsencode(found)) > MAX_SOCKET_PATH_BYTES:
        raise NotPlainError
    return str(found)


def plain_state_directory(config: Path | None, environ: Mapping[str, str]) -> Path:
    """Return the directory of the state that *config*, other files and *environ* name; NotPlainError likewise."""
    return _expanded(_state_directory(_values(config, environ)))


def _values(config: Path | None, environ: Mapping[str, str]) -> dict[tuple[str, ...], str]:
    values: dict[tuple[str, ...], str] = {}
    for path in _files(config, environ):
        values |= _wanted(_read(path))
    return values | _variables(environ)


def _state_directory(values: Mapping[tuple[str, ...], str]) -> Path:
    named = values.get(("state_dir",)) or values.get(("cache_dir",))
    return Path(named or values.get(_NEVER_NULL, _DEFAULT_DIRECTORY))


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:
        raise NotPlainError from None


def _files(config: Path | None, environ: Mapping[str, str]) -> Iterator[Path]:
    """Yield the settings files that exist, weakest first."""
    home = Path(environ.get("XDG_CONFIG_HOME", ""))
    own = Path(os.path.expanduser("~/.config"))  # noqa: PTH111 - raises nothing for a user without a home
    user = (home if home.is_absolute() else own) / "oneiric"
    project = [path for name in ("oneiric.yaml", "oneiric.yml") if _exists(path := Path("settings", name))][:1]
    explicit = config or environ.get("ONEIRIC_CONFIG")
    named = [Path(explicit).expanduser()] if explicit else []
    candidates = (*project, Path("settings", "local.yaml"), user / "config.yaml", user / "local.yaml", *named)
    return (path for path in candidates if _exists(path))


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


def _read(path: Path) -> Any:
    if not path.is_file():
        raise NotPlainError
    try:
        with open(path, "rb", opener=_opened) as file:
            content: bytes | None = file.read(MAX_FILE_BYTES + 1)  # None where it would wait
        if content is None or len(content) > MAX_FILE_BYTES:
            raise NotPlainError
        return _parse(content.decode("utf-8-sig"), path.suffix.lower())
    except (OSError, ValueError, RecursionError):
        raise NotPlainError from None


def _opened(path: str, flags: int) -> int:
    """Open what gives nothing at the moment, as some files of /proc, without waiting for it."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)


def _parse(text: str, suffix: str) -> Any:
    if suffix in {".yaml", ".yml"}:
        import yaml  # noqa: PLC0415 - only where such a file is

        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        try:
            _require_single_keys(yaml.compose(text, Loader=loader))
            return yaml.load(text, Loader=loader)  # noqa: S506 - a safe one
        except yaml.YAMLError:
            raise NotPlainError from None
    if suffix == ".json" or (suffix not in {".toml", ".tml"} and text.lstrip().startswith("{")):
        import json  # noqa: PLC0415 - likewise

        return json.loads(text, object_pairs_hook=_single) if text.strip() else None
    import tomllib  # noqa: PLC0415 - likewise

    return tomllib.loads(text)


def _single(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    if len(found := dict(pairs)) < len(pairs):
        raise NotPlainError
    return found


def _require_single_keys(node: Any) -> None:
    """Refuse a mapping in the document *node* that has a key twice; what its aliases repeat is looked at once."""
    left, seen = [node], set[int]()
    while left:
        if id(one := left.pop()) in seen or not isinstance(getattr(one, "value", None), list):
            continue
        seen.add(id(one))
        if one.id == "mapping":
            _single([((key.tag, key.value), None) for key, _ in one.value if isinstance(key.value, str)])
            left += [value for _, value in one.value]
        else:
            left += one.value


def _wanted(content: Any) -> dict[tuple[str, ...], str]:
    if not isinstance(content, dict | None):
        raise NotPlainError
    found: dict[tuple[str, ...], str] = {}
    for place in _WANTED:
        section: Any = content or {}
        for name in place[:-1]:
            section = section.get(name, {})
            if not isinstance(section, dict):
                raise NotPlainError
        if (name := place[-1]) in section:
            if not isinstance(section[name], str if place == _NEVER_NULL else str | None):
                raise NotPlainError
            found[place] = section[name] or ""
    return found


def _variables(environ: Mapping[str, str]) -> dict[tuple[str, ...], str]:
    found: dict[tuple[str, ...], str] = {place: environ[name] for name, place in _ALIASES.items() if name in environ}
    for name in sorted(environ):
        if name.startswith("ONEIRIC_") and "__" in name:
            place = tuple(name.removeprefix("ONEIRIC_").lower().split("__"))
            if place in _WANTED:
                found[place] = environ[name]
    return found
