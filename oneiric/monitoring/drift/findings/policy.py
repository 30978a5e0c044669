"""What a team asks of its own rules and dashboards beyond what is right or wrong, from a file of its own."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

FILE = "oneiric-check.toml"
"""The policy's file where none is named: in the checked directory, or one above it in the same repository."""

MAX_BYTES = 100_000


class PolicyError(ValueError):
    """A file is no policy; the text says which, where and what would be right."""


@dataclass(frozen=True, slots=True)
class Policy:
    """House style; what is empty is not asked for.

    Attributes:
        alert_name: A regular expression that names of alerts match whole.
        severities: The values that the label severity can have.
        annotations: The annotations that each alert must have; ``a|b`` asks for one of two.
        record_name: A regular expression that names of recording rules match whole.
        datasource_variable: Whether dashboards must choose their data source by a variable.
    """

    alert_name: str = ""
    severities: tuple[str, ...] = ()
    annotations: tuple[str, ...] = ()
    record_name: str = ""
    datasource_variable: bool = False


NOTHING_ASKED = Policy()
"""The policy of those who have none."""

_KEYS = {
    ("alerts", "name"): "alert_name",
    ("alerts", "severities"): "severities",
    ("alerts", "annotations"): "annotations",
    ("records", "name"): "record_name",
    ("dashboards", "datasource_variable"): "datasource_variable",
}


def find_policy(paths: Iterable[Path]) -> Path | None:
    """Return the policy's file for *paths*: the nearest at or above the first, up to the root of its repository."""
    start = next(iter(paths), Path()).absolute()
    for directory in (start, *start.parents):
        if (directory / FILE).is_file():
            return directory / FILE
        if (directory / ".git").exists():
            return None
    return None


def read_policy(path: Path) -> Policy:
    """Return the policy that the file *path* says.

    Raises:
        PolicyError: It cannot be read, is no TOML, or has a key or a value that means nothing.
    """
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES).decode("utf-8")
        tables = tomllib.loads(text)
    except OSError as error:
        raise PolicyError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:  # no UTF-8, or no TOML
        raise PolicyError(f"{path}: not TOML: {error}") from None
    values: dict[str, Any] = {}
    for table, content in tables.items():
        for key, value in content.items() if isinstance(content, dict) else [("", content)]:
            field = _KEYS.get((table, key))
            if field is None:
                known = ", ".join(".".join(one) for one in _KEYS)
                raise PolicyError(f"{path}: there is no setting {f'{table}.{key}'.rstrip('.')}; known are {known}")
            values[field] = _checked(path, f"{table}.{key}", field, value)
    return Policy(**values)


def _checked(path: Path, key: str, field: str, value: Any) -> Any:
    default = getattr(NOTHING_ASKED, field)
    if isinstance(default, tuple):
        if isinstance(value, list) and all(isinstance(one, str) for one in value):
            return tuple(value)
        raise PolicyError(f"{path}: {key} = {value!r}: must be a list of strings")
    if type(value) is not type(default):
        wanted = "true or false" if isinstance(default, bool) else "a regular expression in quotes"
        raise PolicyError(f"{path}: {key} = {value!r}: must be {wanted}")
    if isinstance(value, str):
        try:
            re.compile(value)
        except re.error as error:
            raise PolicyError(f"{path}: {key} = {value!r}: is no regular expression: {error}") from None
    return value
