"""Actions: small operations that are looked up by name."""

from __future__ import annotations

from oneiric.actions.bridge import ActionBridge

__all__ = ["ActionBridge"]
