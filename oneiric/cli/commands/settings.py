"""The commands about settings; they read what the service would read, and ask no service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from oneiric.cli import exits, show
from oneiric.cli.calls import Call
from oneiric.cli.options import AsJson  # noqa: TC001 - typer evaluates the annotations

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

app = typer.Typer(name="settings", help="Check and show the settings.", no_args_is_help=True)


@app.command()
def check(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Say whether the settings are right, and what is wrong; ends with 1 where something is.

    Example: oneiric --config oneiric.yaml settings check
    """
    call = Call(context.obj, as_json=as_json)
    from oneiric.core.config import TEXTS, SettingsError, settings_files  # noqa: PLC0415 - other commands do not need it

    program = context.obj.program()
    try:
        settings = program.settings()
        problems, notes = (
            list(settings.problems),
            [TEXTS[note.kind].format(note.subject) for note in settings.setting_notes],
        )
    except SettingsError as error:
        problems, notes = [str(error)], []
    files = [str(path) for path in settings_files(context.obj.config) if path.exists()]
    if as_json:
        call.show_json({"valid": not problems, "problems": problems, "notes": notes, "files": files})
    else:
        show.lines([*problems, *notes])
        typer.echo(f"The settings are {'wrong' if problems else 'right'}; read: {', '.join(files) or 'no file'}")
    if problems:
        raise typer.Exit(exits.NO)


@app.command("show")
def show_settings(
    context: typer.Context,
    part: Annotated[str, typer.Argument(metavar="[PREFIX]", help="Settings that begin so, such as remote.")] = "",
    *,
    given: Annotated[bool, typer.Option("--set", help="Only those that a file or the environment sets.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the settings in force, secrets masked, and where each comes from.

    Examples: oneiric settings show remote, oneiric settings show --set
    """
    call = Call(context.obj, as_json=as_json)
    from oneiric.core.config import SettingsError, setting_origins  # noqa: PLC0415 - likewise

    try:
        settings = context.obj.program().settings()
        origins = setting_origins(context.obj.config)
    except SettingsError as error:
        call.fail(exits.USAGE, str(error), "oneiric settings check shows all that is wrong")
    found = [
        {"setting": ".".join(place), "value": value, "origin": origins.get(place, "default")}
        for place, value in _leaves(_masked(settings.model_dump(mode="json")), ())
    ]
    wanted = [one for one in found if one["setting"].startswith(part) and (not given or one["origin"] != "default")]
    if as_json:
        call.show_json({"settings": wanted})
        return
    rows = [(one["setting"], one["value"], one["origin"]) for one in wanted]
    plain = [f"{name} = {value!r}{'' if origin == 'default' else f'  # {origin}'}" for name, value, origin in rows]
    show.table("", ("setting", "value", "from"), rows, plain)


@app.command()
def migrate(
    context: typer.Context,
    *,
    sql: Annotated[str, typer.Option("--sql", metavar="ROLE", help="Only print the SQL, with ROLE's rights.")] = "",
    as_json: AsJson = False,
) -> None:
    """Make the tables of activity.url, the database that replicas share, or bring them up to date.

    Needs CREATE on the schema activity.database_schema, and where there is none yet CREATE on the database. The service
    itself needs USAGE on the schema, and SELECT, INSERT, UPDATE and DELETE on its tables.

    Examples: oneiric settings migrate, oneiric settings migrate --sql shop
    """
    call = Call(context.obj, as_json=as_json)
    from oneiric.core.activity import ActivityStoreError  # noqa: PLC0415 - likewise
    from oneiric.core.config import SettingsError  # noqa: PLC0415 - likewise
    from oneiric.runtime.state import activity_script, migrate_activity  # noqa: PLC0415 - likewise

    try:
        settings = context.obj.program().settings()
        if sql:
            typer.echo(activity_script(settings, role=sql), nl=False)
            return
        before, after = migrate_activity(settings)
    except SettingsError as error:
        call.fail(exits.USAGE, str(error), "docs/replicas.md shows how replicas share pauses")
    except ActivityStoreError as error:
        call.fail(exits.NO, str(error))
    if as_json:
        call.show_json({"schema": settings.activity.database_schema, "before": before, "after": after})
        return
    done = "were made" if before == 0 else "were up to date" if before == after else "were brought up to date"
    typer.echo(f"The tables in the schema {settings.activity.database_schema} {done}: version {after}")


def _masked(values: dict[str, Any]) -> dict[str, Any]:
    """Return *values* with *** for secrets: what a name says to be one, inline secrets, and headers."""
    from oneiric.core.redaction import mask  # noqa: PLC0415 - likewise

    secrets = values.pop("secrets")
    inline = mask(secrets.pop("inline"), hidden=True)
    masked: dict[str, Any] = mask(values)
    masked["secrets"] = {**secrets, "inline": inline}
    headers = masked["observability"]["otlp"].get("headers")
    if headers:
        masked["observability"]["otlp"]["headers"] = mask(headers, hidden=True)
    return masked


def _leaves(values: Mapping[str, Any], at: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, value in values.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, (*at, name))
        else:
            yield (*at, name), value
