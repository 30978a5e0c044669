"""A command: the right that it needs, and what it does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from oneiric.core.names import DOMAINS, is_valid_name
from oneiric.runtime.control.errors import ControlError, answer_is_no, wrong_use

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from oneiric.domains.base import DomainBridge
    from oneiric.runtime.control.peers import Right

DEFAULT_DOMAIN = "adapter"

Fields = Mapping[str, Any]
"""What a command is given: strings where it came by GET."""


@dataclass(frozen=True)
class Command:
    """What can be asked of a runtime.

    Attributes:
        right: What whoever asks needs.
        run: Does it and returns the answer, fit for JSON; ControlError where it is not done.
        needs_service: Whether it means nothing without a running service.
    """

    right: Right
    run: Callable[[Fields], Awaitable[dict[str, Any]]]
    needs_service: bool = False

    @staticmethod
    def subject(fields: Fields) -> dict[str, str]:
        """Return domain, key and provider of what it is about, as far as *fields* name them validly."""
        named = {name: fields[name] for name in ("domain", "key", "provider") if is_valid_name(fields.get(name))}
        return {"domain": DEFAULT_DOMAIN, **named} if "key" in named else named


def text(fields: Fields, name: str, default: str | None = None) -> str | None:
    """Return the string *name* of *fields*, *default* where there is none; ControlError for anything else."""
    value = fields.get(name)
    if value is None or value == "":
        return default
    if not isinstance(value, str):
        raise wrong_use(f"{name} must be a string, not {type(value).__name__}")
    return value


def required(fields: Fields, name: str) -> str:
    """Return the string *name* of *fields*; ControlError where there is none."""
    if (value := text(fields, name)) is None:
        raise wrong_use(f"{name} is missing")
    return value


def flag(fields: Fields, name: str, *, default: bool = False) -> bool:
    """Return the truth of *name* in *fields*: a JSON boolean, or one of "true" and "false"."""
    value = fields.get(name, default)
    known = {"true": True, "false": False}
    if isinstance(value, str) and value.lower() in known:
        return known[value.lower()]
    if not isinstance(value, bool):
        raise wrong_use(f"{name} must be true or false")
    return value


def domain_of(fields: Fields, *, default: str = DEFAULT_DOMAIN) -> str:
    """Return the domain that *fields* name, in any case of its letters; ControlError for any but the six."""
    domain = (text(fields, "domain") or default).lower()
    if domain not in DOMAINS:
        raise wrong_use(
            f"Domain must be one of {', '.join(DOMAINS)}, not {domain!r:.80}", nearest_hint(domain, DOMAINS)
        )
    return domain


def nearest_hint(name: str, known: Iterable[object]) -> str:
    """Return a hint at the name among *known* that *name* was probably meant to be, or ""."""
    from difflib import get_close_matches  # noqa: PLC0415 - for mistakes only

    found = get_close_matches(name, map(str, known), n=1)
    return f"did you mean {found[0]}?" if found else ""


def unknown_key(bridge: DomainBridge, key: str) -> ControlError:
    """Return the error about a *key* that no candidate is registered for."""
    known = {candidate.key for candidate in bridge.active_candidates()}
    return answer_is_no(
        f"no candidate is registered for {bridge.domain}:{key}",
        nearest_hint(key, known) or f"oneiric list --domain {bridge.domain} shows what is",
    )


def require_provider(bridge: DomainBridge, key: str, provider: str | None) -> None:
    """Raise the ControlError about a *key* that nobody is registered for, or not *provider*."""
    known = [rank["provider"] for rank in bridge.explain(key)["ordered"]]
    if not known:
        raise unknown_key(bridge, key)
    if provider is not None and provider not in known:
        raise answer_is_no(
            f"no candidate of provider {provider} is registered for {bridge.domain}:{key}",
            nearest_hint(provider, known) or f"registered: {', '.join(map(str, known[:10]))}",
        )
