"""The commands about the artifact cache; none of them touches state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from oneiric.cli import show
from oneiric.cli.calls import Call
from oneiric.cli.options import AsJson  # noqa: TC001 - typer evaluates the annotations

if TYPE_CHECKING:
    from collections.abc import Mapping

app = typer.Typer(name="cache", help="Look at the artifact cache, and make it smaller.", no_args_is_help=True)

_DIGITS = 12


@app.command()
def status(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Show what is in the artifact cache: size, age, and what is in force.

    Example: oneiric cache status
    """
    call = Call(context.obj, as_json=as_json)
    answer = call.read("cache-status")
    if as_json:
        call.show_json(answer)
        return
    limit, unused = show.size(answer["limit_bytes"]), answer["max_age_seconds"]
    typer.echo(f"{answer['directory']}: {answer['artifacts']} artifacts, {show.size(answer['bytes'])} of {limit}")
    typer.echo(f"Kept {'without limit' if unused is None else f'{show.age(unused)} after the last use'}")
    _entries(answer)


@app.command()
def clean(
    context: typer.Context,
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="All that is not in use, not only what is too much.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, and let it stay.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove the artifacts unused for longest until the limits are kept; never what is in force, and no state.

    Examples: oneiric cache clean --dry-run, oneiric cache clean --all
    """
    call = Call(context.obj, as_json=as_json)
    answer = call.change("cache-clean", all=everything, dry_run=dry_run)
    if as_json:
        call.show_json(answer)
        return
    done = "Would remove" if dry_run else "Removed"
    typer.echo(f"{done} {answer['removed']} artifacts, {show.size(answer['bytes'])}, from {answer['directory']}")
    _entries(answer)


def _entries(answer: Mapping[str, Any]) -> None:
    rows = [
        (one["sha256"][:_DIGITS], show.size(one["bytes"]), show.age(one["age_seconds"]), _use(one))
        for one in answer["entries"]
    ]
    if rows:
        plain = [f"  - {name} {size}, used {age} ago{f', {use}' if use else ''}" for name, size, age, use in rows]
        show.table("", ("sha256", "size", "last used", ""), rows, plain)


def _use(one: Mapping[str, Any]) -> str:
    return "active" if one.get("active") else ""
