"""The public path of spans for code of an application; its home is :mod:`oneiric.observability.published`.

The core knows nothing of telemetry: what stands here is looked up when it is first used, not imported.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oneiric.observability.published import (
        DecisionEvent,
        ObservabilityConfig,
        configure_observability,
        get_tracer,
        inject_trace_context,
        observed_span,
        traced_decision,
    )

__all__ = [
    "DecisionEvent",
    "ObservabilityConfig",
    "configure_observability",
    "get_tracer",
    "inject_trace_context",
    "observed_span",
    "traced_decision",
]

_HOME = "oneiric.observability.published"


def published(module: str, names: Sequence[str], name: str) -> Any:
    """Return what *module* publishes as *name*, one of *names*; AttributeError for any other."""
    if name not in names:
        raise AttributeError(f"module {module!r} has no attribute {name!r}")
    return getattr(import_module(_HOME), name)


def __getattr__(name: str) -> Any:
    return published(__name__, __all__, name)
