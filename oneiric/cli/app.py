"""The command line: its options, and nothing that a command does not need."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path  # noqa: TC003 - typer evaluates the annotations
from typing import Annotated, Any

import typer

from oneiric.cli import exits
from oneiric.cli.commands import (
    activity,
    cache,
    components,
    demo,
    health,
    logs,
    monitoring,
    operations,
    remote,
    service,
    settings,
    signals,
)
from oneiric.cli.invocation import Invocation

UNUSABLE = 2
"""Exit code of a command that could not read or write what it had to, its answer say."""
PRINTERS = frozenset({"click", "rich", "typer"})
"""Packages that write to standard output."""
COMPLETION = ("--install-completion", "--show-completion")
SHELL_IS_NAMED = "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION"
"""Environment variable that makes Typer take the name of a shell after an option of completion."""
DEBUG = "--debug"

_NOT_UNDERSTOOD: Any = typer.BadParameter.__mro__[2]  # every error of parsing: ClickException, wherever it comes from

app = typer.Typer(
    name="oneiric",
    help="Resolve, hot-swap and observe the providers of a running process.",
    epilog=(
        "With a running service the commands act on it, without one on its files. Exit codes: 0 done, 1 the answer is "
        "no or the work failed, 2 wrong use, 3 no service where one is needed, 4 denied, 5 the service does not "
        "answer, 130 interrupted."
    ),
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)


for command, name in (
    (components.list_components, "list"),
    (components.explain, "explain"),
    (components.swap, "swap"),
    (activity.pause, "pause"),
    (activity.resume, "resume"),
    (activity.drain, "drain"),
    (components.status, "status"),
    (health.health, "health"),
    (remote.remote_status, "remote-status"),
    (remote.remote_sync, "remote-sync"),
    (service.orchestrate, "orchestrate"),
    (operations.reload, "reload"),
    (operations.plugins, "plugins"),
    (operations.action_invoke, "action-invoke"),
    (operations.metrics, "metrics"),
    (signals.signals, "signals"),
    (logs.logs, "logs"),
    (demo.demo, "demo"),
):
    app.command(name, short_help=(command.__doc__ or "").partition("\n")[0])(command)
for group in (activity.app, cache.app, settings.app, monitoring.app):
    app.add_typer(group)


def run() -> None:
    """Run the command line as a program."""
    if _names_shell(sys.argv[1:]):
        os.environ[SHELL_IS_NAMED] = "1"
    if not sys.stdout.isatty():
        app.rich_markup_mode = None  # frames are for terminals, and take long to import
    try:
        raise SystemExit(app(prog_name="oneiric", standalone_mode=False) or 0)
    except _NOT_UNDERSTOOD as error:
        _explain(error)
        raise SystemExit(exits.USAGE) from None
    except OSError as error:
        if DEBUG in sys.argv:
            raise
        _report(error)
        raise SystemExit(UNUSABLE) from None


@app.callback(invoke_without_command=True)
def root(  # noqa: PLR0913 - one parameter an option
    context: typer.Context,
    *,
    show_version: Annotated[
        bool, typer.Option("--version", help="Print the version, and that of the control API, and exit.")
    ] = False,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Settings file. [default: $ONEIRIC_CONFIG]")
    ] = None,
    imports: Annotated[
        list[str] | None,
        typer.Option(
            "--import", metavar="MODULE", help="Import a module and let it register(resolver) and connect(runtime)."
        ),
    ] = None,
    with_demo: Annotated[bool, typer.Option("--demo", help="Register components to try things with.")] = False,
    profile: Annotated[str | None, typer.Option(metavar="NAME", help="Apply a profile: default, serverless.")] = None,
    debug: Annotated[bool, typer.Option(DEBUG, help="Log all, and show where an error comes from.")] = False,
    suppress_events: Annotated[
        bool, typer.Option("--suppress-events", help="Write no log lines but fatal ones.")
    ] = False,
) -> None:
    """Resolve, hot-swap and observe the providers of a running process."""
    context.obj = Invocation(
        config=config,
        imports=tuple(imports or ()),
        profile=profile,
        demo=with_demo,
        log_level="DEBUG" if debug else "CRITICAL" if suppress_events else None,
    )
    if show_version:
        _print_version()
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


def _explain(error: Any) -> None:
    """Say in one line what of the command line is not understood, and what would be."""
    from oneiric.cli.calls import say_error  # noqa: PLC0415 - for mistakes only
    from oneiric.cli.mistakes import hint_at  # noqa: PLC0415 - likewise

    say_error(error.format_message(), hint_at(error), exit_code=exits.USAGE, as_json="--json" in sys.argv)


def _names_shell(arguments: list[str]) -> bool:
    """Return whether *arguments* ask for the completion of a shell by name, where Typer takes the one that called."""
    option, equals, _ = arguments[0].partition("=") if arguments else ("", "", "")
    return option in COMPLETION and (bool(equals) or len(arguments) > 1)


def _report(error: OSError) -> None:
    """Say on standard error what could not be read or written: standard output, or else what *error* is about."""
    from oneiric.rehearsal.screen import let_go_of_unwritable_output  # noqa: PLC0415 - hardly ever needed

    why = error.strerror or str(error)
    let_go_of_unwritable_output()
    if _printing(error):
        why = f"the answer cannot be written: {why}"
    elif error.filename is not None:
        why = f"{error.filename}: {why}"
    else:
        why = f"the command failed: {why}"
    with suppress(OSError):
        typer.echo(f"oneiric: {why}", err=True)


def _printing(error: OSError) -> bool:
    """Return whether *error* was raised by what prints to standard output."""
    from traceback import walk_tb  # noqa: PLC0415 - hardly ever needed

    frames = [frame for frame, _ in walk_tb(error.__traceback__)]
    return bool(frames) and frames[-1].f_globals["__name__"].partition(".")[0] in PRINTERS


def _print_version() -> None:
    from oneiric import __version__  # noqa: PLC0415 - looked up in the metadata of the installation, which takes long
    from oneiric.runtime.control.protocol import API_VERSION  # noqa: PLC0415 - only here

    typer.echo(f"oneiric {__version__} (control API {API_VERSION})")
