"""What the command line and the environment offer, told as data to those who check documents."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, get_args, get_origin

from pydantic import BaseModel

from oneiric.core._settings_env import ALIASES, NESTING, prefix_of
from oneiric.core.config import OneiricSettings
from oneiric.core.resolution import STACK_ORDER_ENV
from oneiric.core.security import FACTORY_ALLOWLIST_ENV
from oneiric.monitoring.drift.commands import Command, Option, Surface
from oneiric.remote.security import ENV_TRUSTED_PUBLIC_KEYS

if TYPE_CHECKING:
    from collections.abc import Iterator


def surface(root: Any, project: str) -> Surface:
    """Return what *root*, a command of Click's, and the settings of *project* offer."""
    names = {*_names(OneiricSettings, "")}
    prefix = prefix_of(project)
    known = {prefix + name for name in (*ALIASES, *names)}
    others = {STACK_ORDER_ENV, FACTORY_ALLOWLIST_ENV, ENV_TRUSTED_PUBLIC_KEYS}
    opened = tuple(prefix + name for name in sorted(names) if name.endswith(NESTING))
    return Surface(_command(root), frozenset(known | others), opened)


def _command(command: Any) -> Command:
    options: dict[str, Option] = {}
    for parameter in command.params:
        if parameter.param_type_name == "option":
            option = Option(not (parameter.is_flag or parameter.count), _values(parameter))
            options |= dict.fromkeys((*parameter.opts, *parameter.secondary_opts), option)
    arguments = any(parameter.param_type_name == "argument" for parameter in command.params)
    commands = {name: _command(inner) for name, inner in getattr(command, "commands", {}).items()}
    return Command(options, commands, arguments)


def _values(parameter: Any) -> tuple[str, ...]:
    """Return the values that an option takes, () for any: of its enumeration, or of its choice in older versions."""
    annotation = getattr(getattr(parameter, "type_descriptor", None), "annotation", None)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return tuple(str(member.value) for member in annotation)
    choices = getattr(getattr(parameter, "type", None), "choices", ())
    return tuple(str(getattr(choice, "value", choice)) for choice in choices)


def _names(model: type[BaseModel], before: str) -> Iterator[str]:
    """Give the names of the variables for the fields of *model*; one that ends with ``__`` begins any further name."""
    for name, field in model.model_fields.items():
        full = before + name.upper()
        if before:
            yield full
        for option in _options(field.annotation):
            if isinstance(option, type) and issubclass(option, BaseModel):
                yield from _names(option, full + NESTING)
            elif get_origin(option) is dict or option is dict:
                yield full + NESTING


def _options(annotation: Any) -> Iterator[Any]:
    yield annotation
    for part in get_args(annotation):
        yield from _options(part)
