"""The command that asks whether the service is well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from oneiric.cli import exits, show
from oneiric.cli.calls import Call
from oneiric.cli.commands.components import swaps_line
from oneiric.cli.options import AnyDomain, AsJson, OnlyKey  # noqa: TC001 - typer evaluates the annotations

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def health(
    context: typer.Context,
    *,
    domain: AnyDomain = None,
    key: OnlyKey = None,
    probe: Annotated[bool, typer.Option("--probe", help="Check each active component now; needs a service.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show whether the service is well, and what is wrong; ends with 1 where something is.

    Examples: oneiric health, oneiric health --probe --domain adapter --key cache
    """
    call = Call(context.obj, as_json=as_json)
    answer = call.read("health", needs_service=probe, domain=domain or "", key=key or "", probe=str(probe).lower())
    if as_json:
        call.show_json(answer)
    else:
        show.lines(_plain(answer))
    if not answer["healthy"]:
        raise typer.Exit(exits.NO)


def _plain(answer: Mapping[str, Any]) -> Iterator[str]:
    yield show.word("healthy" if answer["healthy"] else "unhealthy")
    for reason in answer["reasons"]:
        yield f"  - {reason}"
    if service := answer["service"]:
        yield f"Service: process {service['pid']}, version {service['version']}"
    for one in answer["lifecycle"]:
        probed = {True: ", probe passed", False: ", probe failed"}.get(one["probe_result"], "")
        error = f", last error: {one['last_error']}" if one["last_error"] else ""
        served = one["current_provider"] or "nobody"
        yield f"{one['domain']}/{one['key']}: {one['state']}, served by {served}{probed}{error}"
    yield swaps_line(answer["lifecycle_summary"]["swap"])
    yield from _pairs("Runtime health cache:", {name: answer["runtime"][name] for name in _CACHED})
    yield from _pairs("Profile:", answer["profile"])
    yield from _pairs("Secrets:", answer["secrets"])


_CACHED = ("orchestrator_pid", "watchers_running", "remote_enabled", "updated_at", "last_remote_sync_at")


def _pairs(title: str, values: Mapping[str, Any]) -> list[str]:
    from textwrap import wrap  # noqa: PLC0415 - other commands do not need it

    pairs = " ".join(f"{name}={value}" for name, value in values.items())
    return wrap(f"{title} {pairs}", width=show.COLUMNS, subsequent_indent="  ", break_on_hyphens=False)
