"""What the command line and the environment offer, as data for those who check documents."""

from __future__ import annotations

from enum import Enum
from typing import Any

from oneiric.core.config import ALIASES, NESTING, OTHERS, OneiricSettings, field_variables, prefix_of
from oneiric.monitoring.drift.documents import Command, Option, Surface


def surface(root: Any, project: str) -> Surface:
    """Return what *root*, a command of Click's, and the settings of *project* offer."""
    names = {*field_variables(OneiricSettings)}
    prefix = prefix_of(project)
    known = {prefix + name for name in (*ALIASES, *OTHERS, *names)}
    opened = tuple(prefix + name for name in sorted(names) if name.endswith(NESTING))
    return Surface(_command(root), frozenset(known), opened)


def _command(command: Any) -> Command:
    options: dict[str, Option] = {}
    for parameter in command.params:
        if parameter.param_type_name == "option":
            option = Option(not (parameter.is_flag or parameter.count), values_of(parameter))
            options |= dict.fromkeys((*parameter.opts, *parameter.secondary_opts), option)
    arguments = any(parameter.param_type_name == "argument" for parameter in command.params)
    commands = {name: _command(inner) for name, inner in getattr(command, "commands", {}).items()}
    return Command(options, commands, arguments)


def values_of(parameter: Any) -> tuple[str, ...]:
    """Return the values that an option takes, () for any: of its enumeration, or of its choice in older versions."""
    annotation = getattr(getattr(parameter, "type_descriptor", None), "annotation", None)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return tuple(str(member.value) for member in annotation)
    choices = getattr(getattr(parameter, "type", None), "choices", ())
    return tuple(str(getattr(choice, "value", choice)) for choice in choices)
