"""The commands below `oneiric monitoring`; what a command needs is imported when it runs."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from oneiric.cli.calls import SCHEMA_VERSION, say_error
from oneiric.cli.interrupts import interrupt_raises
from oneiric.cli.options import AsJson  # noqa: TC001 - typer evaluates the annotations

if TYPE_CHECKING:
    from oneiric.monitoring.drift import Level, Outcome

USAGE = 2
"""Exit code where what was asked for cannot be done."""

FINDINGS = 1
"""Exit code of a check that found something."""

MAX_SECONDS = 86_400.0
"""Longest time that a drill's options may name."""


def named_path(text: str | Path) -> Path:
    """Return *text* as a path; an empty one, of a variable that is not set say, would be the current directory."""
    if text == "":
        raise typer.BadParameter("must be a path, and is empty; . is the current directory")
    return Path(text)


class ReportFormat(StrEnum):
    """The ways in which findings can be written."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"
    GITHUB = "github"


class ExportFormat(StrEnum):
    """What the bundle can be made for."""

    FILES = "files"
    KUBERNETES = "kubernetes"


class FailOn(StrEnum):
    """How grave a finding is that makes the check fail."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


app = typer.Typer(
    name="monitoring",
    help="Make, check and rehearse what watches Oneiric: rules, alerts, dashboards and the log pipeline.",
    pretty_exceptions_enable=False,
)


@app.callback(invoke_without_command=True)
def root(context: typer.Context) -> None:
    """Make, check and rehearse what watches Oneiric: rules, alerts, dashboards and the log pipeline."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command()
def export(
    *,
    out: Annotated[
        Path | None,
        typer.Option(parser=named_path, metavar="DIRECTORY", help="Write the bundle below this directory."),
    ] = None,
    made_for: Annotated[
        ExportFormat,
        typer.Option("--format", help="Configuration files of the servers, or objects for the Prometheus Operator."),
    ] = ExportFormat.FILES,
    merge: Annotated[
        bool, typer.Option("--merge", help="Print what goes into configurations that you have already.")
    ] = False,
    assignments: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Set a threshold, name or interval.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write the rules, alerts, dashboards and pipeline configurations for your thresholds and names.

    Example: oneiric monitoring export --out monitoring

    Example: oneiric monitoring export --format kubernetes --out monitoring
    """
    from oneiric.monitoring.bundle import bundle, kubernetes, merge_text, write  # noqa: PLC0415 - only this command needs them
    from oneiric.monitoring.bundle.dashboards import MissingExtraError  # noqa: PLC0415 - likewise
    from oneiric.monitoring.config import ConfigError, configured  # noqa: PLC0415 - likewise

    if out is None and not merge:
        _refuse("nothing to do: --out DIR writes the bundle, --merge prints what goes into configurations you have")
    interrupt_raises()
    try:
        config = configured(assignments or ())
        make = kubernetes if made_for is ExportFormat.KUBERNETES else bundle
        files = make(config) if out else {}
        if out:
            write(files, out)
    except (ConfigError, MissingExtraError) as error:
        _refuse(str(error))
    except OSError as error:
        _refuse(f"--out {out}: {error.filename or 'a file'} cannot be written: {error.strerror}")
    if as_json:
        text = merge_text(config) if merge else None
        _show_json({"out": out and str(out), "files": sorted(files), "merge": text, "gaps": list(config.gaps)})
        return
    if out:
        typer.echo(f"{len(files)} files in {out}", err=merge)
    if merge:
        typer.echo(merge_text(config), nl=False)
    for gap in config.gaps:
        typer.echo(f"oneiric: warning: {gap}", err=True)


@app.command()
def check(  # noqa: PLR0913 - one parameter an option
    context: typer.Context,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(parser=named_path, show_default="the current directory", help="Files and directories."),
    ] = None,
    *,
    against: Annotated[
        str | None, typer.Option(metavar="URL", help="Hold the files against this /metrics, or this Prometheus.")
    ] = None,
    complete: Annotated[
        bool, typer.Option("--complete", help="The files are all there are: a signal that none uses is a finding.")
    ] = False,
    style: Annotated[ReportFormat, typer.Option("--format", help="How findings are written.")] = ReportFormat.TEXT,
    fail_on: Annotated[
        FailOn, typer.Option("--fail-on", help="How grave a finding must be for exit code 1.")
    ] = FailOn.ERROR,
    policy: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="House style to hold the files to. [default: oneiric-check.toml above them]"),
    ] = None,
    target_label: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A label that your scrape configuration gives to targets.")
    ] = None,
    ignore: Annotated[list[str] | None, typer.Option(metavar="CODE", help="Leave findings of this code out.")] = None,
    scrape_interval: Annotated[
        float, typer.Option(min=0.1, help="Seconds between scrapes, where no Prometheus configuration says so.")
    ] = 15.0,
    refresh_interval: Annotated[
        float, typer.Option(min=0.1, help="Seconds between synchronisations with a remote source.")
    ] = 300.0,
    as_json: AsJson = False,
) -> None:
    """Check that what your rules, dashboards and documents name exists: exit code 1 with errors, 2 if nothing was.

    Example: oneiric monitoring check monitoring
    """
    try:
        from oneiric.cli.surface import surface  # noqa: PLC0415 - only this command needs them
        from oneiric.monitoring import drift  # noqa: PLC0415 - likewise
    except ModuleNotFoundError:
        _refuse(
            "the check needs a parser of PromQL, which the extra monitoring brings: "
            "pip install '.[monitoring]' in a clone of Oneiric's repository"
        )

    interrupt_raises()
    if unknown := sorted({*(ignore or ())} - drift.CODES.keys()):
        _refuse(f"--ignore {unknown[0]}: there is no such code; docs/monitoring/DRIFT_CHECK.md lists them")
    if against == "":
        _refuse("--against: must be http://HOST or https://HOST, and is empty")
    try:
        file = policy or drift.find_policy(paths or [Path()])
        asked = drift.read_policy(file) if file is not None else drift.NOTHING_ASKED
    except drift.PolicyError as error:
        _refuse(f"--policy {error}")
    options = drift.Options(
        against=against or "",
        is_complete=complete,
        surface=surface(context.find_root().command, "oneiric"),
        target_labels=frozenset(target_label or ()),
        pace=drift.Pace(scrape=scrape_interval, sync=refresh_interval),
        ignored=frozenset(ignore or ()),
        policy=asked,
        is_validated=True,
    )
    outcome = drift.check(paths or ([] if against else [Path()]), options)
    if not as_json and (text := drift.formatted(outcome.findings, style.value)):
        typer.echo(text)
    if not outcome.findings and not outcome.files and not against:
        _refuse("nothing to check: none of the files is of a kind that can be checked")
    counts = {level: sum(finding.level == level for finding in outcome.findings) for level in drift.LEVELS}
    if as_json:
        _show_outcome(outcome, counts, json.loads(drift.formatted(outcome.findings, "json")))
    else:
        _show_counts(outcome, counts)
    raise typer.Exit(FINDINGS if sum([*counts.values()][: drift.LEVELS.index(fail_on.value) + 1]) else 0)


def _show_outcome(outcome: Outcome, counts: dict[Level, int], findings: list[object]) -> None:
    _show_json({"files": outcome.files, "counts": counts, "findings": findings, "notices": list(outcome.notices)})


def _show_counts(outcome: Outcome, found: dict[Level, int]) -> None:
    for notice in outcome.notices:
        typer.echo(notice, err=True)
    numbers = ", ".join(_count(number, level) for level, number in found.items())
    typer.echo(f"{_count(outcome.files, 'file')}, {numbers}", err=True)


@app.command()
def drill(  # noqa: PLR0913 - one parameter an option
    name: Annotated[str | None, typer.Argument(help="The incident; see --list.", show_default=False)] = None,
    *,
    list_them: Annotated[bool, typer.Option("--list", help="List the incidents and exit.")] = False,
    prometheus: Annotated[
        str | None, typer.Option(metavar="URL", help="Wait until the alert fires, and resolves, in this Prometheus.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port of /metrics. [default: with --prometheus 9464, else any]")
    ] = None,
    seconds: Annotated[
        float,
        typer.Option(
            min=0.5, max=MAX_SECONDS, help="How long the fault lasts, and is shown after it, without --prometheus."
        ),
    ] = 10.0,
    timeout: Annotated[
        float,
        typer.Option(min=1, max=MAX_SECONDS, help="How long to wait for an alert to fire, and to resolve, in seconds."),
    ] = 1800.0,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Set what the bundle was exported with."),
    ] = None,
    service: Annotated[
        bool, typer.Option("--service", help="Rehearse it in a service: oneiric orchestrate in its own process.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON; of a drill, an object a line.")] = False,
) -> None:
    """Rehearse an incident in a sandbox: show metrics, log lines and alert as they come, and what the runbook says.

    Examples: oneiric monitoring drill --list, oneiric monitoring drill swap-failures
    """
    from oneiric.rehearsal.drills import (  # noqa: PLC0415 - only this command needs the runtime
        DrillError,
        DrillOptions,
        drill_records,
        list_drills,
        run_drill,
    )

    if list_them and as_json:
        _show_json({"drills": drill_records()})
        return
    if list_them:
        typer.echo("\n".join(list_drills()))
        return
    if name is None:
        _refuse("the name of a drill is missing; see oneiric monitoring drill --list")
    options = DrillOptions(
        name=name,
        assignments=tuple(assignments or ()),
        prometheus=prometheus,
        port=port,
        seconds=seconds,
        timeout=timeout,
        service=service,
        as_json=as_json,
    )
    try:
        code = run_drill(options)
    except DrillError as error:
        _refuse(str(error))
    raise typer.Exit(code)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _show_json(answer: dict[str, object]) -> None:
    typer.echo(json.dumps({"schema_version": SCHEMA_VERSION, **answer}, indent=2, ensure_ascii=False))


def _refuse(why: str) -> NoReturn:
    say_error(why, exit_code=USAGE, as_json="--json" in sys.argv)
    raise typer.Exit(USAGE)
