"""Put together what arguments, environment and files say of the settings, and explain what is wrong in them."""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from oneiric.core.config.environment import prefix_of, read_environment, variable_name
from oneiric.core.config.files import (
    Layer,
    SettingsError,
    deep_merge,
    fields_set,
    layer_paths,
    read_settings,
    watched_paths,
)
from oneiric.core.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pydantic_core import ErrorDetails

PROJECT = "oneiric"
MAX_VALUE_CHARS = 80
"""Longest value quoted in an error, in characters."""
MAX_PROBLEMS = 20
"""Most errors reported at once."""

_ENVIRONMENT = ""
_ARGUMENT = "argument"
_MAY_HOLD_A_CREDENTIAL = frozenset({"endpoint", "pushgateway"})  # in a place where no URL has one, if it is wrong


@dataclass(frozen=True)
class Source:
    """Where settings come from; all sources are equal, so that settings are compared by what they set.

    Attributes:
        project: Whose environment and files they are.
        files: The files that are looked at, whether or not they exist.
        read: Reads the layers again; None: there are none.
    """

    project: str = field(default=PROJECT, compare=False)
    files: tuple[Path, ...] = field(default=(), compare=False)
    read: Callable[[], Layers] | None = field(default=None, compare=False)

    def __deepcopy__(self, _memo: object) -> Source:
        """Return itself: it never changes."""
        return self


class Layers:
    """What each layer sets of a model, and what all of them set together.

    Args:
        model: The settings.
        project: Whose environment and files they are.
        layers: Weakest first.
        problems: Why a layer was left out.
        source: Where they were read.

    Attributes:
        merged: The values, the strongest of each.
        problems: What was left out: layers, and keys that are no settings.
        source: Where they were read.
    """

    def __init__(
        self,
        model: type[BaseModel],
        *,
        project: str,
        layers: Sequence[Layer],
        problems: Sequence[str],
        source: Source | None = None,
    ) -> None:
        self.source = source or Source()
        self._model = model
        self._project = project
        self._layers: Sequence[Layer] = layers
        self.merged: dict[str, Any] = {}
        for layer in layers:
            self.merged = deep_merge(self.merged, layer.values)
        self.problems = (*problems, *self._unknown_keys(self.merged, model, ()))

    @property
    def own_keys(self) -> frozenset[str]:
        """The top-level keys of the application's own that files and arguments set."""
        given = {key for layer in self._layers if layer.origin != _ENVIRONMENT for key in layer.values}
        return frozenset(given - self._model.model_fields.keys())

    def origins(self) -> dict[tuple[str, ...], str]:
        """Return the file or the variable that sets each value, by its place."""
        return {loc: self._origin(loc).removesuffix(": ") for loc in _leaves(self.merged, ())}

    def blame_arguments(self, error: ValidationError) -> bool:
        """Whether arguments alone caused *error*."""
        layers = (self._layer_of(_loc(problem)) for problem in error.errors(include_url=False))
        return all(layer is None or layer.origin == _ARGUMENT for layer in layers)

    def explain(self, error: ValidationError) -> SettingsError:
        """Return *error* with the file or variable, the key and the value of each problem, without secrets."""
        problems = error.errors(include_url=False)
        lines = [self._explain_one(problem) for problem in problems[:MAX_PROBLEMS]]
        if len(problems) > MAX_PROBLEMS:
            lines.append(f"and {len(problems) - MAX_PROBLEMS} more")
        return SettingsError("; ".join(lines))

    def _explain_one(self, problem: ErrorDetails) -> str:
        loc = _loc(problem)
        message = problem["msg"].removeprefix("Value error, ")
        if not loc:
            return message
        return f"{self._origin(loc)}{_assignment(loc, problem['input'])}: {message}"

    def _origin(self, loc: tuple[str, ...]) -> str:
        layer = self._layer_of(loc)
        if layer is None or layer.origin == _ARGUMENT:
            return ""
        if not layer.origin:
            return f"{variable_name(self._project, loc, os.environ)}: "
        line = layer.line_of(loc)
        return f"{layer.origin}{f', line {line}' if line else ''}: "

    def _layer_of(self, loc: tuple[str, ...]) -> Layer | None:
        for length in range(len(loc), 0, -1):
            for layer in self._layers[::-1]:
                if _sets(layer.values, loc[:length]):
                    return layer
        return None

    def _unknown_keys(self, values: Mapping[str, Any], model: type[BaseModel], at: tuple[str, ...]) -> Iterator[str]:
        for key, value in values.items():
            field, loc = model.model_fields.get(key), (*at, key)
            if field is None:
                if model.model_config.get("extra") != "allow":
                    yield from self._unknown(loc, model)
                continue
            section = field.annotation
            if isinstance(value, dict) and isinstance(section, type) and issubclass(section, BaseModel):
                yield from self._unknown_keys(value, section, loc)

    def _unknown(self, loc: tuple[str, ...], model: type[BaseModel]) -> Iterator[str]:
        layer = self._layer_of(loc)
        if layer is not None and layer.origin == _ENVIRONMENT:
            return  # reported as a variable
        near = difflib.get_close_matches(loc[-1], model.model_fields, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        yield f"{self._origin(loc)}{'.'.join(loc):.256} is no setting and is ignored{hint}"


def read_layers(
    model: type[BaseModel],
    *,
    project: str = PROJECT,
    path: str | os.PathLike[str] | None = None,
    search: bool = False,
    given: Mapping[str, Any],
) -> Layers:
    """Return what files, the environment and *given*, the arguments, set, each stronger than the one before.

    The file is *path*, or else the one that ``<PROJECT>_CONFIG`` names. With *search*, weaker ones are those below
    ``settings/`` and in ``$XDG_CONFIG_HOME/<project>``.
    """
    problems: list[str] = []
    layers: list[Layer] = []
    for layer_path in layer_paths(project, os.environ) if search else ():
        try:
            layers.append(read_settings(layer_path))
        except (SettingsError, FileNotFoundError) as error:
            problems.append(f"{error}; the file is left out")
    explicit = path or os.environ.get(f"{prefix_of(project)}CONFIG")
    if explicit:
        explicit_path = Path(explicit).expanduser()
        try:
            layers.append(read_settings(explicit_path))
        except FileNotFoundError:
            problems.append(f"{explicit_path}: does not exist; the settings go without it")
    layers.append(Layer(_ENVIRONMENT, read_environment(project, os.environ, model)))
    layers.append(Layer(_ARGUMENT, given))
    files = (
        watched_paths(project, explicit, os.environ) if search else (Path(explicit).expanduser(),) if explicit else ()
    )
    again = partial(read_layers, model, project=project, path=path, search=search, given=given)
    source = Source(project=project, files=files, read=again)
    return Layers(model, project=project, layers=layers, problems=problems, source=source)


def _loc(problem: ErrorDetails) -> tuple[str, ...]:
    return tuple(str(part) for part in problem["loc"] if part != "[key]")


def _leaves(values: Mapping[str, Any], at: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, (*at, key))
        else:
            yield (*at, key)


def _assignment(loc: tuple[str, ...], value: Any) -> str:
    name = ".".join(loc)
    if isinstance(value, (dict, list)) or loc[:2] == ("secrets", "inline") or loc[-1] in _MAY_HOLD_A_CREDENTIAL:
        return name
    return redact(f"{name} = {value!r}", limit=MAX_VALUE_CHARS + len(name))


def _sets(values: object, loc: tuple[str, ...]) -> bool:
    for part in loc:
        if isinstance(values, BaseModel):
            values = fields_set(values)
        if not isinstance(values, dict) or part not in values:
            return False
        values = values[part]
    return True
