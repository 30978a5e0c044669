"""What the shell offers for domains, keys and providers: what the service knows, or else what it last wrote down.

Whatever goes wrong, nothing is offered: a completion must not print errors into somebody's line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer  # noqa: TC002 - typer evaluates the annotations

if TYPE_CHECKING:
    from collections.abc import Iterable

DOMAINS = ("adapter", "service", "task", "event", "workflow", "action")
"""Those of oneiric.core.names, which a test holds equal."""
SILENCE_SECONDS = 0.2
"""A service that does not answer within that offers nothing."""
MAX_STATUS_BYTES = 16 * 1024 * 1024


def complete_domains(incomplete: str) -> list[str]:
    """Return the domains that begin with *incomplete*."""
    return [domain for domain in DOMAINS if domain.startswith(incomplete.lower())]


def complete_keys(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the keys of the domain that begin with *incomplete*."""
    return sorted({key for key, _ in _components(ctx) if key.startswith(incomplete)})


def complete_providers(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the providers of the key, or of the domain, that begin with *incomplete*."""
    key = ctx.params.get("key") or ctx.params.get("key_option")
    found = {provider for at, provider in _components(ctx) if provider and key in {None, at}}
    return sorted(provider for provider in found if provider.startswith(incomplete))


def _components(ctx: typer.Context) -> Iterable[tuple[str, str | None]]:
    try:
        return list(_known(ctx))
    except Exception:  # noqa: BLE001 - see above
        return []


def _known(ctx: typer.Context) -> Iterable[tuple[str, str | None]]:
    """Yield key and provider of what is known in the domain."""
    from oneiric.cli.places import plain_control_socket  # noqa: PLC0415 - other commands do not need it
    from oneiric.runtime.control.client import NotRunningError, ServiceClient  # noqa: PLC0415 - likewise

    domain = str(ctx.params.get("domain") or _default_domain(ctx)).lower()
    path = plain_control_socket(ctx.find_root().params.get("config"), _environ())
    try:
        answer = ServiceClient(path, silence=SILENCE_SECONDS).read("list", domain=domain, shadowed="true")
    except NotRunningError:
        yield from _written_down(domain, ctx)
        return
    for entry in answer["domains"]:
        for one in (*entry["active"], *entry.get("shadowed", ())):
            yield one["key"], one["provider"]


def _written_down(domain: str, ctx: typer.Context) -> Iterable[tuple[str, str | None]]:
    import json  # noqa: PLC0415 - only without a service

    from oneiric.cli.places import plain_state_directory  # noqa: PLC0415 - likewise

    path = plain_state_directory(ctx.find_root().params.get("config"), _environ()) / "lifecycle_status.json"
    with path.open("rb") as file:
        statuses: list[dict[str, Any]] = json.loads(file.read(MAX_STATUS_BYTES))
    for status in statuses:
        if status["domain"] == domain:
            yield status["key"], status.get("current_provider")


def _default_domain(ctx: typer.Context) -> str:
    return "action" if ctx.info_name == "action-invoke" else "adapter"


def _environ() -> Any:
    import os  # noqa: PLC0415 - only here

    return os.environ
