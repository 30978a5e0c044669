"""Dockerfiles and units of systemd: their lines that start programs and set variables."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import TYPE_CHECKING

from oneiric.monitoring.drift.documents.launches import Launch, judge_launch, judge_started
from oneiric.monitoring.drift.documents.shell import judge_command_line, judge_variables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oneiric.monitoring.drift.documents.commands import Surface
    from oneiric.monitoring.drift.queries import Context
    from oneiric.monitoring.notation.text import Piece

UNIT_SUFFIX = ".service"
_DOCKERFILE = re.compile(r"(?:Docker|Container)file(?:\..+)?|.+\.(?:Docker|Container)file")
_LINE = re.compile(
    r"^[ \t]*(?![#;])(?P<key>[A-Za-z]+)(?P<sign>[ \t]+|[ \t]*=[ \t]*)(?P<value>(?:\\\n|[^\n])*)", re.MULTILINE
)
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_WORD = re.compile(r"\"[^\"]*\"|'[^']*'|(?:[^\s\\]|\\[^\n])+")
_OPTION = re.compile(r"(?:--[\w-]+=\S+\s+)*")
_UNIT_PREFIX = re.compile(r"[-@:+!|]*")


def is_dockerfile(name: str) -> bool:
    """Whether a file called *name* is a Dockerfile."""
    return _DOCKERFILE.fullmatch(PurePath(name).name) is not None


def judge_dockerfile(piece: Piece, context: Context, surface: Surface) -> None:
    """Report the commands, options and variables of the Dockerfile *piece* that are not there."""
    launch = Launch()
    for key, value in _lines(piece):
        match key.upper():
            case "FROM":
                judge_launch(launch, context, surface)
                launch = Launch(image=value.text.split()[0])
            case "ENV":
                launch.variables.append(value)
            case "RUN":
                judge_command_line(value, context, surface)
            case "ENTRYPOINT":
                launch.command = _command(value)
            case "CMD":
                launch.arguments = _command(value)
            case "HEALTHCHECK" if (found := re.search(r"\bCMD\s+", value.text)) is not None:
                judge_started(_command(value[found.end() :]), context, surface)
    judge_launch(launch, context, surface)


def judge_unit(piece: Piece, context: Context, surface: Surface) -> None:
    """Report the commands, options and variables of the unit *piece* that are not there."""
    for key, value in _lines(piece):
        if key == "Environment":
            judge_variables(value, context, surface)
        elif key.startswith("Exec"):
            prefix = _UNIT_PREFIX.match(value.text)
            start = prefix.end() if prefix is not None else 0
            judge_started(_split(value[start:]), context, surface)


def _lines(piece: Piece) -> Iterator[tuple[str, Piece]]:
    """Give the key and the value of each line, with those that a backslash continues it with."""
    for found in _LINE.finditer(piece.text):
        yield found["key"], piece[found.start("value") : found.end("value")]


def _command(value: Piece) -> list[Piece]:
    """Return the words of a command in JSON, or, as a shell has it, all of it as one shell's."""
    options = _OPTION.match(value.text)
    start = options.end() if options is not None else 0
    if value.text[start:].lstrip().startswith("["):
        return [value[found.start(1) : found.end(1)] for found in _QUOTED.finditer(value.text, start)]
    return _split(value[start:])


def _split(value: Piece) -> list[Piece]:
    words = [value[found.start() : found.end()] for found in _WORD.finditer(value.text)]
    return [word[1:-1] if word.text[:1] in {"'", '"'} else word for word in words]
