"""The command that runs the service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from oneiric.cli.interrupts import interrupt_raises

if TYPE_CHECKING:
    from oneiric.cli.invocation import Invocation

UNUSABLE = 2
"""Exit code where the settings cannot be used."""


def orchestrate(
    context: typer.Context,
    *,
    manifest: Annotated[
        str | None, typer.Option(metavar="URL", help="Synchronise with this manifest instead of the configured one.")
    ] = None,
    refresh_interval: Annotated[
        float | None, typer.Option(min=0, help="Seconds between synchronisations; 0 for once.")
    ] = None,
    no_remote: Annotated[bool, typer.Option("--no-remote", help="Do not synchronise with remote sources.")] = False,
) -> None:
    """Run the service until SIGTERM or Ctrl-C: the runtime, its metrics and its control socket.

    Example: oneiric --config oneiric.yaml --import shop orchestrate
    """
    from oneiric.core.activity import ActivityStoreError  # noqa: PLC0415 - only this command needs them
    from oneiric.core.config import SettingsError  # noqa: PLC0415 - likewise
    from oneiric.runtime.program import run_service  # noqa: PLC0415 - likewise

    interrupt_raises()
    invocation: Invocation = context.obj
    try:
        run_service(
            invocation.program(), manifest_url=manifest, refresh_interval=refresh_interval, enable_remote=not no_remote
        )
    except (SettingsError, ActivityStoreError) as error:
        typer.echo(f"oneiric: {error}", err=True)
        raise typer.Exit(UNUSABLE) from None
