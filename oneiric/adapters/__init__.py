"""Adapters: connections to systems outside, one category a key."""

from __future__ import annotations

from oneiric.adapters.bridge import AdapterBridge, AdapterHandle

__all__ = ["AdapterBridge", "AdapterHandle"]
