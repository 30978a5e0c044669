"""Resolve, hot-swap and observe the providers of a running process.

What stands here is imported when it is first used, so that a command pays for what it needs only.
"""

TYPE_CHECKING = False  # type checkers take it for that of typing, which would take longer to import than all else here
if TYPE_CHECKING:
    from typing import Any

    from oneiric._version import __version__
    from oneiric.core.activity import DomainActivity, DomainActivityStore
    from oneiric.core.config import OneiricSettings, load_settings
    from oneiric.core.lifecycle import LifecycleError, LifecycleHooks, LifecycleManager, LifecycleSafetyOptions
    from oneiric.core.logging import configure_logging, get_logger
    from oneiric.core.observers import Observers
    from oneiric.core.resolution import Candidate, CandidateSource, Resolver, ResolverSettings
    from oneiric.demo import DemoAdapter
    from oneiric.runtime.orchestrator import RuntimeOrchestrator, orchestrated_runtime

__all__ = [
    "Candidate",
    "CandidateSource",
    "DemoAdapter",
    "DomainActivity",
    "DomainActivityStore",
    "LifecycleError",
    "LifecycleHooks",
    "LifecycleManager",
    "LifecycleSafetyOptions",
    "Observers",
    "OneiricSettings",
    "Resolver",
    "ResolverSettings",
    "RuntimeOrchestrator",
    "__version__",
    "configure_logging",
    "get_logger",
    "load_settings",
    "orchestrated_runtime",
]

_MODULES = {
    "oneiric._version": ("__version__",),
    "oneiric.core.activity": ("DomainActivity", "DomainActivityStore"),
    "oneiric.core.config": ("OneiricSettings", "load_settings"),
    "oneiric.core.lifecycle": ("LifecycleError", "LifecycleHooks", "LifecycleManager", "LifecycleSafetyOptions"),
    "oneiric.core.logging": ("configure_logging", "get_logger"),
    "oneiric.core.observers": ("Observers",),
    "oneiric.core.resolution": ("Candidate", "CandidateSource", "Resolver", "ResolverSettings"),
    "oneiric.demo": ("DemoAdapter",),
    "oneiric.runtime.orchestrator": ("RuntimeOrchestrator", "orchestrated_runtime"),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> "Any":
    from importlib import import_module  # noqa: PLC0415 - until it is imported Ctrl-C ends a command with a traceback

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
