"""Options and arguments that several commands have, and their completion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from oneiric.cli.completion import complete_domains, complete_keys, complete_providers

if TYPE_CHECKING:
    from oneiric.cli.calls import Call

DOMAINS = "adapter, service, task, event, workflow or action"

Domain = Annotated[
    str, typer.Option("--domain", "-d", metavar="DOMAIN", help=f"{DOMAINS}.", autocompletion=complete_domains)
]
AnyDomain = Annotated[
    str | None,
    typer.Option(
        "--domain", "-d", metavar="DOMAIN", help=f"{DOMAINS}; all without it.", autocompletion=complete_domains
    ),
]
Key = Annotated[
    str | None,
    typer.Argument(metavar="KEY", show_default=False, help="Key of the component.", autocompletion=complete_keys),
]
KeyOption = Annotated[
    str | None, typer.Option("--key", "-k", metavar="KEY", help="The key, as an option.", autocompletion=complete_keys)
]
OnlyKey = Annotated[
    str | None, typer.Option("--key", "-k", metavar="KEY", help="This key only.", autocompletion=complete_keys)
]
Provider = Annotated[
    str | None,
    typer.Option("--provider", "-p", metavar="NAME", help="This provider.", autocompletion=complete_providers),
]
Note = Annotated[str | None, typer.Option("--note", "-n", metavar="TEXT", help="Why, for others to read.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Interval = Annotated[float, typer.Option("--interval", min=0.1, max=86_400, metavar="SECONDS", help="Between two.")]


def key_of(call: Call, argument: str | None, option: str | None) -> str:
    """Return the key that *argument* or *option* names, or end the process: one of them must, and not two keys."""
    from oneiric.cli import exits  # noqa: PLC0415 - only where a key is needed

    if argument and option and argument != option:
        call.fail(exits.USAGE, f"two keys, {argument} and --key {option}", "name one")
    if not (key := argument or option):
        call.fail(exits.USAGE, "the key is missing", "name it as KEY or with --key; oneiric list shows what is there")
    return key
