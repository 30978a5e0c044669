"""What starts the service, wherever that is written: the words of the command, and the variables of the environment."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from oneiric.monitoring.drift.documents.shell import judge_command_line, judge_variables, judge_words
from oneiric.monitoring.drift.findings import did_you_mean

if TYPE_CHECKING:
    from oneiric.monitoring.drift.documents.commands import Surface
    from oneiric.monitoring.drift.queries import Context
    from oneiric.monitoring.notation.text import Piece

_LIKE_A_COMMAND = 0.75
_SHELLS = {"sh", "bash", "ash", "dash"}


@dataclass(slots=True)
class Launch:
    """How a container or a unit is started.

    Attributes:
        image: The image, "" where it is not known.
        command: The words of the program; none where the image says it.
        arguments: The words behind them.
        variables: Texts that set variables, each with their names.
    """

    image: str = ""
    command: list[Piece] = field(default_factory=list)
    arguments: list[Piece] = field(default_factory=list)
    variables: list[Piece] = field(default_factory=list)


def judge_launch(launch: Launch, context: Context, surface: Surface) -> None:
    """Report commands, options and variables of *launch* that are not there; other programs are left alone."""
    for piece in launch.variables:
        judge_variables(piece, context, surface)
    if launch.command:
        judge_started([*launch.command, *launch.arguments], context, surface)
    elif launch.arguments and launch.arguments[0].text in {*_SHELLS, context.vocabulary.prefix}:
        judge_started(launch.arguments, context, surface)
    elif launch.arguments and _is_ours(launch, context, surface):
        judge_words(launch.arguments, context, surface, is_ours=True)


def judge_started(words: list[Piece], context: Context, surface: Surface) -> None:
    """Report what is wrong with a program that is started by *words*, or in a shell that is."""
    if words and words[0].text.rpartition("/")[2] in _SHELLS:
        for piece in words[1:]:
            judge_command_line(piece, context, surface)
    else:
        judge_words(words, context, surface)


def _is_ours(launch: Launch, context: Context, surface: Surface) -> bool:
    """Whether what *launch* starts by arguments alone is our program: by the image's name, or by its environment."""
    prefix = context.vocabulary.prefix
    if launch.image.rpartition("/")[2].partition("@")[0].partition(":")[0] == prefix:
        return True
    has_variables = any(piece.text.startswith(f"{prefix.upper()}_") for piece in launch.variables)
    known = surface.root.commands if surface.root is not None else {}
    return has_variables and any(did_you_mean(one.text, known, alike=_LIKE_A_COMMAND) for one in launch.arguments)
