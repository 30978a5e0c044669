"""Actions: small operations that are looked up by name."""

from __future__ import annotations

from oneiric.actions.bridge import ActionBridge
from oneiric.actions.metadata import ActionMetadata, register_action_metadata

__all__ = ["ActionBridge", "ActionMetadata", "register_action_metadata"]
