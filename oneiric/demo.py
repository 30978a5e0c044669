"""A provider to try things with."""

from __future__ import annotations


class DemoAdapter:
    """An adapter whose instances are called for ``{"type": "demo"}``."""

    def __call__(self) -> dict[str, str]:
        """Return what kind of adapter it is."""
        return {"type": "demo"}
