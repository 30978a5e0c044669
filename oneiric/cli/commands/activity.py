"""The commands about pauses and drains."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oneiric.cli import show
from oneiric.cli.calls import Call
from oneiric.cli.options import AsJson, Domain, Key, KeyOption, Note, key_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


app = typer.Typer(name="activity")

REASONS = {
    "damaged": "damaged",
    "emptied": "emptied",
    "removed": "deleted",
    "replaced": "replaced by another one",
    "restored": "replaced by an older copy",
    "rows_lost": "left without some of its rows",
}
"""What happened to the file, in words."""


class AccountName(StrEnum):
    """Whose account of the state can be kept."""

    DATABASE = "database"
    WITNESS = "witness"


def pause(  # noqa: PLR0913 - one parameter an option
    context: typer.Context,
    key: Key = None,
    *,
    key_option: KeyOption = None,
    domain: Domain = "adapter",
    note: Note = None,
    resume: Annotated[bool, typer.Option("--resume", help="End the pause.")] = False,
    as_json: AsJson = False,
) -> None:
    """Pause a component: it gets no work until it is resumed, over restarts too.

    Examples: oneiric pause cache --note maintenance, oneiric pause cache --resume
    """
    call = Call(context.obj, as_json=as_json)
    named = key_of(call, key, key_option)
    answer = call.change("resume" if resume else "pause", domain=domain, key=named, note=note)
    _show_pause(call, answer)


def resume(  # noqa: PLR0913 - one parameter an option
    context: typer.Context,
    key: Key = None,
    *,
    key_option: KeyOption = None,
    domain: Domain = "adapter",
    note: Note = None,
    as_json: AsJson = False,
) -> None:
    """End the pause of a component.

    Example: oneiric resume cache
    """
    call = Call(context.obj, as_json=as_json)
    _show_pause(call, call.change("resume", domain=domain, key=key_of(call, key, key_option), note=note))


def drain(  # noqa: PLR0913 - one parameter an option
    context: typer.Context,
    key: Key = None,
    *,
    key_option: KeyOption = None,
    domain: Domain = "adapter",
    note: Note = None,
    clear: Annotated[bool, typer.Option("--clear", help="End the drain.")] = False,
    as_json: AsJson = False,
) -> None:
    """Let a component drain: it ends its work and gets no more, until that is cleared.

    Examples: oneiric drain cache --note "moves to another host", oneiric drain cache --clear
    """
    call = Call(context.obj, as_json=as_json)
    answer = call.change("drain", domain=domain, key=key_of(call, key, key_option), note=note, clear=clear)
    if as_json:
        call.show_json(answer)
    else:
        done = "Marked" if answer["draining"] else "Cleared"
        typer.echo(f"{done} draining for {_subject(answer)}")


@app.callback(invoke_without_command=True)
def activity(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Show which components are paused or draining, and whether that is certain.

    Examples: oneiric activity --json, oneiric activity recover --from witness
    """
    if context.invoked_subcommand is not None:
        return
    call = Call(context.obj, as_json=as_json)
    answer = call.read("activity")
    if as_json:
        call.show_json(answer)
        return
    _show_activity(answer)
    _show_suspect(answer.get("suspect"))


@app.command()
def recover(
    context: typer.Context,
    *,
    account: Annotated[
        AccountName, typer.Option("--from", help="Whose account to keep: the database's or the witness's.")
    ],
    as_json: AsJson = False,
) -> None:
    """Decide what is paused where the file that says so is not what it was; what was changed since then stays.

    Example: oneiric activity recover --from witness
    """
    call = Call(context.obj, as_json=as_json)
    answer = call.change("activity-recover", account=account.value)
    if as_json:
        call.show_json(answer)
        return
    typer.echo(f"Recovered from the {answer['account']}.")
    _show_activity(answer)


def _show_activity(answer: Mapping[str, Any]) -> None:
    if answer.get("unreachable"):
        typer.echo(f"Only what was last known, maybe nothing: {answer['unreachable']}")
    if not any(answer["totals"].values()):
        typer.echo("No paused or draining keys recorded.")
    else:
        rows = [
            (domain, key, *_words(state)) for domain, keys in answer["domains"].items() for key, state in keys.items()
        ]
        show.table("", ("domain", "key", "paused", "draining", "note"), rows, _plain(answer))
        if show.on_terminal():
            typer.echo(_total(answer))


def _show_suspect(suspect: Mapping[str, Any] | None) -> None:
    if suspect is None:
        return
    moved = f", moved to {suspect['quarantine']}" if suspect["quarantine"] else ""
    typer.echo(f"Suspect since {suspect['since']}: the file was {REASONS.get(suspect['reason'], 'changed')}{moved}.")
    for account, states in suspect["accounts"].items():
        if states is None:
            typer.echo(f"  {account}: cannot be read")
            continue
        held = [f"{state['domain']}:{state['key']} {' & '.join(filter(None, _words(state)[:2]))}" for state in states]
        typer.echo(f"  {account}: {', '.join(held) or 'nothing is paused or draining'}")
    typer.echo("All of it is held back until you decide: oneiric activity recover --from witness, or --from database")


def _show_pause(call: Call, answer: Mapping[str, Any]) -> None:
    if call.as_json:
        call.show_json(answer)
    else:
        typer.echo(f"{'Paused' if answer['paused'] else 'Resumed'} {_subject(answer)}")


def _subject(answer: Mapping[str, Any]) -> str:
    return f"{answer['domain']}:{answer['key']} (note={answer['note'] or 'none'})"


def _words(state: Mapping[str, Any]) -> tuple[str, str, str | None]:
    return "paused" if state["paused"] else "", "draining" if state["draining"] else "", state["note"]


def _total(answer: Mapping[str, Any]) -> str:
    return f"Total activity: {_counts(answer['totals'])}"


def _counts(totals: Mapping[str, int]) -> str:
    return f"paused={totals['paused']} draining={totals['draining']} note-only={totals['note_only']}"


def _plain(answer: Mapping[str, Any]) -> Iterator[str]:
    yield _total(answer)
    for domain, keys in answer["domains"].items():
        states = keys.values()
        counts = {
            "paused": sum(state["paused"] for state in states),
            "draining": sum(state["draining"] for state in states),
            "note_only": sum(not (state["paused"] or state["draining"]) for state in states),
        }
        yield f"{domain} activity: {_counts(counts)}"
        for key, state in keys.items():
            paused, draining, note = _words(state)
            yield f"  - {key}: {' & '.join(filter(None, (paused, draining))) or 'note'} (note={note or 'none'})"
