"""Adapters: connections to systems outside, one category a key."""

from __future__ import annotations

from oneiric.adapters.bridge import AdapterBridge, AdapterHandle
from oneiric.adapters.metadata import AdapterMetadata, register_adapter_metadata
from oneiric.adapters.watcher import AdapterConfigWatcher

__all__ = ["AdapterBridge", "AdapterConfigWatcher", "AdapterHandle", "AdapterMetadata", "register_adapter_metadata"]
