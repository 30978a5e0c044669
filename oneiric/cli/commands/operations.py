"""The commands that act on the service as a whole, or ask for an action."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from oneiric.cli import exits, show
from oneiric.cli.calls import Call
from oneiric.cli.options import AsJson, Interval, Key, KeyOption, Provider, key_of
from oneiric.cli.watching import repeatedly

MAX_PAYLOAD_BYTES = 1024 * 1024
"""Largest payload that is read from a file."""


def reload(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Have the service read its settings again, and say what that changed; ends with 1 where they are wrong.

    Example: oneiric reload
    """
    call = Call(context.obj, as_json=as_json)
    answer = call.change("reload", needs_service=True)
    if as_json:
        call.show_json(answer)
        return
    if not any(answer.values()):
        typer.echo("Nothing changed.")
    for name, keys in answer.items():
        for key in keys:
            typer.echo(f"{name.replace('_', ' ').capitalize()}: {key}")


def action_invoke(  # noqa: PLR0913 - one parameter an option
    context: typer.Context,
    key: Key = None,
    *,
    key_option: KeyOption = None,
    payload: Annotated[
        str | None, typer.Option("--payload", metavar="JSON", help="An object; @FILE reads it, - from standard input.")
    ] = None,
    provider: Provider = None,
    as_json: AsJson = False,
) -> None:
    """Do an action, and print its result as JSON.

    Example: oneiric action-invoke compression.hash --payload '{"text": "hello"}'
    """
    call = Call(context.obj, as_json=as_json)
    named, given = key_of(call, key, key_option), _payload(call, payload)
    answer = call.change("action-invoke", domain="action", key=named, provider=provider, payload=given)
    if as_json:
        call.show_json(answer)
    else:
        typer.echo(json.dumps(answer["result"], indent=2, ensure_ascii=False))


def metrics(
    context: typer.Context,
    part: Annotated[str, typer.Argument(metavar="[FILTER]", help="Part of a name, or a label's value.")] = "",
    *,
    watch: Annotated[bool, typer.Option("--watch", help="Again and again, until Ctrl-C.")] = False,
    interval: Interval = 2.0,
    as_json: AsJson = False,
) -> None:
    """Show the metrics that the service exposes now.

    Examples: oneiric metrics swap, oneiric metrics --watch --interval 5
    """
    call = Call(context.obj, as_json=as_json)

    def once() -> None:
        answer = call.read("metrics", needs_service=True, filter=part)
        if as_json:
            (call.show_json_line if watch else call.show_json)(answer)
            return
        show.lines(f"{one['name']}{_labels(one['labels'])} {one['value']}" for one in answer["samples"])

    if watch:
        repeatedly(once, seconds=interval)
    else:
        once()


def _labels(labels: dict[str, str]) -> str:
    pairs = ",".join(f'{name}="{value}"' for name, value in labels.items())
    return f"{{{pairs}}}" if pairs else ""


def _payload(call: Call, text: str | None) -> dict[str, Any] | None:
    """Return the object that *text*, the file that it names, or standard input holds."""
    if text is None:
        return None
    if text == "-":
        text = sys.stdin.read(MAX_PAYLOAD_BYTES + 1)
    elif text.startswith("@"):
        text = _read(call, Path(text[1:]))
    try:
        payload = json.loads(text)
    except ValueError as error:
        call.fail(exits.USAGE, f"Invalid JSON payload: {error}", """write it as '{"name": "value"}'""")
    if not isinstance(payload, dict):
        call.fail(exits.USAGE, "Payload JSON must be an object", """write it as '{"name": "value"}'""")
    return payload


def _read(call: Call, path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            return file.read(MAX_PAYLOAD_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "UTF-8 text expected"
        call.fail(exits.USAGE, f"--payload: {path}: {reason}", "name a file that you may read")


def plugins(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Show which plugins are loaded, what they brought, and which could not be; ends with 1 where one could not.

    Example: oneiric plugins
    """
    call = Call(context.obj, as_json=as_json)
    answer = call.read("plugins")
    if as_json:
        call.show_json(answer)
    else:
        typer.echo(f"Entry-point groups loaded: {', '.join(answer['groups']) or 'none'}")
        typer.echo(f"Registered plugin candidates: {answer['registered']}")
        show.lines(
            f"  - {one['group']}/{one['entry_point']}: {one['registered_candidates']}" for one in answer["entries"]
        )
        if answer["errors"]:
            typer.echo("Plugin load issues:")
            show.lines(f"  - {one['group']}/{one['entry_point']}: {one['reason']}" for one in answer["errors"])
    if answer["errors"]:
        raise typer.Exit(exits.NO)
