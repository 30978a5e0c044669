"""The command that shows the runtime at work."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path  # noqa: TC003 - typer evaluates the annotations
from typing import Annotated, Any

import typer


class LogLevel(StrEnum):
    """The levels that can be asked for."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


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
    """Run the real runtime on a signed manifest that it serves to itself, and serve /metrics.

    Examples: oneiric demo, oneiric demo --seconds 0 --port 9464
    """
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


def _demo(**options: Any) -> None:
    from oneiric.core.config import SettingsError  # noqa: PLC0415 - likewise
    from oneiric.rehearsal.demo import DemoOptions, run_demo  # noqa: PLC0415 - other commands do not need the runtime

    try:
        run_demo(DemoOptions(**options))
    except SettingsError as error:
        typer.echo(f"oneiric: {error}", err=True)
        raise typer.Exit(2) from None
