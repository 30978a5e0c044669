"""The command that reads the log, where no Loki does."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from oneiric.cli import exits, show
from oneiric.cli.calls import Call
from oneiric.cli.options import AnyDomain, AsJson, OnlyKey  # noqa: TC001 - typer evaluates the annotations

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from oneiric.cli.loglines import Line, Wanted

DEFAULT_LINES = 200
_COLOURS = {"warning": "yellow", "error": "red", "critical": "red"}
_SHOWN = frozenset({"timestamp", "level", "event", "domain", "key", "logger"})
_REPEATED = ("service.", "deployment.", "oneiric.")


class Level(StrEnum):
    """The levels that can be asked for."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


def logs(  # noqa: PLR0913 - one parameter an option
    context: typer.Context,
    *,
    event: Annotated[str | None, typer.Option("--event", metavar="NAME", help="Lines of this event only.")] = None,
    level: Annotated[Level | None, typer.Option("--level", help="Lines of this level and above.")] = None,
    domain: AnyDomain = None,
    key: OnlyKey = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="90s, 15m, 2h or 7d ago, or a time in ISO 8601.")
    ] = None,
    count: Annotated[
        int | None,
        typer.Option(
            "--lines", "-n", min=0, help=f"The last ones, 0 for all; without it {DEFAULT_LINES}, or all with --since."
        ),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is written, until Ctrl-C.")] = False,
    file: Annotated[
        str | None, typer.Option("--file", metavar="FILE", help="This file, - for standard input, not the settings'.")
    ] = None,
    unit: Annotated[str, typer.Option("--unit", metavar="NAME", help="Unit in the journal.")] = "oneiric",
    as_json: AsJson = False,
) -> None:
    """Show the log: the file of the settings with its rotated ones, or the journal where there is no file.

    Examples: oneiric logs --level warning --since 2h, oneiric logs --event swap-complete --follow
    """
    call = Call(context.obj, as_json=as_json)
    from datetime import UTC, datetime  # noqa: PLC0415 - other commands do not need it

    from oneiric.cli.loglines import Wanted, last, parse_since  # noqa: PLC0415 - likewise

    try:
        start = None if since is None else parse_since(since, datetime.now(UTC))
    except ValueError as error:
        call.fail(exits.USAGE, f"--since: {error}")
    number = count if count is not None else DEFAULT_LINES if start is None else 0
    wanted = Wanted(event=event, level=level and level.value, domain=domain, key=key, since=start)
    try:
        for source, is_old in _sources(call, file, unit, wanted=wanted, follow=follow):
            lines = (line for line in source if wanted.matches(line))
            for line in last(lines, number) if is_old else lines:
                _print(call, line)
    except OSError as error:
        if error.filename is None:
            raise
        call.fail(exits.USAGE, f"{error.filename}: {error.strerror}", "--file names another log")


def _sources(
    call: Call, file: str | None, unit: str, *, wanted: Wanted, follow: bool
) -> Iterator[tuple[Iterable[Line], bool]]:
    """Yield the lines to show, one source after another, and whether they are of the past."""
    from oneiric.cli import loglines  # noqa: PLC0415 - likewise

    path = _path(call) if file is None else Path(file)
    if file == "-":
        yield loglines.lines_of_stream(sys.stdin.buffer), not follow
    elif path is not None:
        with path.open("rb") as log:  # what is written meanwhile is read later, by the same file
            yield loglines.lines_of(path, log), True
            if follow:
                yield loglines.followed(path, log), False
    else:
        with _journal(call, unit, wanted=wanted, follow=follow) as lines:
            yield lines, not follow


def _path(call: Call) -> Path | None:
    """Return the log file of the settings; None where there is none."""
    from oneiric.core.config import SettingsError  # noqa: PLC0415 - not with --file

    try:
        sinks = call.invocation.program().settings().logging.sinks
    except SettingsError as error:
        call.fail(exits.USAGE, str(error), "oneiric settings check shows all that is wrong")
    return next((Path(sink.path).expanduser() for sink in sinks if sink.target == "file" and sink.path), None)


@contextmanager
def _journal(call: Call, unit: str, *, wanted: Wanted, follow: bool) -> Iterator[Iterable[Line]]:
    """Yield the lines that the journal has of *unit*."""
    import shutil  # noqa: PLC0415 - likewise
    import subprocess  # noqa: PLC0415 - likewise

    from oneiric.cli.loglines import lines_of_stream  # noqa: PLC0415 - likewise

    program = shutil.which("journalctl")
    if program is None:
        call.fail(
            exits.USAGE,
            "the settings name no log file, and journalctl is not installed",
            "set logging.sinks to a file, or name one with --file",
        )
    command = [program, "--output=cat", "--no-pager", f"--unit={unit}"]
    if wanted.since is not None:
        command.append(f"--since=@{int(wanted.since.timestamp())}")
    if follow:
        command += ["--follow", f"--lines={DEFAULT_LINES}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:  # noqa: S603 - no shell, a unit's name at most
        assert process.stdout is not None  # noqa: S101 - asked for above
        try:
            yield lines_of_stream(process.stdout)
        finally:
            process.terminate()


def _tells(name: str) -> bool:
    """Whether the field *name* says more than those before it, and than every line does."""
    return name not in _SHOWN and not name.startswith(_REPEATED)


def _print(call: Call, line: Line) -> None:
    if call.as_json:
        call.show_json_line(line.fields or {"text": line.text})
        return
    if not line.fields:
        typer.echo(line.text)
        return
    fields = line.fields
    level = str(fields.get("level", ""))
    subject = "/".join(str(fields[name]) for name in ("domain", "key") if fields.get(name))
    rest = " ".join(f"{name}={value}" for name, value in fields.items() if _tells(name))
    words = (str(fields.get("timestamp", "")), level, str(fields.get("event", "")), subject, rest)
    text = " ".join(filter(None, words))
    typer.echo(show.coloured(text, _COLOURS.get(level)))
    sys.stdout.flush()
