"""The command line: its options, and nothing that a command does not need."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path  # noqa: TC003 - typer evaluates the annotations
from typing import Annotated

import typer

app = typer.Typer(
    name="oneiric",
    help="Resolve, hot-swap and observe the providers of a running process.",
    no_args_is_help=False,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Run the command line."""
    app()


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    *,
    show_version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """Resolve, hot-swap and observe the providers of a running process."""
    if show_version:
        typer.echo(f"oneiric {version('oneiric')}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command()
def demo(
    *,
    seconds: Annotated[float, typer.Option(min=0, help="How long to run; 0 runs until interrupted.")] = 60.0,
    rate: Annotated[float, typer.Option(min=0.1, max=1000, help="Operations a second.")] = 20.0,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port of /metrics; 0 picks a free one.")] = None,
    logs: Annotated[bool, typer.Option("--logs", help="Write the log lines to standard error.")] = False,
    log_file: Annotated[Path | None, typer.Option(dir_okay=False, help="Write the log lines to this file.")] = None,
) -> None:
    """Run the real runtime on a signed manifest that it serves to itself, and serve /metrics."""
    from oneiric.cli.demo import DemoOptions, run_demo  # noqa: PLC0415 - other commands do not need the runtime
    from oneiric.core.config import SettingsError  # noqa: PLC0415 - likewise

    options = DemoOptions(seconds=seconds, rate=rate, port=port, logs=logs, log_file=log_file)
    try:
        raise typer.Exit(run_demo(options))
    except SettingsError as error:
        typer.echo(f"oneiric: {error}", err=True)
        raise typer.Exit(2) from None
