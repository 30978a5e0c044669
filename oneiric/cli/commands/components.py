"""The commands about components: who is registered, who wins, who serves, and the swap."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oneiric.cli import exits, show
from oneiric.cli.calls import Call
from oneiric.cli.options import AsJson, Domain, Key, KeyOption, OnlyKey, Provider, key_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

RANKED = ("key", "provider", "priority", "stack_level", "source")


def list_components(
    context: typer.Context,
    *,
    domain: Domain = "adapter",
    everything: Annotated[bool, typer.Option("--all", help="Every domain, and what is shadowed too.")] = False,
    shadowed: Annotated[bool, typer.Option("--shadowed", help="What does not win its key, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the components: who wins each key.

    Examples: oneiric list --all, oneiric list --domain service --shadowed
    """
    call = Call(context.obj, as_json=as_json)
    answer = call.read("list", domain=domain, all=str(everything).lower(), shadowed=str(shadowed).lower())
    if as_json:
        call.show_json(answer)
        return
    for entry in answer["domains"]:
        for state in ("active", "shadowed"):
            if state in entry:
                title = f"{state.capitalize()} {entry['domain']}s:"
                rows = [[one[name] for name in RANKED] for one in entry[state]]
                show.table(title, RANKED, rows, [title, *(map(_line, entry[state]) if entry[state] else ["  (none)"])])


def explain(
    context: typer.Context,
    key: Key = None,
    *,
    key_option: KeyOption = None,
    domain: Domain = "adapter",
    as_json: AsJson = False,
) -> None:
    """Show as JSON who wins a key, and why.

    Examples: oneiric explain cache, oneiric explain payments --domain service
    """
    call = Call(context.obj, as_json=as_json)
    answer = call.read("explain", domain=domain, key=key_of(call, key, key_option))
    if as_json:
        call.show_json(answer)
    else:
        typer.echo(json.dumps(answer, indent=2, ensure_ascii=False))


def swap(  # noqa: PLR0913 - one parameter an option
    context: typer.Context,
    key: Key = None,
    *,
    key_option: KeyOption = None,
    domain: Domain = "adapter",
    provider: Provider = None,
    force: Annotated[bool, typer.Option("--force", help="Ignore a health check that fails.")] = False,
    as_json: AsJson = False,
) -> None:
    """Let a new instance serve a key, of another provider if you name one.

    Examples: oneiric swap cache, oneiric swap cache --provider redis, oneiric swap cache --force
    """
    call = Call(context.obj, as_json=as_json)
    named = key_of(call, key, key_option)
    answer = call.change("swap", needs_service=True, domain=domain, key=named, provider=provider, force=force)
    if as_json:
        call.show_json(answer)
    else:
        wanted = provider or "auto"
        typer.echo(f"Swapped {answer['domain']}:{answer['key']} -> {wanted}; instance={answer['instance']}")
        if answer.get("configured"):
            setting = f"{answer['domain']}s.selections.{answer['key']}"
            call.note(
                f"{setting} says {answer['configured']}: this holds until that changes or the service is restarted"
            )


def status(  # noqa: PLR0913 - one parameter an option
    context: typer.Context,
    key: Key = None,
    *,
    key_option: OnlyKey = None,
    domain: Domain = "adapter",
    shadowed: Annotated[bool, typer.Option("--shadowed", help="What does not win its key, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show how the components of a domain stand: who serves, who is paused, how long swaps take.

    Ends with 1 where a key that you name is not resolved. Examples: oneiric status, oneiric status --domain service
    """
    call = Call(context.obj, as_json=as_json)
    named = key_of(call, key, key_option) if key or key_option else ""
    answer = call.read("status", domain=domain, key=named, shadowed=str(shadowed).lower())
    _warn_of_other_version(call, answer["service"])
    if as_json:
        call.show_json(answer)
    else:
        _show_status(answer)
    if named and any(record["state"] == "unresolved" for record in answer["status"]):
        raise typer.Exit(exits.NO)


def swaps_line(swaps: Mapping[str, Any]) -> str:
    """Return the durations of swaps as a line."""
    shown = " ".join(f"{name}={show.milliseconds(swaps[name])}" for name in ("p50", "p95", "p99"))
    return f"Swap latency: samples={swaps['samples']} {shown} success_rate={swaps['success_rate']:g}%"


def _warn_of_other_version(call: Call, service: Mapping[str, Any] | None) -> None:
    if service is not None and service["installed"] != service["version"]:
        call.note(
            f"version {service['installed']} is installed, and process {service['pid']} runs {service['version']}: "
            "restart the service"
        )


def _show_status(answer: Mapping[str, Any]) -> None:
    typer.echo(f"Domain: {answer['domain']}")
    if service := answer["service"]:
        ready = "ready" if service["ready"] else "not ready"
        typer.echo(f"Service: process {service['pid']}, version {service['version']}, {show.word(ready)}")
    columns = ("key", "provider", "state", "served by", "activity")
    rows = [
        (one["key"], one.get("provider"), one["state"], _serving(one), _activity(one["activity"]))
        for one in answer["status"]
    ]
    plain = [text for one in answer["status"] for text in _record(one)] or ["  (none)"]
    show.table("", columns, rows, plain)
    activity, remote = answer["summary"]["activity"], answer["remote_telemetry"]
    typer.echo(swaps_line(answer["summary"]["swap"]))
    typer.echo(f"Activity: {' '.join(f'{name}={count}' for name, count in activity.items())}")
    typer.echo(
        f"Remote: last success {remote['last_success_at'] or 'never'}, last error {remote['last_error'] or 'none'}"
    )


def _record(one: Mapping[str, Any]) -> Iterator[str]:
    provider = one.get("provider") or one["configured_provider"]
    busy = f", {_activity(one['activity'])}" if one["activity"]["paused"] or one["activity"]["draining"] else ""
    yield f"  - {one['key']}/{provider}: {one['state']}, served by {_serving(one) or 'nobody'}{busy}"
    if one["configured_provider"] is not None:
        applied = "applied" if one["selection_applied"] else "not applied"
        yield f"      selected: {one['configured_provider']} ({applied})"
    lifecycle = one["lifecycle"]
    if lifecycle is not None:
        error = f", last error: {lifecycle['last_error']}" if lifecycle["last_error"] else ""
        yield f"      lifecycle: {lifecycle['state']}{error}"
    for other in one.get("shadowed_details", ()):
        yield f"      shadowed: {other['provider']} ({_rank(other)})"


def _serving(one: Mapping[str, Any]) -> str | None:
    serving: str | None = one["lifecycle"]["current_provider"] if one["instance_state"] == "ready" else None
    return serving


def _activity(activity: Mapping[str, Any]) -> str:
    flags = [name for name in ("paused", "draining") if activity[name]]
    note = f" ({activity['note']})" if activity["note"] else ""
    return " & ".join(flags) + note


def _line(entry: Mapping[str, Any]) -> str:
    return f"  - {entry['key']}/{entry['provider']} ({_rank(entry)})"


def _rank(entry: Mapping[str, Any]) -> str:
    return f"priority={entry['priority']} stack={entry['stack_level']} source={entry['source']}"
