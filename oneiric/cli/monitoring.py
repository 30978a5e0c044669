"""The commands below `oneiric monitoring`; what a command needs is imported when it runs."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer evaluates the annotations
from typing import Annotated, NoReturn

import typer

USAGE = 2
"""Exit code where what was asked for cannot be done."""

app = typer.Typer(
    name="monitoring",
    help="Make, check and rehearse what watches Oneiric: rules, alerts, dashboards and the log pipeline.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.command()
def export(
    *,
    out: Annotated[Path, typer.Option(file_okay=False, help="Write the bundle below this directory.")],
    assignments: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Set a threshold, name or interval.")
    ] = None,
) -> None:
    """Write the rules, alerts, dashboards and pipeline configurations for your thresholds and names."""
    from oneiric.monitoring.bundle import bundle, write  # noqa: PLC0415 - only this command needs them
    from oneiric.monitoring.config import ConfigError, configured  # noqa: PLC0415 - likewise
    from oneiric.monitoring.dashboards import MissingExtraError  # noqa: PLC0415 - likewise

    try:
        files = bundle(configured(assignments or ()))
        write(files, out)
    except (ConfigError, MissingExtraError) as error:
        _refuse(str(error))
    except OSError as error:
        _refuse(f"--out {out}: {error.filename} cannot be written: {error.strerror}")
    typer.echo(f"{len(files)} files in {out}")


def _refuse(why: str) -> NoReturn:
    typer.echo(f"oneiric: {why}", err=True)
    raise typer.Exit(USAGE)
