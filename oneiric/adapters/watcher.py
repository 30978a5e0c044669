"""The watcher of adapters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.core.config import get_domain_settings
from oneiric.domains.watching import DomainWatcher

if TYPE_CHECKING:
    from oneiric.core.config import LayerSettings, OneiricSettings


class AdapterConfigWatcher(DomainWatcher):
    """Watches the selections of adapters."""

    domain = "adapter"


def adapter_layer(settings: OneiricSettings) -> LayerSettings:
    """Return the section of the adapters in *settings*."""
    return get_domain_settings(settings, "adapter")
