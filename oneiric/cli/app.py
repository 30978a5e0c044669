"""The command line: its options, and nothing that a command does not need."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from enum import StrEnum
from pathlib import Path  # noqa: TC003 - typer evaluates the annotations
from traceback import walk_tb
from typing import Annotated, Any

import typer

from oneiric.cli import components, monitoring, service
from oneiric.cli.invocation import Invocation

UNUSABLE = 2
"""Exit code of a command that could not read or write what it had to, its answer say."""
PRINTERS = frozenset({"click", "rich", "typer"})
"""Packages that write to standard output."""
COMPLETION = ("--install-completion", "--show-completion")
SHELL_IS_NAMED = "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION"
"""Environment variable that makes Typer take the name of a shell after an option of completion."""


class LogLevel(StrEnum):
    """The levels that can be asked for."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


app = typer.Typer(
    name="oneiric",
    help="Resolve, hot-swap and observe the providers of a running process.",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)


app.add_typer(monitoring.app)
app.command()(service.orchestrate)
app.command("list")(components.list_components)


def run() -> None:
    """Run the command line as a program."""
    if _names_shell(sys.argv[1:]):
        os.environ[SHELL_IS_NAMED] = "1"
    try:
        app(prog_name="oneiric")
    except OSError as error:
        _report(error)
        raise SystemExit(UNUSABLE) from None


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    *,
    show_version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Settings file. [default: $ONEIRIC_CONFIG]")
    ] = None,
    imports: Annotated[
        list[str] | None,
        typer.Option(
            "--import", metavar="MODULE", help="Import a module and let it register(resolver) and connect(runtime)."
        ),
    ] = None,
    profile: Annotated[str | None, typer.Option(metavar="NAME", help="Apply a profile: default, serverless.")] = None,
) -> None:
    """Resolve, hot-swap and observe the providers of a running process."""
    context.obj = Invocation(config=config, imports=tuple(imports or ()), profile=profile)
    if show_version:
        _print_version()
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command()
def demo(  # noqa: PLR0913 - one parameter an option
    *,
    seconds: Annotated[float, typer.Option(min=0, help="How long to run; 0 runs until interrupted.")] = 60.0,
    rate: Annotated[float, typer.Option(min=0.1, max=1000, help="Operations a second.")] = 20.0,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port of /metrics; 0 picks a free one.")] = None,
    faults: Annotated[
        bool, typer.Option("--faults/--no-faults", help="Let some of the operations fail on purpose.")
    ] = True,
    logs: Annotated[bool, typer.Option("--logs", help="Write the log lines to standard error.")] = False,
    log_file: Annotated[Path | None, typer.Option(dir_okay=False, help="Write the log lines to this file.")] = None,
    log_level: Annotated[LogLevel, typer.Option(help="Write log lines of this level and above.")] = LogLevel.INFO,
    push_gateway: Annotated[str | None, typer.Option(help="Push the metrics to this URL at the end.")] = None,
    textfile: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Write the metrics to this file (*.prom) at the end.")
    ] = None,
) -> None:
    """Run the real runtime on a signed manifest that it serves to itself, and serve /metrics."""
    if logs and log_file is not None:
        raise typer.BadParameter("the log lines go to standard error or to a file, not to both", param_hint="--logs")
    _demo(
        seconds=seconds,
        rate=rate,
        port=port,
        faults=faults,
        logs=logs,
        log_file=log_file,
        log_level=log_level.value.upper(),
        push_gateway=push_gateway,
        textfile=textfile,
    )


def _names_shell(arguments: list[str]) -> bool:
    """Return whether *arguments* ask for the completion of a shell by name, where Typer takes the one that called."""
    option, equals, _ = arguments[0].partition("=") if arguments else ("", "", "")
    return option in COMPLETION and (bool(equals) or len(arguments) > 1)


def _report(error: OSError) -> None:
    """Say on standard error what could not be read or written: standard output, or else what *error* is about."""
    from oneiric.rehearsal.screen import let_go_of_unwritable_output  # noqa: PLC0415 - hardly ever needed

    why = error.strerror or str(error)
    let_go_of_unwritable_output()
    if _printing(error):
        why = f"the answer cannot be written: {why}"
    elif error.filename is not None:
        why = f"{error.filename}: {why}"
    else:
        why = f"the command failed: {why}"
    with suppress(OSError):
        typer.echo(f"oneiric: {why}", err=True)


def _printing(error: OSError) -> bool:
    """Return whether *error* was raised by what prints to standard output."""
    frames = [frame for frame, _ in walk_tb(error.__traceback__)]
    return bool(frames) and frames[-1].f_globals["__name__"].partition(".")[0] in PRINTERS


def _print_version() -> None:
    from oneiric import __version__  # noqa: PLC0415 - looked up in the metadata of the installation, which takes long

    typer.echo(f"oneiric {__version__}")


def _demo(**options: Any) -> None:
    from oneiric.core.config import SettingsError  # noqa: PLC0415 - likewise
    from oneiric.rehearsal.demo import DemoOptions, run_demo  # noqa: PLC0415 - other commands do not need the runtime

    try:
        run_demo(DemoOptions(**options))
    except SettingsError as error:
        typer.echo(f"oneiric: {error}", err=True)
        raise typer.Exit(2) from None
