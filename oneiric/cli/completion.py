"""What a shell of which Typer knows how to ask is offered for domains, keys and providers; see oneiric.cli.words."""

from __future__ import annotations

import typer  # noqa: TC002 - typer evaluates the annotations

DOMAINS = ("adapter", "service", "task", "event", "workflow", "action")
"""Those of oneiric.core.names, which a test holds equal."""


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


def _components(ctx: typer.Context) -> list[tuple[str, str | None]]:
    from oneiric.cli.known import components  # noqa: PLC0415 - other commands do not need it

    domain = ctx.params.get("domain") or ("action" if ctx.info_name == "action-invoke" else "adapter")
    return components(ctx.find_root().params.get("config"), str(domain))
