"""The command that explains metrics, log events and spans."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from oneiric.cli import exits, show
from oneiric.cli.calls import Call
from oneiric.cli.options import AsJson  # noqa: TC001 - typer evaluates the annotations

if TYPE_CHECKING:
    from collections.abc import Iterator


def signals(
    context: typer.Context,
    part: Annotated[str, typer.Argument(metavar="[FILTER]", help="Part of a name, or of what it means.")] = "",
    *,
    as_json: AsJson = False,
) -> None:
    """Show every metric, log event and span: type, labels or fields, and which alerts use it.

    Ends with 1 where none matches. Examples: oneiric signals swap, oneiric signals remote --json
    """
    call = Call(context.obj, as_json=as_json)
    wanted = part.lower()
    found = [one for one in _signals() if wanted in one["name"].lower() or wanted in one["help"].lower()]
    if not found:
        call.fail(exits.NO, f"no signal has {part!r} in its name", "oneiric signals shows all")
    if as_json:
        call.show_json({"signals": found})
        return
    rows = [(one["name"], one["type"], ", ".join(one["labels"]), ", ".join(one["used_by"])) for one in found]
    show.table("", ("name", "type", "labels", "used by"), rows, [text for one in found for text in _plain(one)])


def _plain(one: dict[str, Any]) -> Iterator[str]:
    labels = f" {{{', '.join(one['labels'])}}}" if one["labels"] else ""
    yield f"{one['name']} ({one['type']}){labels}"
    if one["help"]:
        yield f"  {one['help']}"
    if one["used_by"]:
        yield f"  used by: {', '.join(one['used_by'])}"


def _signals() -> Iterator[dict[str, Any]]:
    from oneiric.monitoring import configured  # noqa: PLC0415 - only this command needs them
    from oneiric.monitoring.bundle.alerts import alerts  # noqa: PLC0415 - likewise
    from oneiric.observability.catalogue import CATALOGUE  # noqa: PLC0415 - likewise

    known = alerts(configured(()))
    for metric in CATALOGUE.metrics:
        users = [alert.name for alert in known if metric.name in alert.expr.metrics]
        yield _entry(metric.name, metric.type, metric.help, metric.label_names, users)
    for signal, log in CATALOGUE.log_events:
        meaning = (signal.event.__doc__ or "").partition("\n")[0]
        yield _entry(log.name, f"log event, {log.level}", meaning, log.fields, [])
    for signal in CATALOGUE.signals:
        if signal.span:
            yield _entry(signal.span, "span", (signal.event.__doc__ or "").partition("\n")[0], (), [])


def _entry(name: str, kind: str, meaning: str, labels: tuple[str, ...], users: list[str]) -> dict[str, Any]:
    return {"name": name, "type": kind, "help": meaning, "labels": list(labels), "used_by": users}
