"""The public path of counts for code of an application; their home is :mod:`oneiric.observability.published`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from oneiric.core.observability import published

if TYPE_CHECKING:
    from oneiric.observability.published import record_drain_state, record_pause_state, record_swap_duration

__all__ = ["record_drain_state", "record_pause_state", "record_swap_duration"]


def __getattr__(name: str) -> Any:
    return published(__name__, __all__, name)
