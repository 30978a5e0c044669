"""Make, check, swap, roll back and clean up instances."""

from oneiric.core.errors import CallTimeoutError, LifecycleError
from oneiric.core.lifecycle.factories import resolve_factory
from oneiric.core.lifecycle.manager import LifecycleManager
from oneiric.core.lifecycle.options import LifecycleHooks, LifecycleSafetyOptions
from oneiric.core.lifecycle.status import LifecycleStatus, State, read_statuses

__all__ = [
    "CallTimeoutError",
    "LifecycleError",
    "LifecycleHooks",
    "LifecycleManager",
    "LifecycleSafetyOptions",
    "LifecycleStatus",
    "State",
    "read_statuses",
    "resolve_factory",
]
