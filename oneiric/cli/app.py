"""The command line: its options, and nothing that a command does not need."""

from __future__ import annotations

import sys
from contextlib import suppress
from enum import StrEnum
from pathlib import Path  # noqa: TC003 - typer evaluates the annotations
from typing import Annotated, Any

import typer

from oneiric.cli import monitoring

INTERRUPTED = 130
"""Exit code of a command that Ctrl-C ended before it could handle that itself."""
UNWRITABLE = 2
"""Exit code of a command whose answer could not be written."""


class LogLevel(StrEnum):
    """The levels that can be asked for."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


app = typer.Typer(
    name="oneiric",
    help="Resolve, hot-swap and observe the providers of a running process.",
    no_args_is_help=False,
    add_completion=False,
    pretty_exceptions_enable=False,
)


app.add_typer(monitoring.app)


def main() -> None:
    """Run the command line."""
    try:
        app()
    except SystemExit as end:
        if end.code == INTERRUPTED and "demo" in sys.argv[1:]:  # to be interrupted is how a demonstration ends
            raise SystemExit(0) from None
        raise
    except KeyboardInterrupt:  # before a command began
        raise SystemExit(INTERRUPTED) from None
    except OSError as error:
        _tell_of_output(error)
        raise SystemExit(UNWRITABLE) from None


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    *,
    show_version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """Resolve, hot-swap and observe the providers of a running process."""
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
    try:
        _demo(
            seconds=seconds,
            rate=rate,
            port=port,
            logs=logs,
            log_file=log_file,
            log_level=log_level.value.upper(),
            push_gateway=push_gateway,
            textfile=textfile,
        )
    except KeyboardInterrupt:  # before or after the demonstration handles it itself
        raise typer.Exit(0) from None


def _tell_of_output(error: OSError) -> None:
    """Say on standard error that standard output cannot be written; an *error* about a file is raised again."""
    from oneiric.cli._screen import let_go_of_unwritable_output  # noqa: PLC0415 - hardly ever needed

    if error.filename is not None:
        raise error
    let_go_of_unwritable_output()
    with suppress(OSError):
        typer.echo(f"oneiric: the answer cannot be written: {error.strerror}", err=True)


def _print_version() -> None:
    from oneiric import __version__  # noqa: PLC0415 - looked up in the metadata of the installation, which takes long

    typer.echo(f"oneiric {__version__}")


def _demo(**options: Any) -> None:
    from oneiric.cli.demo import DemoOptions, run_demo  # noqa: PLC0415 - other commands do not need the runtime
    from oneiric.core.config import SettingsError  # noqa: PLC0415 - likewise

    try:
        run_demo(DemoOptions(**options))
    except SettingsError as error:
        typer.echo(f"oneiric: {error}", err=True)
        raise typer.Exit(2) from None
