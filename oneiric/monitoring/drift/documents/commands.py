"""What a command line offers, as data: commands, options, their values, and environment variables."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Option:
    """An option: whether a value follows it, and which values it takes, () for any."""

    takes_value: bool = False
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Command:
    """A command, its options by name, its subcommands, and whether anything else may follow."""

    options: Mapping[str, Option] = field(default_factory=dict)
    commands: Mapping[str, Command] = field(default_factory=dict)
    takes_arguments: bool = False


@dataclass(frozen=True, slots=True)
class Surface:
    """What can be typed and set.

    Attributes:
        root: The program; None where its commands are not known, and so not judged.
        variables: Environment variables that are read; empty where they are not known.
        open_variables: What the names of further ones begin with.
    """

    root: Command | None = None
    variables: frozenset[str] = frozenset()
    open_variables: tuple[str, ...] = ()


UNKNOWN_SURFACE = Surface()
"""Nothing is known, so nothing is judged."""
