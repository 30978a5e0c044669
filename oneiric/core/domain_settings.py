"""The settings of one domain; their home is :mod:`oneiric.core.config`, and this path to them stays."""

from oneiric.core.config import (
    SUPPORTED_DOMAINS,
    create_layer_selector,
    get_domain_settings,
    is_supported_domain,
)

__all__ = ["SUPPORTED_DOMAINS", "create_layer_selector", "get_domain_settings", "is_supported_domain"]
