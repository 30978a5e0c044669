"""The commands about remote sources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from oneiric.cli import exits, show
from oneiric.cli.calls import Call
from oneiric.cli.options import AsJson  # noqa: TC001 - typer evaluates the annotations
from oneiric.cli.watching import repeatedly

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DEFAULT_INTERVAL = 300.0
"""Seconds between two synchronisations with ``--watch``."""


def remote_status(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Show how the remote sources stand: last success, last error, what is registered.

    Example: oneiric remote-status --json
    """
    call = Call(context.obj, as_json=as_json)
    answer = call.read("remote-status")
    if as_json:
        call.show_json(answer)
    else:
        show.lines(_plain(answer))


def remote_sync(
    context: typer.Context,
    *,
    manifest: Annotated[
        str | None, typer.Option("--manifest", metavar="URL", help="This manifest instead of the configured one.")
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Again and again, until Ctrl-C.")] = False,
    refresh_interval: Annotated[
        float, typer.Option("--refresh-interval", min=0.1, max=86_400, metavar="SECONDS", help="Between two.")
    ] = DEFAULT_INTERVAL,
    as_json: AsJson = False,
) -> None:
    """Synchronise with the remote manifest now, and wait for the result; ends with 1 where that fails.

    Examples: oneiric remote-sync, oneiric remote-sync --manifest https://example.com/manifest.json
    """
    call = Call(context.obj, as_json=as_json)

    def once() -> None:
        answer = call.change("remote-sync", manifest=manifest)
        if not as_json:
            typer.echo(_done(answer))
        elif watch:
            call.show_json_line(answer)
        else:
            call.show_json(answer)
        if not answer["synced"] and not watch:
            raise typer.Exit(exits.NO)

    if watch:
        repeatedly(once, seconds=refresh_interval)
    else:
        once()


def _done(answer: Mapping[str, Any]) -> str:
    if not answer["synced"]:
        return f"Remote sync skipped. {answer['reason']}"
    refused = f" {answer['skipped']} refused." if answer["skipped"] else ""
    return f"Remote sync complete: {answer['registered']} candidates from {answer['source']}.{refused}"


def _plain(answer: Mapping[str, Any]) -> Iterator[str]:
    yield f"Manifest URL: {answer['manifest_url'] or 'not set'}{'' if answer['enabled'] else ' (disabled)'}"
    yield f"Refresh interval: {answer['refresh_interval'] or 'none'}"
    last = show.milliseconds(answer["last_duration_ms"])
    yield f"Remote latency budget={answer['latency_budget_ms']:g}ms last={last}"
    yield f"Last success: {answer['last_success_at'] or 'never'} (source={answer['last_source']})"
    failures = answer["consecutive_failures"]
    yield f"Last failure: {answer['last_failure_at'] or 'never'} ({failures} in a row)"
    yield f"Last error: {answer['last_error'] or 'none'}"
    yield f"Registered: {answer['last_registered']} skipped: {answer['last_skipped']}"
    for domain, count in answer["last_per_domain"].items():
        yield f"  - {domain}: {count}"
    for one in answer["sources"]:
        pending = ", no manifest in force yet" if one["pending"] else ""
        circuit = ", circuit open" if one["circuit_open"] else ""
        failed = f"{one['consecutive_failures']} failures"
        yield f"Source {one['source']}: {one['url'] or 'no URL'}, {failed}{circuit}{pending}"
