"""The domains, and where each has its section in the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    from oneiric.core.config.models import OneiricSettings
    from oneiric.core.config.sections import LayerSettings

from oneiric.core.names import DOMAINS

SUPPORTED_DOMAINS: tuple[str, ...] = tuple(DOMAINS)


def is_supported_domain(name: str) -> bool:
    """Whether *name* is one of the six domains, exactly as they are written."""
    return name in SUPPORTED_DOMAINS


def get_domain_settings(settings: OneiricSettings, domain: str) -> LayerSettings:
    """Return the section of *domain* in *settings*; ValueError for any other name than the six."""
    if not is_supported_domain(domain):
        raise ValueError(f"domain {domain!r:.80} has no settings; one of {', '.join(SUPPORTED_DOMAINS)} expected")
    return cast("LayerSettings", getattr(settings, f"{domain}s"))


def create_layer_selector(domain: str) -> Callable[[OneiricSettings], LayerSettings]:
    """Return what picks the section of *domain* out of settings; ValueError for any other name than the six."""
    if not is_supported_domain(domain):
        raise ValueError(f"domain {domain!r:.80} has no settings; one of {', '.join(SUPPORTED_DOMAINS)} expected")
    return lambda settings: get_domain_settings(settings, domain)
