"""The commands about components: who is registered, who wins, and the swap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from oneiric.cli.calls import Call

if TYPE_CHECKING:
    from collections.abc import Mapping

Domain = Annotated[
    str, typer.Option("--domain", metavar="DOMAIN", help="adapter, service, task, event, workflow or action.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def list_components(
    context: typer.Context,
    *,
    domain: Domain = "adapter",
    everything: Annotated[bool, typer.Option("--all", help="Every domain, and what is shadowed too.")] = False,
    shadowed: Annotated[bool, typer.Option("--shadowed", help="What does not win its key, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the components: who wins each key."""
    call = Call(context.obj, as_json=as_json)
    answer = call.read("list", domain=domain, all=str(everything).lower(), shadowed=str(shadowed).lower())
    if as_json:
        call.show_json(answer)
        return
    for entry in answer["domains"]:
        for state in ("active", "shadowed"):
            if state in entry:
                typer.echo(f"{state.capitalize()} {entry['domain']}s:")
                typer.echo("\n".join(map(_line, entry[state])) or "  (none)")


def _line(entry: Mapping[str, Any]) -> str:
    rank = f"priority={entry['priority']} stack={entry['stack_level']} source={entry['source']}"
    return f"  - {entry['key']}/{entry['provider']} ({rank})"
